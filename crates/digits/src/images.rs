//! Loads the images of a digit network.

use std::path::{Path, PathBuf};

use m2g_core::Error;
use m2g_core::data::catalogue;
use m2g_core::data::mnist::{self, DigitData, LabelledImages, Reading, Split, TestImages};

use crate::Config;
use crate::training::Description;

/// The folder that a user named, by its path or as a dataset, or that of MNIST.
fn named(data: Option<&Path>) -> Result<PathBuf, Error> {
    match data {
        Some(data) if is_dataset(data) => Ok(catalogue::find(&data.to_string_lossy(), None)?),
        Some(data) => Ok(data.to_path_buf()),
        None => Ok(catalogue::find("mnist", None)?),
    }
}

/// Whether a user means a known dataset, such as `fashion-mnist`, rather than a path.
pub fn is_dataset(data: &Path) -> bool {
    !data.exists() && catalogue::named(&data.to_string_lossy()).is_ok()
}

/// Loads the data of a configuration.
///
/// # Errors
/// If the data is not here, damaged, or does not fit.
pub fn load(config: &Config) -> Result<DigitData, Error> {
    load_known(config, config.transposed.known())
}

/// Loads the data of a run, read as when it was trained.
///
/// # Errors
/// If the data is not here, damaged, or does not fit.
pub fn load_again(description: &Description, data: Option<&Path>) -> Result<DigitData, Error> {
    let config = Config { data: data.map(PathBuf::from), ..description.config.clone() };
    load_known(&config, Some(description.transposed))
}

/// Loads the data of a configuration, if it is known whether rows and columns are swapped.
///
/// # Errors
/// As [`load`].
pub fn load_known(config: &Config, transposed: Option<bool>) -> Result<DigitData, Error> {
    let split = if config.train_on_all { Split::TrainOnAll } else { Split::Standard };
    let reading = Reading { split, transposed, seed: config.seed };
    Ok(mnist::load_with(&named(config.data.as_deref())?, reading)?)
}

/// Loads test images that a network knows the classes of: those of `data`, or those of its own data.
/// `transposed` says whether their rows and columns are swapped, if the user knows. Also returns what a person
/// should know about them.
///
/// # Errors
/// If the data is not here, damaged, or does not fit.
pub fn load_test(
    description: &Description,
    data: Option<&Path>,
    transposed: Option<bool>,
) -> Result<(LabelledImages, Vec<String>), Error> {
    // Its own data is read as when it was trained.
    let told = transposed.or(data.is_none().then_some(description.transposed));
    let path = named(data.or(description.config.data.as_deref()))?;
    let TestImages { mut images, class_names, reports } = mnist::load_test(&path, told)?;
    // The class of the network with the name of each class of the data.
    let known = description.all_class_names();
    let same: Vec<Option<usize>> =
        class_names.iter().map(|name| known.iter().position(|known| known == name)).collect();
    for label in &mut images.labels {
        let Some(class) = same[usize::from(*label)] else {
            let why = format!(
                "{} has the class {}, which the network does not know: it knows {} classes, {} to {}",
                path.display(),
                class_names[usize::from(*label)],
                known.len(),
                known[0],
                known[known.len() - 1]
            );
            return Err(Error::Other(why.into()));
        };
        *label = class as u8;
    }
    Ok((images, reports))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_dataset_is_found_by_its_name() {
        assert_eq!(named(Some(Path::new("mnist"))).unwrap(), named(None).unwrap());
        for path in ["minst", "./mnist", "src"] {
            assert!(!is_dataset(Path::new(path)));
            assert_eq!(named(Some(Path::new(path))).unwrap(), Path::new(path));
        }
    }
}
