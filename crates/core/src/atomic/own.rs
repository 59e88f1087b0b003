//! What a folder holds beside the files of this program: a folder with anything else is neither replaced nor
//! deleted.

use std::fs;
use std::path::Path;

use super::PREFIX;
use crate::Error;

/// Checks that a folder, which is about to be replaced or deleted, holds only files with names that `own` accepts,
/// and incomplete ones that killed processes left. `what` is what the folder should hold: `a run`.
///
/// # Errors
/// [`Error::Foreign`] for the first other entry by name; [`Error::Io`] if the folder cannot be read.
pub fn check_own(folder: &Path, what: &'static str, own: impl Fn(&str) -> bool) -> Result<(), Error> {
    let mut foreign: Option<String> = None;
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_own = !is_folder && (own(&name) || name.starts_with(PREFIX));
        if !is_own && foreign.as_ref().is_none_or(|first| name < *first) {
            foreign = Some(name);
        }
    }
    match foreign {
        Some(name) => Err(Error::Foreign { folder: folder.to_path_buf(), name, what }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn everything_else_is_foreign() {
        let dir = tempfile::tempdir().unwrap();
        let check =
            || check_own(dir.path(), "a box", |name| name == "own").map_err(|error| error.to_string());
        check().unwrap();
        fs::write(dir.path().join("own"), "").unwrap();
        fs::write(dir.path().join(".new-own"), "").unwrap();
        check().unwrap();
        fs::create_dir(dir.path().join(".new-folder")).unwrap();
        assert!(check().unwrap_err().contains("holds .new-folder, which is no part of a box"));
        fs::remove_dir(dir.path().join(".new-folder")).unwrap();
        for name in ["z", "main.py"] {
            fs::write(dir.path().join(name), "").unwrap();
            assert!(check().unwrap_err().contains(&format!("holds {name}, ")));
        }
        assert!(check_own(&dir.path().join("none"), "a box", |_| true).is_err());
    }
}
