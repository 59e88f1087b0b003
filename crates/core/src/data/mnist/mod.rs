//! MNIST and datasets like it: images of one size, each with a label.
//!
//! | file | holds |
//! | --- | --- |
//! | `family` | the four files of a data set, by the names of MNIST, EMNIST and QMNIST |
//! | `files` | reads and checks them |
//! | `foreign` | other formats: how to convert them |
//! | `classes` | the classes of the labels, and their names |
//! | `orientation` | whether rows and columns of the images are swapped, as in EMNIST |
//! | `order` | whether images are sorted by class, and which classes a part lacks |
//! | `images`, `split` | labelled images in three parts |
//!
//! A folder holds four IDX files, plain or gzip: training and test images, and their labels.
//! The reader of this crate reads and checks every file first. The `mnist` crate then loads folders
//! of MNIST's size. On its own, it would panic on any error, could not read gzip, and would not
//! notice a short file.

mod classes;
mod family;
mod files;
mod foreign;
mod images;
mod order;
mod orientation;
mod split;

use std::path::Path;

use sha2::{Digest, Sha256};

pub use self::classes::{CLASSES, Classes};
use self::family::Family;
pub use self::images::{DigitData, LabelledImages, Split};
use self::orientation::{Orientation, orientation, transpose_images};
use super::{DataError, sha256};
use crate::threads;

/// How a data set is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// How the training file is split.
    pub split: Split,
    /// Whether rows and columns are swapped in the files, as in EMNIST's; `None` compares the images with
    /// MNIST's, and turns them only if that is clear.
    pub transposed: Option<bool>,
    /// The seed that mixes images that are sorted by class.
    pub seed: u64,
}

/// Loads a dataset from the folder with its four files, as MNIST is read.
///
/// # Errors
/// [`DataError`] names the file that is missing, damaged, swapped with another, or holds an
/// invalid label.
pub fn load(data: &Path, split: Split) -> Result<DigitData, DataError> {
    load_with(data, Reading { split, seed: 1, ..Reading::default() })
}

/// Loads a dataset: from a folder with four files; from `FOLDER/PREFIX` for files whose names begin with
/// `PREFIX-`; or by one of the files.
///
/// # Errors
/// As [`load`].
pub fn load_with(data: &Path, reading: Reading) -> Result<DigitData, DataError> {
    let family = Family::find(data)?;
    let (train, test) = threads::join(|| files::read_pair(&family, 0), || files::read_pair(&family, 2));
    let (mut train, mut test) = (train?, test?);
    if (train.rows, train.cols) != (test.rows, test.cols) {
        let why = format!(
            "its images are {}x{} pixels, those of {} {}x{}: the folder mixes two datasets",
            test.rows,
            test.cols,
            family.file(0)?.display(),
            train.rows,
            train.cols
        );
        return Err(DataError::file(family.file(2)?, why));
    }
    // The labels in the files identify the data, whatever the classes are called.
    let labels = [train.labels.clone(), test.labels.clone()];
    let classes = Classes::of(&family, &[(family.file(1)?, &train.labels), (family.file(3)?, &test.labels)])?;
    number_classes(&mut train, &classes);
    number_classes(&mut test, &classes);
    let mut reports = Vec::new();
    let transposed = is_transposed(&train, &classes, &family, reading.transposed, &mut reports);
    if transposed {
        transpose_images(&mut train);
        transpose_images(&mut test);
    }
    let fingerprint = fingerprint([&train, &test], labels);
    let n_validation = match reading.split {
        Split::Standard => train.len() / 6,
        Split::TrainOnAll => 0,
    };
    if n_validation > 0 && order::is_sorted(&train.labels) {
        train = order::mixed(&train, reading.seed);
        reports.push("the training images are sorted by class: they were mixed before the split".into());
    }
    let (train, validation, test) = if split::has_mnist_size(&train, &test) {
        split::load_with_mnist_crate(train, test, n_validation)?
    } else {
        split::split(train, test, n_validation)
    };
    reports.extend(order::missing_classes(&train, &validation, &classes));
    Ok(DigitData {
        train,
        validation,
        test,
        n_classes: classes.names.len(),
        class_names: if classes.are_numbers() { Vec::new() } else { classes.names },
        transposed,
        reports,
        source: data.to_path_buf(),
        fingerprint,
    })
}

/// Test images, and the names of their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestImages {
    /// The images.
    pub images: LabelledImages,
    /// The name of each class.
    pub class_names: Vec<String>,
    /// As in [`DigitData::reports`].
    pub reports: Vec<String>,
}

/// Loads the test images only; see [`Reading::transposed`].
///
/// # Errors
/// As [`load_with`].
pub fn load_test(data: &Path, transposed: Option<bool>) -> Result<TestImages, DataError> {
    let family = Family::find(data)?;
    let mut images = files::read_pair(&family, 2)?;
    // The training labels count too, if they can be read: the test images may lack a class.
    let train = family.file(1).ok().and_then(|path| Some((path, files::read_labels(path).ok()?)));
    let mut labels: Vec<(&Path, &[u8])> = train.iter().map(|(path, labels)| (*path, &**labels)).collect();
    labels.push((family.file(3)?, &images.labels));
    let classes = Classes::of(&family, &labels)?;
    number_classes(&mut images, &classes);
    let mut reports = Vec::new();
    if is_transposed(&images, &classes, &family, transposed, &mut reports) {
        transpose_images(&mut images);
    }
    Ok(TestImages { images, class_names: classes.names, reports })
}

/// Replaces each label by its class.
fn number_classes(images: &mut LabelledImages, classes: &Classes) {
    images.labels.iter_mut().for_each(|label| *label -= classes.first_label);
}

/// Whether rows and columns are swapped: what the caller says, or else what a comparison with MNIST says.
fn is_transposed(
    images: &LabelledImages,
    classes: &Classes,
    family: &Family,
    told: Option<bool>,
    reports: &mut Vec<String>,
) -> bool {
    if let Some(transposed) = told {
        return transposed;
    }
    match orientation(images, classes) {
        Orientation::Transposed => {
            reports.push("rows and columns of the images are swapped, as in EMNIST: they were turned upright".into());
            return true;
        }
        Orientation::Upright => {}
        Orientation::Unknown if !family.name().contains("emnist") => {}
        Orientation::Unknown | Orientation::Unsure => reports.push(
            "rows and columns of the images may be swapped, as in EMNIST, which cannot be told for sure: look at \
             some, and set transposed to yes or no"
                .into(),
        ),
    }
    false
}

/// SHA-256 over all images, and over all labels as they are in the files.
fn fingerprint(parts: [&LabelledImages; 2], labels: [Vec<u8>; 2]) -> String {
    let mut hash = Sha256::new();
    for (part, labels) in parts.into_iter().zip(labels) {
        for n in [part.len(), part.rows, part.cols] {
            hash.update((n as u64).to_le_bytes());
        }
        hash.update(&part.images);
        hash.update(&labels);
    }
    sha256::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    use super::family::FILES;
    use crate::data::idx::{self, Idx};

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mnist")
    }

    fn save(dir: &Path, name: &str, shape: &[usize], data: Vec<u8>) {
        let mut bytes = Vec::new();
        idx::write(&Idx { shape: shape.to_vec(), data }, &mut bytes).unwrap();
        std::fs::write(dir.join(name), bytes).unwrap();
    }

    /// 12 training and 4 test images of 2x3 pixels.
    fn small() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), FILES[0], &[12, 2, 3], (0..72).collect());
        save(dir.path(), FILES[1], &[12], (0..12).map(|i| i % 10).collect());
        save(dir.path(), FILES[2], &[4, 2, 3], vec![9; 24]);
        save(dir.path(), FILES[3], &[4], vec![1, 2, 3, 4]);
        dir
    }

    fn error(dir: &Path) -> String {
        load(dir, Split::Standard).unwrap_err().to_string()
    }

    #[test]
    fn the_mnist_crate_and_our_reader_agree() {
        let dir = repository();
        let data = load(&dir, Split::Standard).unwrap();
        let family = Family::find(&dir).unwrap();
        let [train, test] = [0, 2].map(|first| files::read_pair(&family, first).unwrap());
        let (train, validation, test) = split::split(train, test, 10_000);
        assert!(data.train == train && data.validation == validation && data.test == test);
        assert_eq!([train.len(), validation.len(), test.len()], [50_000, 10_000, 10_000]);
        assert_eq!(train.labels[..5], [5, 0, 4, 1, 9]);
        assert_eq!(test.labels[..5], [7, 2, 1, 0, 4]);
    }

    #[test]
    fn all_images_can_be_trained_on() {
        let data = load(&repository(), Split::TrainOnAll).unwrap();
        assert_eq!([data.train.len(), data.validation.len(), data.test.len()], [60_000, 0, 10_000]);
    }

    #[test]
    fn other_sizes_are_read_and_split() {
        let data = load(small().path(), Split::Standard).unwrap();
        assert_eq!([data.train.len(), data.validation.len(), data.test.len()], [10, 2, 4]);
        assert_eq!(data.validation.image(0), [60, 61, 62, 63, 64, 65]);
        assert_eq!(data.train.slice(1..2).images, [6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn each_missing_file_is_named() {
        for name in FILES {
            let dir = small();
            std::fs::remove_file(dir.path().join(name)).unwrap();
            assert!(error(dir.path()).contains(name));
        }
    }

    #[test]
    fn swapped_files_are_noticed() {
        let dir = small();
        let at = |i: usize| dir.path().join(FILES[i]);
        std::fs::rename(at(0), dir.path().join("x")).unwrap();
        std::fs::rename(at(1), at(0)).unwrap();
        std::fs::rename(dir.path().join("x"), at(1)).unwrap();
        assert!(error(dir.path()).contains("swapped"), "{}", error(dir.path()));

        let dir = small();
        save(dir.path(), FILES[1], &[4], vec![1; 4]);
        assert!(error(dir.path()).contains("4 labels for 12 images"));
    }

    #[test]
    fn an_invalid_label_is_named_with_its_index() {
        let dir = small();
        save(dir.path(), FILES[1], &[12], [vec![1; 7], vec![200; 5]].concat());
        let error = error(dir.path());
        assert!(error.contains("label number 7 is 200") && error.contains(FILES[1]), "{error}");
    }

    #[test]
    fn a_changed_byte_in_a_catalogued_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("mnist");
        std::fs::create_dir(&dir).unwrap();
        for name in FILES {
            let mut idx = idx::read(&repository().join(format!("{name}.gz"))).unwrap();
            if name == FILES[2] {
                idx.data[1234] ^= 1;
            }
            save(&dir, name, &idx.shape, idx.data);
        }
        assert!(error(&dir).contains("SHA-256"), "{}", error(&dir));

        // Fashion-MNIST is known by its compressed files alone: here digits have their names.
        let clothes = dir.with_file_name("fashion-mnist");
        std::fs::create_dir(&clothes).unwrap();
        for name in FILES.map(|name| format!("{name}.gz")) {
            std::fs::copy(repository().join(&name), clothes.join(&name)).unwrap();
        }
        assert!(error(&clothes).contains("SHA-256"), "{}", error(&clothes));
    }
}
