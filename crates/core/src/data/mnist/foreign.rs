//! Data sets of images in other formats: says how to convert them.

use std::fs;
use std::path::Path;

use crate::data::DataError;

/// The endings of names, and what such files hold.
const FORMATS: [(&str, &str); 8] = [
    (".npz", "numpy arrays"),
    (".npy", "a numpy array"),
    (".csv", "a table of numbers as text"),
    (".csv.gz", "a table of numbers as text"),
    (".pkl", "pickled Python objects"),
    (".pkl.gz", "pickled Python objects"),
    (".mat", "Matlab matrices"),
    (".parquet", "a Parquet table"),
];

/// The error for a file in another format; `None` if it is in none of them, or no file.
pub fn file(path: &Path) -> Option<DataError> {
    path.is_file().then(|| format_of(path)).flatten().map(|format| error(path, format))
}

/// The error for a folder without IDX files, if it has a file in another format.
pub fn in_folder(folder: &Path) -> Option<DataError> {
    let mut paths: Vec<_> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().find_map(|path| file(path))
}

fn format_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    FORMATS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, holds)| *holds)
}

fn error(path: &Path, holds: &str) -> DataError {
    let why = format!(
        "it holds {holds}, not images in the IDX format: convert it with `python3 datasets/to_idx.py {} DIR`, and \
         set data to DIR",
        path.display()
    );
    DataError::file(path, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn other_formats_get_a_sentence_that_says_how_to_convert_them() {
        let dir = tempfile::tempdir().unwrap();
        for (name, holds) in [
            ("mnist.npz", "numpy arrays"),
            ("mnist_train.CSV", "as text"),
            ("mnist.pkl.gz", "pickled Python"),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, "").unwrap();
            for error in [file(&path).unwrap(), in_folder(dir.path()).unwrap()] {
                let error = error.to_string();
                assert!(error.contains(holds) && error.contains("datasets/to_idx.py"), "{error}");
            }
            fs::remove_file(&path).unwrap();
        }
        assert!(in_folder(dir.path()).is_none() && file(dir.path()).is_none());
    }
}
