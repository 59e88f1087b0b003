//! Finds known datasets on this machine, downloads them, and verifies their files.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

pub use super::datasets::{DATASETS, DataFile, Dataset, named};
use super::{DataError, Pin, fetch, idx};
use crate::atomic;

/// Returns the folder of a dataset: `explicit` if given, otherwise the first of [`places`]
/// that holds all its files.
///
/// # Errors
/// [`DataError::NotHere`] if no folder has them; [`DataError::Io`] if `explicit` cannot be read.
pub fn find(name: &str, explicit: Option<&Path>) -> Result<PathBuf, DataError> {
    let dataset = named(name)?;
    if let Some(dir) = explicit {
        let entries = std::fs::read_dir(dir).map_err(DataError::io("read the folder", dir))?;
        drop(entries);
        return Ok(dir.to_path_buf());
    }
    places(dataset)
        .into_iter()
        .find(|dir| holds(dir, dataset))
        .ok_or(DataError::NotHere { name: dataset.name })
}

/// Whether a folder has all files of a dataset. A folder with another name, such as `$M2G_DATA` itself, may hold other
/// data under the same names: its files have to be the originals.
fn holds(dir: &Path, dataset: &Dataset) -> bool {
    let is_its_own = dir.file_name().is_some_and(|folder| folders(dataset).any(|name| folder == name));
    dataset
        .files
        .iter()
        .all(|file| local(dir, file).is_some_and(|path| is_its_own || matches!(check(&path, file), Ok(true))))
}

/// Returns the folder of a dataset. Files that are missing on this machine, or damaged, are downloaded first;
/// `progress` receives the file name, the bytes downloaded and, if known, the total.
///
/// # Errors
/// [`DataError::Download`] if no mirror serves an intact file.
pub fn get(name: &str, progress: &mut dyn FnMut(&str, u64, Option<u64>)) -> Result<PathBuf, DataError> {
    let dataset = named(name)?;
    let dir = match find(name, None) {
        Err(DataError::NotHere { .. }) => download_folder(dataset)?,
        found => found?,
    };
    download_into(&dir, dataset, progress)?;
    Ok(dir)
}

/// Downloads a dataset into a folder. If that fails, no empty folder stays.
fn download_into(
    dir: &Path,
    dataset: &Dataset,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), DataError> {
    let created = atomic::create_parents(&dir.join("file")).map_err(DataError::io("create", dir))?;
    let downloaded = download_missing(dir, dataset, progress);
    if downloaded.is_err() {
        atomic::remove_empty_folders(&created);
    }
    downloaded
}

/// Downloads the files that are missing in the folder, or damaged.
fn download_missing(
    dir: &Path,
    dataset: &Dataset,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<(), DataError> {
    for file in dataset.files {
        if local(dir, file).is_none_or(|path| check(&path, file).is_err()) {
            // Twice the size of all its files together is too much for one of them.
            fetch::fetch(dataset.mirrors, file, 2 * dataset.size, dir, progress)?;
        }
    }
    Ok(())
}

/// Verifies the structure and the checksum of a file. Returns whether it is the original; `false` if
/// that cannot be told, because only the SHA-256 of the compressed file is known and this is a
/// decompressed copy.
///
/// # Errors
/// [`DataError::File`] says what is wrong.
pub fn check(path: &Path, file: &DataFile) -> Result<bool, DataError> {
    if file.name.contains("ubyte") {
        idx::read(path)?;
    }
    let content = File::open(path).map_err(DataError::io("read", path))?;
    match file.pin.is_original(content) {
        Ok(Some(false)) => {
            let why = "its content differs from the original (wrong SHA-256): download it again";
            Err(DataError::file(path, why))
        }
        Ok(original) => Ok(original.is_some()),
        Err(error) => Err(DataError::file(path, format!("it is damaged ({error})"))),
    }
}

/// The path of a dataset's file in `dir`, with or without `.gz`, if it exists.
pub fn local(dir: &Path, file: &DataFile) -> Option<PathBuf> {
    let plain = file.name.trim_end_matches(".gz");
    [file.name, plain].iter().map(|name| dir.join(name)).find(|path| path.is_file())
}

/// What the original of `path` is known by; `None` unless the folder is named after a dataset and the file
/// is one of its files.
pub(crate) fn pin(path: &Path) -> Option<Pin> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let name = path.file_name()?.to_str()?;
    let dataset = DATASETS.iter().find(|d| d.name == folder)?;
    let plain = |n: &str| n.trim_end_matches(".gz").to_string();
    dataset.files.iter().find(|f| plain(f.name) == plain(name)).map(|f| f.pin)
}

/// The names of the folders that hold a dataset: its own, and those of datasets that have all of its files, as
/// multi30k has those of multi30k-de-en.
fn folders(dataset: &Dataset) -> impl Iterator<Item = &'static str> {
    let is_in = |other: &Dataset, file: &DataFile| {
        other.files.iter().any(|found| (found.name, found.pin) == (file.name, file.pin))
    };
    let has_all = move |other: &&Dataset| dataset.files.iter().all(|file| is_in(other, file));
    let others = DATASETS.iter().filter(|other| other.name != dataset.name).filter(has_all);
    [dataset.name].into_iter().chain(others.map(|other| other.name))
}

/// The folders searched for a dataset, in order: `$M2G_DATA`, `datasets/` of the current
/// folder and its parents, `datasets/` of the repository, and the user's cache.
pub fn places(dataset: &Dataset) -> Vec<PathBuf> {
    let named = |dir: &Path| folders(dataset).map(|folder| dir.join(folder)).collect::<Vec<_>>();
    let mut places = Vec::new();
    if let Some(dir) = env::var_os("M2G_DATA").map(PathBuf::from) {
        places.extend(named(&dir));
        places.push(dir);
    }
    if let Ok(current) = env::current_dir() {
        places.extend(current.ancestors().flat_map(|dir| named(&dir.join("datasets"))));
    }
    // The repository this program was built from.
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let mut its_own = repository.map_or(Vec::new(), |dir| named(&dir.join("datasets")));
    its_own.retain(|dir| !places.contains(dir));
    places.extend(its_own);
    places.extend(cache_folder().map_or(Vec::new(), |dir| named(&dir)));
    places
}

fn cache_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("mnist-to-gpt"))
}

/// The folder for downloads: `$M2G_DATA` if set, otherwise the user's cache.
fn download_folder(dataset: &Dataset) -> Result<PathBuf, DataError> {
    if let Some(dir) = env::var_os("M2G_DATA") {
        return Ok(Path::new(&dir).join(dataset.name));
    }
    cache_folder().map(|dir| dir.join(dataset.name)).ok_or(DataError::NoHome)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mnist_in_the_repository_is_found_and_intact() {
        let dir = find("mnist", None).unwrap();
        assert!(!dir.to_string_lossy().contains(".."), "{}", dir.display());
        for file in named("mnist").unwrap().files {
            check(&local(&dir, file).unwrap(), file).unwrap();
        }
    }

    #[test]
    fn a_dataset_is_found_in_the_folder_of_one_that_has_all_of_its_files() {
        let names = |name: &str| folders(named(name).unwrap()).collect::<Vec<_>>();
        assert_eq!(names("multi30k-de-en"), ["multi30k-de-en", "multi30k"]);
        assert_eq!(names("multi30k"), ["multi30k"]);
        // Files of the same names that are others.
        assert_eq!(names("mnist"), ["mnist"]);
        let places = places(named("multi30k-de-en").unwrap());
        let at = |name: &str| places.iter().position(|place| place.ends_with(name)).unwrap();
        assert!(at("datasets/multi30k-de-en") < at("datasets/multi30k"), "{places:?}");
    }

    #[test]
    fn unknown_names_get_a_suggestion() {
        let error = find("minst", None).unwrap_err().to_string();
        assert!(error.contains("did you mean mnist"), "{error}");
        assert!(!find("xyz", None).unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn a_folder_with_another_name_must_hold_the_originals() {
        let mnist = named("mnist").unwrap();
        let from = find("mnist", None).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let [other, own] = ["pictures", "mnist"].map(|name| dir.path().join(name));
        for to in [&other, &own] {
            std::fs::create_dir(to).unwrap();
            for file in mnist.files {
                std::fs::copy(local(&from, file).unwrap(), to.join(file.name)).unwrap();
            }
            assert!(holds(to, mnist));
            // The same names, and intact: but nothing says that these are clothes.
            assert!(!holds(to, named("fashion-mnist").unwrap()));
            std::fs::copy(local(&from, &mnist.files[3]).unwrap(), to.join(mnist.files[1].name)).unwrap();
        }
        // What is damaged in a folder of its own is for `get` to mend.
        assert_eq!([&other, &own].map(|dir| holds(dir, mnist)), [false, true]);
    }

    #[test]
    fn a_download_that_fails_leaves_no_folder() {
        let out_of_reach = Dataset { mirrors: &[], ..*named("tiny-shakespeare").unwrap() };
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("cache/mnist-to-gpt/tiny-shakespeare");
        let failed = download_into(&dir, &out_of_reach, &mut |_, _, _| {});
        assert!(failed.unwrap_err().to_string().contains("has no mirror"));
        assert_eq!(std::fs::read_dir(above.path()).unwrap().count(), 0);
        // What was there before stays.
        std::fs::create_dir_all(&dir).unwrap();
        assert!(download_into(&dir, &out_of_reach, &mut |_, _, _| {}).is_err() && dir.is_dir());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = find("mnist", Some(Path::new("/nowhere/at/all"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
