//! The text files behind a path or the name of a dataset.

use std::path::{Path, PathBuf};

use m2g_core::data::{DataError, catalogue};

use super::inputs::{PIPED, Source};
use crate::error::TextError;
use crate::tales;

impl Source {
    /// The text behind a name: a file, a folder, a dataset, `-` for standard input, or the
    /// [`crate::tales`], before which a file of this name is found as `./tales`.
    ///
    /// # Errors
    /// As [`text_files`], [`Source::files`] and [`Source::standard_input`].
    pub fn named(name: &Path) -> Result<Self, TextError> {
        if name.as_os_str() == PIPED {
            return Self::standard_input(u64::MAX);
        }
        if let Some(text) = name.to_str().and_then(tales::named) {
            return Ok(Self::text(&name.display().to_string(), text));
        }
        Ok(Self { name: name.display().to_string(), ..Self::files(&text_files(name)?)? })
    }
}

/// The files or folders of `name`: an existing path as it is, or the files of a dataset in the
/// catalogue, verified.
///
/// # Errors
/// [`TextError::UnknownData`] if there is no such path or dataset; [`TextError::Dataset`] if the dataset is
/// missing or damaged; [`TextError::File`] if it is not text.
pub fn text_files(name: &Path) -> Result<Vec<PathBuf>, TextError> {
    match name.exists() {
        true => Ok(files_of_named_folder(name).unwrap_or_else(|| vec![name.to_path_buf()])),
        false => files_of_dataset(&name.to_string_lossy()),
    }
}

fn files_of_dataset(name: &str) -> Result<Vec<PathBuf>, TextError> {
    let dataset = catalogue::named(name).map_err(|error| TextError::UnknownData {
        data: name.into(),
        nearest: match error {
            DataError::Unknown { nearest, .. } => nearest,
            _ => None,
        },
    })?;
    let dir = catalogue::find(name, None)?;
    if dataset.files.iter().any(|file| file.name.contains("ubyte")) {
        return Err(TextError::file(
            &dir,
            format!("{name} is a dataset of images, not of text: choose a text"),
        ));
    }
    let files = files_in(&dir, dataset).ok_or(DataError::NotHere { name: dataset.name })?;
    for (path, file) in files.iter().zip(dataset.files) {
        catalogue::check(path, file)?;
    }
    Ok(files)
}

/// The files of a dataset, if the folder has its name and holds all of them. Other files in
/// the folder are not part of the text.
fn files_of_named_folder(folder: &Path) -> Option<Vec<PathBuf>> {
    let dataset = catalogue::named(folder.file_name()?.to_str()?).ok()?;
    files_in(folder, dataset)
}

/// The files of a dataset in a folder; `None` if one is missing.
fn files_in(folder: &Path, dataset: &catalogue::Dataset) -> Option<Vec<PathBuf>> {
    dataset.files.iter().map(|file| catalogue::local(folder, file)).collect()
}
