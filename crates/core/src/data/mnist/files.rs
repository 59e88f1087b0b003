//! Reads and checks the four IDX files of a data set.

use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::family::Family;
use super::images::LabelledImages;
use crate::data::idx::{self, Idx};
use crate::data::{DataError, Pin, catalogue, sha256};
use crate::threads;

/// Reads and checks file number `first` of a data set, which holds images, and the labels file after it.
///
/// # Errors
/// [`DataError`] names the file and says what is wrong with it.
pub fn read_pair(family: &Family, first: usize) -> Result<LabelledImages, DataError> {
    let (images_path, labels_path) = (family.file(first)?, family.file(first + 1)?);
    let (images, labels) = threads::join(
        || idx::read(images_path).and_then(|idx| check_sum(images_path, idx)),
        || read_labels(labels_path),
    );
    let (images, labels) = (images?, labels?);
    let [n, rows, cols] = images.shape[..] else {
        let why = match images.shape.len() {
            1 => "it holds labels, not images: was it swapped with the labels file?".into(),
            axes => format!("it has {axes} axes, not 3 (images, rows, columns)"),
        };
        return Err(DataError::file(images_path, why));
    };
    if n != labels.len() {
        let why = format!("it holds {} labels for {n} images: they do not belong together", labels.len());
        return Err(DataError::file(labels_path, why));
    }
    if n == 0 || rows * cols == 0 {
        return Err(DataError::file(images_path, "it holds no images"));
    }
    Ok(LabelledImages { images: images.data, labels, rows, cols })
}

/// Reads a file of labels.
///
/// # Errors
/// As [`read_pair`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    let labels = check_sum(path, idx::read_labels(path)?)?;
    if labels.shape.len() != 1 {
        let why = "it holds images, not labels: was it swapped with the images file?";
        return Err(DataError::file(path, why));
    }
    Ok(labels.data)
}

/// Checks the checksum of a file if the catalogue knows it.
fn check_sum(path: &Path, idx: Idx) -> Result<Idx, DataError> {
    let is_original = match catalogue::pin(path) {
        None => true,
        Some(Pin::Content(expected)) => content_sum(&idx) == expected,
        Some(pin) => {
            let original = File::open(path).and_then(|file| pin.is_original(file));
            // A copy that was decompressed cannot be told.
            original.map_err(DataError::io("check", path))?.unwrap_or(true)
        }
    };
    if is_original {
        return Ok(idx);
    }
    let why = "its content differs from the original (wrong SHA-256): it is damaged, or two files were swapped; \
               download it again, or set data to another folder";
    Err(DataError::file(path, why))
}

/// The SHA-256 of a decompressed file.
fn content_sum(idx: &Idx) -> String {
    let mut hash = Sha256::new();
    // Hash header and data separately instead of copying them into one buffer.
    hash.update(idx::header(&idx.shape));
    hash.update(&idx.data);
    sha256::hex(&hash.finalize())
}
