//! Loads the images for a digit network, and says what a person should know about them.

use std::path::Path;

use m2g_core::data::mnist::LabelledImages;
use m2g_digits::images;
use m2g_digits::training::Description;

pub use m2g_digits::images::{load, load_again};

use crate::terminal::lines::note;

/// Loads test images that a network knows the classes of: see [`images::load_test`].
pub fn load_test(
    description: &Description,
    data: Option<&Path>,
    transposed: Option<bool>,
) -> anyhow::Result<LabelledImages> {
    let (images, reports) = images::load_test(description, data, transposed)?;
    reports.iter().for_each(|report| note(&with_dashes(report)));
    Ok(images)
}

/// A sentence of the library with a flag in place of the setting that it advises to set.
pub fn with_dashes(report: &str) -> String {
    report.replace("set transposed to yes or no", "give --transposed yes or --transposed no")
}
