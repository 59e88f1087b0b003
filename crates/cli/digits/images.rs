//! Loads the images for a digit network.

use std::path::Path;

use m2g_core::data::catalogue;
use m2g_core::data::mnist::{self, DigitData, LabelledImages, Split};

/// Loads the data in `dir`, or MNIST.
pub fn load(dir: Option<&Path>, train_on_all: bool) -> anyhow::Result<DigitData> {
    let split = if train_on_all { Split::TrainOnAll } else { Split::Standard };
    Ok(mnist::load(&catalogue::find("mnist", dir)?, split)?)
}

/// Loads the test images in `dir`, or those of MNIST.
pub fn load_test(dir: Option<&Path>) -> anyhow::Result<LabelledImages> {
    Ok(mnist::load_test(&catalogue::find("mnist", dir)?)?)
}
