//! The inputs of a source.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use m2g_core::Error;
use m2g_core::train::run_folder::LAST;
use tempfile::NamedTempFile;

use super::text_file::{open, why_skip};
use crate::error::TextError;
use crate::token_file::is_prepared;

/// Texts that are read one after the other.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name for messages.
    pub name: String,
    pub(super) inputs: Vec<Input>,
    /// Files and links of a folder that were skipped, each with the reason.
    pub(super) skipped: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(super) enum Input {
    File(PathBuf),
    /// A text in memory, and its name for messages.
    Text {
        name: String,
        text: String,
    },
    /// A copy of what came through a pipe, which can be read only once.
    Piped(Arc<NamedTempFile>),
}

impl Input {
    /// The bytes, decompressed.
    pub fn open(&self) -> Result<Box<dyn Read + '_>, TextError> {
        Ok(match self {
            Self::File(path) => open(path)?,
            Self::Text { text, .. } => Box::new(text.as_bytes()),
            Self::Piped(file) => open(file.path())?,
        })
    }

    /// The name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text { name, .. } => name.clone(),
            Self::Piped(_) => STANDARD_INPUT.into(),
        }
    }

    /// The size in bytes. A compressed file counts with its compressed size.
    pub fn size(&self) -> u64 {
        match self {
            Self::File(path) => fs::metadata(path).map_or(0, |m| m.len()),
            Self::Text { text, .. } => text.len() as u64,
            Self::Piped(file) => file.as_file().metadata().map_or(0, |m| m.len()),
        }
    }
}

/// What stands for standard input in place of a path.
pub const PIPED: &str = "-";

/// The name of standard input in messages.
pub const STANDARD_INPUT: &str = "standard input";

impl Source {
    /// These files, and the text files in these folders, sorted by name.
    ///
    /// # Errors
    /// [`TextError`] names a path that cannot be read, is a folder that this program made, or is a
    /// folder without text.
    pub fn files(paths: &[PathBuf]) -> Result<Self, TextError> {
        let name = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        let mut source = Self { name, inputs: Vec::new(), skipped: Vec::new() };
        for path in paths {
            let kind = fs::metadata(path).map_err(Error::io("read", path))?;
            if kind.is_dir() {
                if let Some(why) = why_not_text(path) {
                    return Err(TextError::file(path, why));
                }
                let before = source.inputs.len();
                source.add_folder(path)?;
                if source.inputs.len() == before {
                    let example = source.skipped.first();
                    let why = example.map_or(String::new(), |(name, why)| format!(" ({name}: {why})"));
                    return Err(TextError::file(path, format!("it has no text files{why}")));
                }
            } else if kind.is_file() {
                source.inputs.push(Input::File(path.clone()));
            } else if is_pipe(&kind) {
                let mut pipe = File::open(path).map_err(Error::io("read", path))?;
                source.inputs.extend(Self::piped("", &mut pipe)?.inputs);
            } else {
                let why = "it is neither a file, a folder nor a pipe: save the text to a file";
                return Err(TextError::file(path, why));
            }
        }
        Ok(source)
    }

    /// This file, and no folder: for text whose lines belong together.
    ///
    /// # Errors
    /// As [`Source::files`]; [`TextError`] if it is a folder.
    pub fn file(path: &Path) -> Result<Self, TextError> {
        if path.is_dir() {
            return Err(TextError::file(path, "it is a folder: give one file"));
        }
        Self::files(&[path.to_path_buf()])
    }

    /// What is piped into this program, to its end, or up to the byte after the first `most` ones.
    ///
    /// # Errors
    /// [`TextError`] if standard input is a terminal or cannot be copied.
    pub fn standard_input(most: u64) -> Result<Self, TextError> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let why = "it is a terminal: pipe a text into the command, or name a file".into();
            return Err(TextError::Text { source_name: STANDARD_INPUT.into(), why });
        }
        Self::piped(STANDARD_INPUT, &mut stdin.lock().take(most.saturating_add(1)))
    }

    /// A text that can be read only once: it is copied to a temporary file.
    ///
    /// # Errors
    /// [`TextError`] if it cannot be read or copied.
    pub fn piped(name: &str, reader: &mut dyn Read) -> Result<Self, TextError> {
        let mut file = NamedTempFile::new().map_err(Error::temporary)?;
        io::copy(reader, &mut file).map_err(Error::io("copy", Path::new(name)))?;
        Ok(Self { name: name.into(), inputs: vec![Input::Piped(Arc::new(file))], skipped: Vec::new() })
    }

    /// The inputs of several sources, one after the other.
    pub fn concat(sources: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self { name: String::new(), inputs: Vec::new(), skipped: Vec::new() };
        for source in sources {
            let separator = if all.inputs.is_empty() { "" } else { ", " };
            all.name += &format!("{separator}{}", source.name);
            all.inputs.extend(source.inputs);
            all.skipped.extend(source.skipped);
        }
        all
    }

    /// A text in memory.
    pub fn text(name: &str, text: String) -> Self {
        let input = Input::Text { name: name.into(), text };
        Self { name: name.into(), inputs: vec![input], skipped: Vec::new() }
    }

    /// Adds the text files below a folder, except hidden files and folders that this program made.
    fn add_folder(&mut self, folder: &Path) -> Result<(), TextError> {
        let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>, std::io::Error>>()
            .map_err(Error::io("read", folder))?;
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || why_not_text(&path).is_some() {
                continue;
            }
            // A link to a folder may lead back here; a link to a file does not.
            if path.is_dir() && !path.is_symlink() {
                self.add_folder(&path)?;
            } else if path.is_dir() {
                let why = "it is a link to a folder: name that folder too if it belongs to the text";
                self.skipped.push((path.display().to_string(), why.into()));
            } else if path.is_file() {
                match why_skip(&path)? {
                    None => self.inputs.push(Input::File(path)),
                    Some(why) => self.skipped.push((path.display().to_string(), why)),
                }
            }
        }
        Ok(())
    }

    /// The paths of all files.
    pub fn names(&self) -> Vec<String> {
        self.inputs.iter().map(Input::name).collect()
    }

    /// The total size in bytes. Compressed files count with their compressed size.
    pub fn size(&self) -> u64 {
        self.inputs.iter().map(Input::size).sum()
    }

    /// A [`TextError::Text`] on this source.
    pub(crate) fn error(&self, why: impl Into<String>) -> TextError {
        TextError::Text { source_name: self.name.clone(), why: why.into() }
    }
}

/// Why a folder that this program made is no text; `None` for any other folder.
fn why_not_text(folder: &Path) -> Option<&'static str> {
    const MADE: [(&str, &str); 3] = [
        ("pairs.json", "it holds pairs of sentences, not text: train on them with `m2g translate train`"),
        (LAST, "it holds a run, not text: give the text that the run was trained on"),
        ("model.safetensors", "it holds a model, not text: give a file or a folder with text"),
    ];
    if is_prepared(folder) {
        return Some("it holds tokens, not text: it is already prepared");
    }
    MADE.iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, why)| *why)
}

#[cfg(unix)]
fn is_pipe(kind: &fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_that_this_program_made_are_no_text() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.txt"), "one").unwrap();
        for (file, why) in [
            ("pairs.json", "m2g translate train"),
            ("last.safetensors", "it holds a run"),
            ("model.safetensors", "it holds a model"),
        ] {
            let made = dir.path().join(file.replace('.', "-"));
            fs::create_dir(&made).unwrap();
            for name in [file, "config.json"] {
                fs::write(made.join(name), "{}").unwrap();
            }
            let error = Source::files(&[made]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        // Beside a text, they are left out.
        assert_eq!(Source::files(&[dir.path().to_path_buf()]).unwrap().inputs.len(), 1);
    }

    #[test]
    fn one_file_is_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.txt"), "one").unwrap();
        let error = Source::file(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("it is a folder: give one file"), "{error}");
        assert_eq!(Source::file(&dir.path().join("a.txt")).unwrap().read_to_string(9).unwrap().0, "one");
    }

    #[test]
    fn a_pipe_is_read_as_a_file_is_and_more_than_once() {
        let source = Source::piped(STANDARD_INPUT, &mut &b"\xef\xbb\xbfone\r\n"[..]).unwrap();
        for _ in 0..2 {
            assert_eq!(source.read_to_string(9).unwrap().0, "one\n");
        }
        assert_eq!((source.names(), source.size()), (vec![STANDARD_INPUT.to_string()], 8));
        let error = Source::piped(STANDARD_INPUT, &mut &b"PK\x03\x04\0"[..]).unwrap().read_to_string(9);
        assert!(error.unwrap_err().to_string().starts_with("standard input: it is not text but a zip"));
        let both = Source::concat([source, Source::text("more", "two".into())]);
        assert_eq!(
            (both.read_to_string(99).unwrap().0, &*both.name),
            ("one\ntwo".into(), "standard input, more")
        );
        assert_eq!(both.names(), ["standard input", "more"]);
    }
}
