//! Loads the images for a digit network.

use std::path::{Path, PathBuf};

use anyhow::bail;
use m2g_core::data::catalogue;
use m2g_core::data::mnist::{self, DigitData, LabelledImages, Reading, Split, TestImages};
use m2g_digits::Config;
use m2g_digits::training::Description;

use crate::terminal::notes;

/// The data that a user named, or the folder of MNIST.
fn named(data: Option<&Path>) -> anyhow::Result<PathBuf> {
    match data {
        Some(data) => Ok(data.to_path_buf()),
        None => Ok(catalogue::find("mnist", None)?),
    }
}

/// Loads the data of a configuration.
pub fn load(config: &Config) -> anyhow::Result<DigitData> {
    load_with(config, config.transposed.known())
}

/// Loads the data of a run, read as when it was trained.
pub fn load_again(description: &Description, data: Option<&Path>) -> anyhow::Result<DigitData> {
    let config = Config { data: data.map(PathBuf::from), ..description.config.clone() };
    load_with(&config, Some(description.transposed))
}

fn load_with(config: &Config, transposed: Option<bool>) -> anyhow::Result<DigitData> {
    let split = if config.train_on_all { Split::TrainOnAll } else { Split::Standard };
    let reading = Reading { split, transposed, seed: config.seed };
    Ok(mnist::load_with(&named(config.data.as_deref())?, reading)?)
}

/// Loads test images that a network knows the classes of: those of `data`, or those of its own data.
/// `transposed` says whether their rows and columns are swapped, if the user knows.
pub fn load_test(
    description: &Description,
    data: Option<&Path>,
    transposed: Option<bool>,
) -> anyhow::Result<LabelledImages> {
    // Its own data is read as when it was trained.
    let told = transposed.or(data.is_none().then_some(description.transposed));
    let path = named(data.or(description.config.data.as_deref()))?;
    let TestImages { mut images, class_names, reports } = mnist::load_test_with(&path, told)?;
    reports.iter().for_each(|report| notes::line(with_dashes(report)));
    // The class of the network with the name of each class of the data.
    let known = description.all_class_names();
    let same: Vec<Option<usize>> =
        class_names.iter().map(|name| known.iter().position(|known| known == name)).collect();
    for label in &mut images.labels {
        let Some(class) = same[usize::from(*label)] else {
            bail!(
                "{} has the class {}, which the network does not know: it knows {} classes, {} to {}",
                path.display(),
                class_names[usize::from(*label)],
                known.len(),
                known[0],
                known[known.len() - 1]
            );
        };
        *label = class as u8;
    }
    Ok(images)
}

/// A sentence of the library with a flag in place of the setting that it advises to set.
pub fn with_dashes(report: &str) -> String {
    report.replace("set transposed to yes or no", "give --transposed yes or --transposed no")
}
