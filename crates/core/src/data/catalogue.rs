//! The datasets that are known by name.

use std::env;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{DataError, fetch, idx};

/// One file of a dataset.
#[derive(Debug, Clone, Copy)]
pub struct DataFile {
    /// Its name, as mirrors have it.
    pub name: &'static str,
    /// SHA-256 of its content, decompressed if it is gzip: two mirrors may
    /// compress differently. None where we could not verify one.
    pub sha256: Option<&'static str>,
}

/// A dataset.
#[derive(Debug, Clone, Copy)]
pub struct Dataset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whose it is and what one may do with it.
    pub licence: &'static str,
    /// Bytes to download, about.
    pub size: u64,
    /// Its files.
    pub files: &'static [DataFile],
    /// Where to download them, in this order: a file lies at mirror + name.
    pub mirrors: &'static [&'static str],
}

const fn file(name: &'static str, sha256: &'static str) -> DataFile {
    DataFile { name, sha256: Some(sha256) }
}

const fn unverified(name: &'static str) -> DataFile {
    DataFile { name, sha256: None }
}

/// All datasets.
pub const DATASETS: &[Dataset] = &[
    Dataset {
        name: "mnist",
        about: "70,000 handwritten digits, 28x28 (LeCun, Cortes, Burges)",
        licence: "CC BY-SA 3.0",
        size: 11_369_318,
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ],
        mirrors: &[
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ],
    },
    Dataset {
        name: "fashion-mnist",
        about: "70,000 pictures of clothes, 28x28, ten classes (Zalando Research)",
        licence: "MIT",
        size: 30_878_645,
        files: &[
            unverified("train-images-idx3-ubyte.gz"),
            unverified("train-labels-idx1-ubyte.gz"),
            unverified("t10k-images-idx3-ubyte.gz"),
            unverified("t10k-labels-idx1-ubyte.gz"),
        ],
        mirrors: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    },
    Dataset {
        name: "tiny-shakespeare",
        about: "1,115,394 characters of Shakespeare (Karpathy's char-rnn)",
        licence: "public domain text",
        size: 1_115_394,
        files: &[file("input.txt", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")],
        mirrors: &["https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"],
    },
    Dataset {
        name: "multi30k-de-en",
        about: "31,014 picture captions in German and English (Elliott et al. 2016)",
        licence: "for research; see github.com/multi30k/dataset",
        size: 1_294_986,
        files: MULTI30K,
        mirrors: &["https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"],
    },
];

const MULTI30K: &[DataFile] = &[
    file("train.de.gz", "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72"),
    file("train.en.gz", "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6"),
    file("val.de.gz", "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660"),
    file("val.en.gz", "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227"),
    file("test_2016_flickr.de.gz", "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16"),
    file("test_2016_flickr.en.gz", "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182"),
];

/// The dataset of that name.
///
/// # Errors
/// [`DataError::Unknown`], with the most similar name.
pub fn named(name: &str) -> Result<&'static Dataset, DataError> {
    DATASETS.iter().find(|d| d.name == name).ok_or_else(|| {
        let similar = DATASETS.iter().map(|d| (strsim::jaro_winkler(d.name, name), d));
        let nearest =
            similar.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, d)| d);
        DataError::Unknown { name: name.into(), nearest: nearest.map(|d| d.name.to_string()) }
    })
}

/// The folder of a dataset: `explicit` if given, else the first that holds its
/// files of `$M2G_DATA`, the `datasets/` of the repository, and the user's cache.
///
/// # Errors
/// [`DataError::NotHere`] if it is nowhere; [`DataError::Io`] if `explicit` is no folder.
pub fn find(name: &str, explicit: Option<&Path>) -> Result<PathBuf, DataError> {
    let dataset = named(name)?;
    if let Some(dir) = explicit {
        let entries = std::fs::read_dir(dir).map_err(DataError::io("read the folder", dir))?;
        drop(entries);
        return Ok(dir.to_path_buf());
    }
    let here = |dir: &PathBuf| dataset.files.iter().all(|f| local(dir, f).is_some());
    places(dataset).into_iter().find(here).ok_or(DataError::NotHere { name: dataset.name })
}

/// The folder of a dataset, downloaded to the user's cache if it is nowhere yet.
/// `progress` is told the file, the bytes so far and, if known, the bytes in all.
///
/// # Errors
/// [`DataError::Download`] if no mirror gives a whole file.
pub fn get(name: &str, progress: &mut dyn FnMut(&str, u64, Option<u64>)) -> Result<PathBuf, DataError> {
    match find(name, None) {
        Err(DataError::NotHere { .. }) => {}
        found => return found,
    }
    let dataset = named(name)?;
    let dir = download_folder(dataset)?;
    std::fs::create_dir_all(&dir).map_err(DataError::io("create", &dir))?;
    for file in dataset.files {
        if local(&dir, file).is_none_or(|path| check(&path, file).is_err()) {
            fetch::fetch(dataset.mirrors, file, &dir, progress)?;
        }
    }
    Ok(dir)
}

/// Checks one file of a dataset.
///
/// # Errors
/// [`DataError::File`] says what is wrong with it.
pub fn check(path: &Path, file: &DataFile) -> Result<(), DataError> {
    if file.name.contains("ubyte") {
        idx::read(path)?;
    }
    match file.sha256 {
        Some(expected) if fetch::content_sha256(path)? != expected => {
            Err(DataError::file(path, "its content is not the original's (wrong SHA-256): get it again"))
        }
        _ => Ok(()),
    }
}

/// Where a file of a dataset lies in `dir`: with or without `.gz`.
pub fn local(dir: &Path, file: &DataFile) -> Option<PathBuf> {
    let plain = file.name.trim_end_matches(".gz");
    [file.name, plain].iter().map(|name| dir.join(name)).find(|path| path.is_file())
}

/// The SHA-256 that the content of `path` must have: known if its folder has the
/// name of a dataset and it has the name of one of its files.
pub(crate) fn content_sha256(path: &Path) -> Option<&'static str> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let name = path.file_name()?.to_str()?;
    let dataset = DATASETS.iter().find(|d| d.name == folder)?;
    let plain = |n: &str| n.trim_end_matches(".gz").to_string();
    dataset.files.iter().find(|f| plain(f.name) == plain(name))?.sha256
}

/// The folders in which a dataset may lie, in the order in which they count.
pub fn places(dataset: &Dataset) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(dir) = env::var_os("M2G_DATA").map(PathBuf::from) {
        places.extend([dir.join(dataset.name), dir]);
    }
    if let Ok(current) = env::current_dir() {
        places.extend(current.ancestors().map(|dir| dir.join("datasets").join(dataset.name)));
    }
    // The repository that this program was built in.
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets").join(dataset.name));
    places.extend(cache_folder().map(|dir| dir.join(dataset.name)));
    places
}

fn cache_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("mnist-to-gpt"))
}

/// Where downloads go.
fn download_folder(dataset: &Dataset) -> Result<PathBuf, DataError> {
    if let Some(dir) = env::var_os("M2G_DATA") {
        return Ok(Path::new(&dir).join(dataset.name));
    }
    cache_folder().map(|dir| dir.join(dataset.name)).ok_or_else(|| {
        DataError::file(
            Path::new("~"),
            "there is no home folder to keep downloads in: set M2G_DATA to a folder",
        )
    })
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_mnist_of_the_repository_is_found_and_whole() {
        let dir = find("mnist", None).unwrap();
        for file in named("mnist").unwrap().files {
            check(&local(&dir, file).unwrap(), file).unwrap();
        }
    }

    #[test]
    fn unknown_names_get_a_proposal() {
        let error = find("minst", None).unwrap_err().to_string();
        assert!(error.contains("did you mean mnist"), "{error}");
        assert!(!find("xyz", None).unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = find("mnist", Some(Path::new("/nowhere/at/all"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
