//! MNIST and its kind: images of one size, each with a label.
//!
//! A folder holds four IDX files, plain or gzip: training and test images, and
//! their labels. Every file is read and checked by this crate's own reader first;
//! folders of MNIST's size are then loaded by the `mnist` crate, which by itself
//! panics on any error, cannot read gzip, and would not notice a short file.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use mnist::MnistBuilder;
use sha2::{Digest, Sha256};

use super::idx::{self, Idx};
use super::{DataError, catalogue};
use crate::threads;

/// The digits 0 to 9, or the ten classes of another dataset of this kind.
pub const CLASSES: usize = 10;

/// Images of one size with a label each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelledImages {
    /// The pixels, `(N, rows, cols)`, 0 for paper and 255 for ink.
    pub images: Vec<u8>,
    /// The labels, `(N)`.
    pub labels: Vec<u8>,
    /// The height of an image in pixels.
    pub rows: usize,
    /// The width of an image in pixels.
    pub cols: usize,
}

impl LabelledImages {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of one image.
    ///
    /// # Panics
    /// If there are not so many images.
    pub fn image(&self, i: usize) -> &[u8] {
        let pixels = self.rows * self.cols;
        &self.images[i * pixels..][..pixels]
    }

    /// A copy of some of the images.
    ///
    /// # Panics
    /// If there are not so many images.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let pixels = self.rows * self.cols;
        Self {
            images: self.images[range.start * pixels..range.end * pixels].to_vec(),
            labels: self.labels[range].to_vec(),
            ..*self
        }
    }
}

/// A dataset in its three parts, which share no image.
#[derive(Debug, Clone)]
pub struct DigitData {
    /// To learn from.
    pub train: LabelledImages,
    /// To choose settings and the best network by.
    pub validation: LabelledImages,
    /// To be measured once, at the end.
    pub test: LabelledImages,
    /// How many classes there are.
    pub n_classes: usize,
    /// The folder.
    pub source: PathBuf,
    /// SHA-256 over all images and labels, to recognise the data.
    pub fingerprint: String,
}

/// How the training file is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The last sixth is for validation: 50,000 and 10,000 images of MNIST.
    Standard,
    /// All of it is for training, nothing for validation.
    TrainOnAll,
}

/// The four files: images and labels for training, images and labels for testing.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Loads a dataset from the folder of its four files.
///
/// # Errors
/// [`DataError`] names the file that is missing, damaged, swapped with another, or
/// holds a label that is none.
pub fn load(dir: &Path, split: Split) -> Result<DigitData, DataError> {
    let (train, test) = threads::join(|| read_pair(dir, 0), || read_pair(dir, 2));
    let (train, test) = (train?, test?);
    if (train.rows, train.cols) != (test.rows, test.cols) {
        let why = format!(
            "its images are {}x{} pixels, those of {} {}x{}: the folder mixes two datasets",
            test.rows, test.cols, FILES[0], train.rows, train.cols
        );
        return Err(DataError::file(&dir.join(FILES[2]), why));
    }
    let fingerprint = fingerprint(&[&train, &test]);
    let validation = match split {
        Split::Standard => train.len() / 6,
        Split::TrainOnAll => 0,
    };
    let (train, validation, test) = if standard_size(&train, &test) {
        through_the_crate(dir, train, test, validation)?
    } else {
        cut(train, test, validation)
    };
    Ok(DigitData { train, validation, test, n_classes: CLASSES, source: dir.to_path_buf(), fingerprint })
}

/// Loads only the test images.
///
/// # Errors
/// As [`load`].
pub fn load_test(dir: &Path) -> Result<LabelledImages, DataError> {
    read_pair(dir, 2)
}

/// Reads and checks the images file number `first` and the labels file behind it.
fn read_pair(dir: &Path, first: usize) -> Result<LabelledImages, DataError> {
    let [images_path, labels_path] = [first, first + 1].map(|i| find(dir, FILES[i]));
    let (images_path, labels_path) = (images_path?, labels_path?);
    let (images, labels) = threads::join(|| read_checked(&images_path), || read_checked(&labels_path));
    let (images, labels) = (images?, labels?);
    let [n, rows, cols] = images.shape[..] else {
        let why = match images.shape.len() {
            1 => "it holds labels, not images: was it swapped with the labels file?".into(),
            axes => format!("it has {axes} axes, not 3 (images, rows, columns)"),
        };
        return Err(DataError::file(&images_path, why));
    };
    if labels.shape.len() != 1 {
        let why = "it holds images, not labels: was it swapped with the images file?";
        return Err(DataError::file(&labels_path, why));
    }
    if n != labels.data.len() {
        let why = format!("it holds {} labels for {n} images: they are not of one set", labels.data.len());
        return Err(DataError::file(&labels_path, why));
    }
    if n == 0 || rows * cols == 0 {
        return Err(DataError::file(&images_path, "it holds no image"));
    }
    if let Some(i) = labels.data.iter().position(|&l| usize::from(l) >= CLASSES) {
        let why = format!("label number {i} is {}, and labels go from 0 to 9", labels.data[i]);
        return Err(DataError::file(&labels_path, why));
    }
    Ok(LabelledImages { images: images.data, labels: labels.data, rows, cols })
}

/// The path of a file, plain or gzip, with either usual spelling of its name.
fn find(dir: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name.to_string(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    let found = names.iter().map(|n| dir.join(n)).find(|p| p.exists());
    found.ok_or_else(|| DataError::Missing { dir: dir.to_path_buf(), file: name })
}

/// Reads a file; if it lies in a folder that the catalogue knows by name, its
/// content must be what the catalogue says.
fn read_checked(path: &Path) -> Result<Idx, DataError> {
    let idx = idx::read(path)?;
    if let Some(expected) = catalogue::content_sha256(path) {
        let mut hash = Sha256::new();
        let mut header = Vec::new();
        // Header and data are hashed one after the other, without joining them.
        idx::write(&Idx { shape: idx.shape.clone(), data: Vec::new() }, &mut header)
            .map_err(DataError::io("check", path))?;
        hash.update(&header);
        hash.update(&idx.data);
        if catalogue::hex(&hash.finalize()) != expected {
            let why = "its content is not that of the original (wrong SHA-256): it is damaged, or two files \
                       were swapped; get it again, or name another folder with --data DIR";
            return Err(DataError::file(path, why));
        }
    }
    Ok(idx)
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
    catalogue::hex(&hash.finalize())
}

/// The sizes that the `mnist` crate is made for.
fn standard_size(train: &LabelledImages, test: &LabelledImages) -> bool {
    (train.len(), test.len(), train.rows, train.cols) == (60_000, 10_000, 28, 28)
}

type Parts = (LabelledImages, LabelledImages, LabelledImages);

/// The last `validation` training images, cut off by ourselves.
fn cut(mut train: LabelledImages, test: LabelledImages, validation: usize) -> Parts {
    let n = train.len() - validation;
    let pixels = train.rows * train.cols;
    let validation = LabelledImages {
        images: train.images.split_off(n * pixels),
        labels: train.labels.split_off(n),
        ..train
    };
    (train, validation, test)
}

/// Loads the dataset through the `mnist` crate, from a private folder of plain
/// files that we have checked and written ourselves: nothing is left on which it
/// could panic. Its test set begins where training and validation end, so these
/// two must add up to the whole training file.
fn through_the_crate(
    dir: &Path,
    train: LabelledImages,
    test: LabelledImages,
    validation: usize,
) -> Result<Parts, DataError> {
    let folder = tempfile::tempdir().map_err(DataError::io("make a temporary copy of", dir))?;
    let Some(base_path) = folder.path().to_str() else {
        // The crate takes only names that are text.
        return Ok(cut(train, test, validation));
    };
    for (part, [images, labels]) in [(&train, [FILES[0], FILES[1]]), (&test, [FILES[2], FILES[3]])] {
        let files = [
            (images, vec![part.len(), part.rows, part.cols], &part.images),
            (labels, vec![part.len()], &part.labels),
        ];
        for (name, shape, data) in files {
            let path = folder.path().join(name);
            let mut header = Vec::new();
            std::fs::File::create(&path)
                .and_then(|mut file| {
                    idx::write(&Idx { shape, data: Vec::new() }, &mut header)?;
                    file.write_all(&header)?;
                    file.write_all(data)
                })
                .map_err(DataError::io("write", &path))?;
        }
    }
    let loaded = MnistBuilder::new()
        .base_path(base_path)
        .label_format_digit()
        .training_set_length((train.len() - validation) as u32)
        .validation_set_length(validation as u32)
        .test_set_length(test.len() as u32)
        .finalize();
    let part = |images, labels| LabelledImages { images, labels, rows: 28, cols: 28 };
    Ok((
        part(loaded.trn_img, loaded.trn_lbl),
        part(loaded.val_img, loaded.val_lbl),
        part(loaded.tst_img, loaded.tst_lbl),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        let (train, validation, test) = cut(read_pair(&dir, 0).unwrap(), read_pair(&dir, 2).unwrap(), 10_000);
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
    fn a_label_of_200_is_named_with_its_place() {
        let dir = small();
        save(dir.path(), FILES[1], &[12], [vec![1; 7], vec![200; 5]].concat());
        let error = error(dir.path());
        assert!(error.contains("label number 7 is 200") && error.contains(FILES[1]), "{error}");
    }

    #[test]
    fn a_changed_byte_in_the_catalogues_mnist_is_noticed() {
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
