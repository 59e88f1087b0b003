//! Finds the files of MNIST and of data sets like it, whose names differ: EMNIST, QMNIST, Fashion-MNIST.
//!
//! ```text
//! train-images-idx3-ubyte.gz                     MNIST
//! t10k-images.idx3-ubyte                         the same, as some programs unpack it
//! emnist-letters-train-images-idx3-ubyte.gz      EMNIST: six data sets in one folder
//! qmnist-test-labels-idx2-int.gz                 QMNIST: labels with seven more columns
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::foreign;
use crate::data::DataError;
use crate::data::datasets::DATASETS;
use crate::error::{did_you_mean, nearest};

/// The usual names of the four files: training images and labels, test images and labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// What may stand for the test part in a name, the best first.
const TEST_PARTS: [&str; 4] = ["t10k", "test", "test10k", "test50k"];

/// The files of one data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The folder.
    pub folder: PathBuf,
    /// What the names of the files begin with, such as `emnist-letters`; empty for the usual names.
    pub prefix: String,
    /// The paths in the order of [`FILES`], as far as they exist.
    files: [Option<PathBuf>; 4],
}

impl Family {
    /// Finds the data set in `data`: a folder; a folder and the start of the names in it, such as
    /// `gzip/emnist-letters`; or one of the files.
    ///
    /// # Errors
    /// [`DataError`] if there is none, or if the folder holds several; if the data is in another
    /// format, it says how to convert it.
    pub fn find(data: &Path) -> Result<Self, DataError> {
        if data.is_dir() {
            let mut families = families(data)?;
            return match families.len() {
                1 => Ok(families.remove(0)),
                0 => Err(foreign::in_folder(data).unwrap_or_else(|| missing(data, "", 0))),
                _ => match families.iter().position(|family| family.prefix.is_empty()) {
                    Some(usual) => Ok(families.swap_remove(usual)),
                    None => Err(several(data, &families)),
                },
            };
        }
        if let Some(error) = foreign::file(data) {
            return Err(error);
        }
        let name = data.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let prefix = if data.is_file() { role(name).map(|(prefix, _)| prefix) } else { Some(name) };
        let folder =
            data.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        if let (Some(prefix), Some(folder)) = (prefix, folder.filter(|folder| folder.is_dir())) {
            let found = families(folder)?.into_iter().find(|family| family.prefix == prefix);
            if let Some(family) = found {
                return Ok(family);
            }
        }
        match fs::read_dir(data) {
            Err(_) if data.is_file() => {
                let why = "it holds neither images nor labels: set data to the folder of the four files";
                Err(DataError::file(data, why))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // It may have been meant as the name of a dataset.
                let nearest = nearest(name, DATASETS.iter().map(|dataset| dataset.name));
                let hint = did_you_mean(nearest);
                let why = format!(
                    "there is no such folder or dataset{hint}: set data to the folder of the four files, or to the \
                     name of a dataset"
                );
                Err(DataError::file(data, why))
            }
            Err(error) => Err(DataError::io("read the folder", data)(error)),
            Ok(_) => Err(missing(data, "", 0)),
        }
    }

    /// The path of `FILES[index]`.
    ///
    /// # Errors
    /// [`DataError::Missing`] if it does not exist.
    pub fn file(&self, index: usize) -> Result<&Path, DataError> {
        self.files[index].as_deref().ok_or_else(|| missing(&self.folder, &self.prefix, index))
    }

    /// The name of the data set in lower case: the prefix, or else the name of the folder.
    pub fn name(&self) -> String {
        let folder = self.folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        if self.prefix.is_empty() { folder.to_lowercase() } else { self.prefix.to_lowercase() }
    }

    /// The file with the character of each label, as EMNIST has it.
    pub fn mapping(&self) -> Option<PathBuf> {
        let name = if self.prefix.is_empty() {
            "mapping.txt".into()
        } else {
            format!("{}-mapping.txt", self.prefix)
        };
        Some(self.folder.join(name)).filter(|path| path.is_file())
    }
}

fn missing(folder: &Path, prefix: &str, index: usize) -> DataError {
    let file = match prefix {
        "" => FILES[index].to_string(),
        prefix => format!("{prefix}-{}", FILES[index].replace("t10k", "test")),
    };
    DataError::Missing { dir: folder.to_path_buf(), file }
}

fn several(folder: &Path, families: &[Family]) -> DataError {
    let names: Vec<&str> = families.iter().map(|family| &*family.prefix).collect();
    let why = format!(
        "it holds several data sets ({}): choose one, such as {}",
        names.join(", "),
        folder.join(names[0]).display()
    );
    DataError::file(folder, why)
}

/// The data sets in a folder, sorted by the prefixes of their names.
fn families(folder: &Path) -> Result<Vec<Family>, DataError> {
    let entries = fs::read_dir(folder).map_err(DataError::io("read the folder", folder))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // Of two files that hold the same, the one that comes first is used: `a` before `a.gz`.
    names.sort();
    let mut found: BTreeMap<String, [Option<(usize, PathBuf)>; 4]> = BTreeMap::new();
    for name in &names {
        let Some((prefix, (index, rank))) = role(name) else { continue };
        let place = &mut found.entry(prefix.to_string()).or_default()[index];
        if place.as_ref().is_none_or(|(other, _)| rank < *other) {
            *place = Some((rank, folder.join(name)));
        }
    }
    let family = |(prefix, files): (String, [Option<(usize, PathBuf)>; 4])| Family {
        folder: folder.to_path_buf(),
        prefix,
        files: files.map(|file| file.map(|(_, path)| path)),
    };
    Ok(found.into_iter().map(family).collect())
}

/// The prefix of a file's name, its index in [`FILES`], and its rank among the files of that index;
/// `None` for other files.
fn role(name: &str) -> Option<(&str, (usize, usize))> {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let (rest, element) = plain.rsplit_once('-')?;
    // `images-idx3` or `images.idx3`, and before it the part.
    let (rest, axes) = rest.rsplit_once(['-', '.'])?;
    let (rest, content) = rest.rsplit_once('-')?;
    let (prefix, part) = rest.rsplit_once('-').unwrap_or(("", rest));
    let is_labels = match (content, axes, element) {
        ("images", "idx3", "ubyte") => false,
        ("labels", "idx1", "ubyte" | "int") | ("labels", "idx2", "int") => true,
        _ => return None,
    };
    let (first, rank) = match part {
        "train" => (0, 0),
        test => (2, TEST_PARTS.iter().position(|part| *part == test)?),
    };
    Some((prefix, (first + usize::from(is_labels), rank)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read() {
        for (name, want) in [
            ("train-images-idx3-ubyte", Some(("", (0, 0)))),
            ("t10k-labels.idx1-ubyte.gz", Some(("", (3, 0)))),
            ("emnist-letters-train-images-idx3-ubyte.gz", Some(("emnist-letters", (0, 0)))),
            ("emnist-byclass-test-labels-idx1-ubyte", Some(("emnist-byclass", (3, 1)))),
            ("qmnist-train-labels-idx2-int.gz", Some(("qmnist", (1, 0)))),
            ("qmnist-test50k-images-idx3-ubyte.gz", Some(("qmnist", (2, 3)))),
            ("emnist-letters-mapping.txt", None),
            ("train-images-idx2-ubyte", None),
            ("xnist-images-idx3-ubyte", None),
            ("README.md", None),
        ] {
            assert_eq!(role(name), want, "{name}");
        }
    }

    #[test]
    fn a_data_set_is_chosen_by_its_prefix() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for prefix in ["emnist-letters-", "emnist-digits-"] {
            for name in FILES {
                let name = format!("{prefix}{}.gz", name.replace("t10k", "test"));
                fs::write(dir.join(name), "").unwrap();
            }
        }
        let error = Family::find(dir).unwrap_err().to_string();
        assert!(error.contains("several data sets (emnist-digits, emnist-letters): choose one"), "{error}");
        let letters = Family::find(&dir.join("emnist-letters")).unwrap();
        assert_eq!(letters.name(), "emnist-letters");
        assert!(letters.file(2).unwrap().ends_with("emnist-letters-test-images-idx3-ubyte.gz"));
        let by_file = dir.join("emnist-letters-train-labels-idx1-ubyte.gz");
        assert_eq!(Family::find(&by_file).unwrap(), letters);
        fs::remove_file(&by_file).unwrap();
        let error = Family::find(&dir.join("emnist-letters")).unwrap().file(1).unwrap_err().to_string();
        assert!(error.contains("has no emnist-letters-train-labels-idx1-ubyte"), "{error}");
        let error = Family::find(&dir.join("emnist")).unwrap_err().to_string();
        assert!(error.contains("emnist: there is no such folder or dataset"), "{error}");
        fs::write(dir.join("letter.txt"), "dear").unwrap();
        let error = Family::find(&dir.join("letter.txt")).unwrap_err().to_string();
        assert!(error.contains("letter.txt: it holds neither images nor labels"), "{error}");
        // The usual names come first, and a plain file before a compressed one.
        for name in ["train-images-idx3-ubyte", "train-images.idx3-ubyte.gz", "train-images-idx3-ubyte.gz"] {
            fs::write(dir.join(name), "").unwrap();
        }
        let usual = Family::find(dir).unwrap();
        assert!(usual.prefix.is_empty() && usual.file(0).unwrap().ends_with("train-images-idx3-ubyte"));
    }
}
