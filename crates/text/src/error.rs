//! The errors of text and token data.

use std::path::{Path, PathBuf};

use m2g_core::data::DataError;
use m2g_core::error::did_you_mean;

use crate::tokenizer::TokenizerError;

/// An error of text or token data. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file cannot be read or written, or a setting has an invalid value.
    #[error(transparent)]
    Core(#[from] m2g_core::Error),
    /// A file or folder cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The text cannot be trained on.
    #[error("{source_name}: {why}")]
    Text {
        /// Where the text comes from.
        source_name: String,
        /// What is wrong with it.
        why: String,
    },
    /// No such file, folder or dataset.
    #[error(
        "there is no file, folder or dataset called \"{data}\"{}; `m2g data list` shows the datasets",
        did_you_mean(nearest.as_deref())
    )]
    UnknownData {
        /// The given name.
        data: String,
        /// The most similar name of a dataset.
        nearest: Option<String>,
    },
    /// The output folder is already a prepared folder, and `overwrite` is off.
    #[error("{} exists: choose another folder, or set overwrite to replace it", .0.display())]
    Exists(PathBuf),
    /// The text does not fit the tokenizer, or the tokenizer is damaged.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The dataset is missing or damaged.
    #[error(transparent)]
    Dataset(#[from] DataError),
    /// The caller stopped the work. Nothing was written.
    #[error("stopped: nothing was written")]
    Stopped,
}

impl TextError {
    /// A [`TextError::File`].
    pub fn file(path: &Path, why: impl Into<String>) -> Self {
        Self::File { path: path.to_path_buf(), why: why.into() }
    }
}

impl From<TextError> for m2g_core::Error {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Core(error) => error,
            error => Self::Other(Box::new(error)),
        }
    }
}
