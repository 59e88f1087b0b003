//! The inputs of a source.

use std::fs;
use std::path::{Path, PathBuf};

use m2g_core::Error;

use super::text_file::looks_like_text;
use crate::error::TextError;
use crate::token_file::is_prepared;

/// Texts that are read one after the other.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name for messages.
    pub name: String,
    pub(super) inputs: Vec<Input>,
    /// Files of a folder that were skipped because they are not text.
    pub(super) skipped: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Input {
    File(PathBuf),
    Text(String),
}

impl Source {
    /// These files, and the text files in these folders, sorted by name.
    ///
    /// # Errors
    /// [`TextError`] names a path that cannot be read, is a prepared folder, or is a
    /// folder without text.
    pub fn files(paths: &[PathBuf]) -> Result<Self, TextError> {
        let name = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        let mut source = Self { name, inputs: Vec::new(), skipped: Vec::new() };
        for path in paths {
            let kind = fs::metadata(path).map_err(Error::io("read", path))?;
            if kind.is_dir() {
                if is_prepared(path) {
                    return Err(TextError::file(path, "it holds tokens, not text: it is already prepared"));
                }
                let before = source.inputs.len();
                source.add_folder(path)?;
                if source.inputs.len() == before {
                    return Err(TextError::file(path, "it has no text files"));
                }
            } else if kind.is_file() {
                source.inputs.push(Input::File(path.clone()));
            } else {
                let why =
                    "it is neither a file nor a folder: text is read more than once, so save it to a file";
                return Err(TextError::file(path, why));
            }
        }
        Ok(source)
    }

    /// A text in memory.
    pub fn text(name: &str, text: String) -> Self {
        Self { name: name.into(), inputs: vec![Input::Text(text)], skipped: Vec::new() }
    }

    /// Adds the text files below a folder, except hidden files and prepared folders.
    fn add_folder(&mut self, folder: &Path) -> Result<(), TextError> {
        let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>, std::io::Error>>()
            .map_err(Error::io("read", folder))?;
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || is_prepared(&path) {
                continue;
            }
            // A link to a folder may lead back here; a link to a file does not.
            if path.is_dir() && !path.is_symlink() {
                self.add_folder(&path)?;
            } else if path.is_file() {
                if looks_like_text(&path)? {
                    self.inputs.push(Input::File(path));
                } else {
                    self.skipped.push(path.display().to_string());
                }
            }
        }
        Ok(())
    }

    /// The paths of all files.
    pub fn names(&self) -> Vec<String> {
        let name = |input: &Input| match input {
            Input::File(path) => path.display().to_string(),
            Input::Text(_) => self.name.clone(),
        };
        self.inputs.iter().map(name).collect()
    }

    /// The total size in bytes. Compressed files count with their compressed size.
    pub fn size(&self) -> u64 {
        let size = |input: &Input| match input {
            Input::File(path) => fs::metadata(path).map_or(0, |m| m.len()),
            Input::Text(text) => text.len() as u64,
        };
        self.inputs.iter().map(size).sum()
    }

    /// A [`TextError::Text`] on this source.
    pub(crate) fn error(&self, why: impl Into<String>) -> TextError {
        TextError::Text { source_name: self.name.clone(), why: why.into() }
    }
}
