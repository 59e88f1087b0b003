//! What can be wrong with data.

use std::path::{Path, PathBuf};

/// An error of a dataset, which says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, ...
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A folder lacks a file.
    #[error("{} has no {file} (nor {file}.gz): give the folder of the four files with --data DIR", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The name of the file.
        file: &'static str,
    },
    /// No dataset has this name.
    #[error("there is no dataset called {name}{}; `m2g data list` shows them all", hint(nearest.as_deref()))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// The dataset is known, but is not on this machine.
    #[error(
        "{name} is not on this machine: get it with `m2g data get {name}`, or name its folder with --data DIR"
    )]
    NotHere {
        /// The dataset.
        name: &'static str,
    },
    /// No mirror gave the file.
    #[error("cannot download {file}: {why}; put it into {} by hand, or try again later", dir.display())]
    Download {
        /// The file.
        file: String,
        /// What the last mirror said.
        why: String,
        /// Where it belongs.
        dir: PathBuf,
    },
}

impl DataError {
    /// An [`DataError::Io`], for `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }

    /// A [`DataError::File`].
    pub(crate) fn file(path: &Path, why: impl Into<String>) -> Self {
        Self::File { path: path.to_path_buf(), why: why.into() }
    }
}

impl From<DataError> for crate::Error {
    fn from(error: DataError) -> Self {
        Self::Other(Box::new(error))
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!("; did you mean {name}?"))
}
