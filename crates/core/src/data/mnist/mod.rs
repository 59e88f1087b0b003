//! MNIST and datasets like it: images of one size, each with a label.
//!
//! A folder holds four IDX files, plain or gzip: training and test images, and their labels.
//! The reader of this crate reads and checks every file first. The `mnist` crate then loads folders
//! of MNIST's size. On its own, it would panic on any error, could not read gzip, and would not
//! notice a short file.

mod files;
mod images;
mod split;

use std::path::Path;

use sha2::{Digest, Sha256};

use self::files::FILES;
pub use self::images::{CLASSES, DigitData, LabelledImages, Split};
use super::{DataError, sha256};
use crate::threads;

/// Loads a dataset from the folder with its four files.
///
/// # Errors
/// [`DataError`] names the file that is missing, damaged, swapped with another, or holds an
/// invalid label.
pub fn load(dir: &Path, split: Split) -> Result<DigitData, DataError> {
    let (train, test) = threads::join(|| files::read_pair(dir, 0), || files::read_pair(dir, 2));
    let (train, test) = (train?, test?);
    if (train.rows, train.cols) != (test.rows, test.cols) {
        let why = format!(
            "its images are {}x{} pixels, those of {} {}x{}: the folder mixes two datasets",
            test.rows, test.cols, FILES[0], train.rows, train.cols
        );
        return Err(DataError::file(&dir.join(FILES[2]), why));
    }
    let fingerprint = fingerprint(&[&train, &test]);
    let n_validation = match split {
        Split::Standard => train.len() / 6,
        Split::TrainOnAll => 0,
    };
    let (train, validation, test) = if split::has_mnist_size(&train, &test) {
        split::load_with_mnist_crate(dir, train, test, n_validation)?
    } else {
        split::split(train, test, n_validation)
    };
    Ok(DigitData { train, validation, test, n_classes: CLASSES, source: dir.to_path_buf(), fingerprint })
}

/// Loads the test images only.
///
/// # Errors
/// As [`load`].
pub fn load_test(dir: &Path) -> Result<LabelledImages, DataError> {
    files::read_pair(dir, 2)
}

fn fingerprint(parts: &[&LabelledImages]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        for n in [part.len(), part.rows, part.cols] {
            hash.update((n as u64).to_le_bytes());
        }
        hash.update(&part.images);
        hash.update(&part.labels);
    }
    sha256::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

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
        let (train, validation, test) =
            split::split(files::read_pair(&dir, 0).unwrap(), files::read_pair(&dir, 2).unwrap(), 10_000);
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
    }
}
