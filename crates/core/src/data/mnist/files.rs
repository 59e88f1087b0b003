//! Reads and checks the four IDX files of a dataset.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::images::{CLASSES, LabelledImages};
use crate::data::idx::{self, Idx};
use crate::data::{DataError, catalogue, sha256};
use crate::threads;

/// The four files: training images and labels, test images and labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Reads and checks `FILES[first]`, which holds images, and the labels file after it.
///
/// # Errors
/// [`DataError`] names the file and says what is wrong with it.
pub fn read_pair(dir: &Path, first: usize) -> Result<LabelledImages, DataError> {
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
        let why =
            format!("it holds {} labels for {n} images: they do not belong together", labels.data.len());
        return Err(DataError::file(&labels_path, why));
    }
    if n == 0 || rows * cols == 0 {
        return Err(DataError::file(&images_path, "it holds no images"));
    }
    if let Some(i) = labels.data.iter().position(|&l| usize::from(l) >= CLASSES) {
        let why = format!("label number {i} is {}, but labels go from 0 to 9", labels.data[i]);
        return Err(DataError::file(&labels_path, why));
    }
    Ok(LabelledImages { images: images.data, labels: labels.data, rows, cols })
}

/// The path of a file, plain or gzip, in either of the usual spellings of its name.
fn find(dir: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name.to_string(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    let found = names.iter().map(|n| dir.join(n)).find(|p| p.exists());
    found.ok_or_else(|| DataError::Missing { dir: dir.to_path_buf(), file: name })
}

/// Reads a file. If the catalogue knows the file, its checksum must match.
fn read_checked(path: &Path) -> Result<Idx, DataError> {
    let idx = idx::read(path)?;
    if let Some(expected) = catalogue::expected_sha256(path) {
        let mut hash = Sha256::new();
        let mut header = Vec::new();
        // Hash header and data separately instead of copying them into one buffer.
        idx::write(&Idx { shape: idx.shape.clone(), data: Vec::new() }, &mut header)
            .map_err(DataError::io("check", path))?;
        hash.update(&header);
        hash.update(&idx.data);
        if sha256::hex(&hash.finalize()) != expected {
            let why = "its content differs from the original (wrong SHA-256): it is damaged, or two files \
                       were swapped; download it again, or set data to another folder";
            return Err(DataError::file(path, why));
        }
    }
    Ok(idx)
}
