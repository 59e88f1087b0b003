//! Errors of datasets.

use std::path::{Path, PathBuf};

use crate::error::{did_you_mean, shown};

/// An error of a dataset. Its message says what to do.
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
        /// The cause.
        source: std::io::Error,
    },
    /// A file has the wrong content.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A file is missing in a folder.
    #[error("{} has no {file} (nor {file}.gz): set data to the folder of the four files", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The name of the file.
        file: String,
    },
    /// The name is unknown.
    #[error(
        "no dataset is called {}{}; `m2g data list` lists them all",
        shown(name),
        did_you_mean(nearest.as_deref())
    )]
    Unknown {
        /// The unknown name.
        name: String,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// The dataset is not on this machine.
    #[error(
        "{name} is not on this machine: download it with `m2g data get {name}`, or set M2G_DATA to the folder of \
         datasets that has it"
    )]
    NotHere {
        /// The dataset.
        name: &'static str,
    },
    /// The user has no home folder, so no cache.
    #[error("there is no home folder to store downloads in: set M2G_DATA to a folder")]
    NoHome,
    /// No mirror served the file.
    #[error("cannot download {file}: {why}; put it into {} by hand, or try again later", dir.display())]
    Download {
        /// The file.
        file: String,
        /// The error of the last mirror.
        why: String,
        /// The folder it belongs in.
        dir: PathBuf,
    },
}

impl DataError {
    /// A [`DataError::Io`], for `map_err`.
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
