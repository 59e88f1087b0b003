//! What can be wrong with text and token data.

use std::path::{Path, PathBuf};

use m2g_core::data::DataError;

use crate::tokenizer::TokenizerError;

/// An error of text or token data, which says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
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
    /// A file or folder is not what it should be.
    #[error("{}: {why}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The text of these files cannot be trained on.
    #[error("{source_name}: {why}")]
    Text {
        /// Where the text is from.
        source_name: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing of that name.
    #[error(
        "there is no file, folder or dataset called {data}{}; `m2g data list` shows the datasets",
        nearest.as_ref().map_or(String::new(), |name| format!(" (did you mean {name}?)"))
    )]
    NotThere {
        /// The name asked for.
        data: String,
        /// The most similar name of a dataset.
        nearest: Option<String>,
    },
    /// A window is longer than the data.
    #[error(
        "block_size is {block_size}: a window and the token after it are {} tokens, and the data has {tokens}; \
         use a smaller block_size, or more text",
        block_size + 1
    )]
    TooShort {
        /// T, the length of a window.
        block_size: usize,
        /// How many tokens there are.
        tokens: usize,
    },
    /// A setting has a value that makes no sense.
    #[error("{name} is {value}: {rule}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The folder is there already.
    #[error("{} exists: choose another folder with --out, or replace it with --overwrite", .0.display())]
    Exists(PathBuf),
    /// The text does not fit the tokenizer, or the tokenizer is damaged.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The dataset is not on this machine, or damaged.
    #[error(transparent)]
    Dataset(#[from] DataError),
    /// Whoever watched wanted no more; nothing is left behind.
    #[error("stopped: nothing was written")]
    Stopped,
}

impl CorpusError {
    /// A [`CorpusError::Io`], for `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }

    /// A [`CorpusError::File`].
    pub(crate) fn file(path: &Path, why: impl Into<String>) -> Self {
        Self::File { path: path.to_path_buf(), why: why.into() }
    }
}

impl From<CorpusError> for m2g_core::Error {
    fn from(error: CorpusError) -> Self {
        Self::Other(Box::new(error))
    }
}
