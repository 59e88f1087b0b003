//! Runs on the disk: renames and deletes the folder of a run, unless a process trains it.

use std::io;
use std::path::Path;

use super::run_folder::{CONFIG, LOCK, check_is_run, lock};
use crate::{Error, atomic};

/// Whether a process trains the run in this folder now.
pub fn is_training(run: &Path) -> bool {
    atomic::Lock::is_taken(&run.join(LOCK))
}

/// Gives the folder of a run another name in the same parent folder.
///
/// # Errors
/// [`Error::NoRun`] if there is no run; [`Error::RunExists`] if the new name is taken;
/// [`Error::Busy`] if another process trains the run; [`Error::Io`].
pub fn rename(run: &Path, to: &Path) -> Result<(), Error> {
    check_is_run(run)?;
    let exists = || Error::RunExists { path: to.to_path_buf(), is_run: to.join(CONFIG).is_file() };
    // A link that leads nowhere is taken too.
    if to.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let _lock = lock(run)?;
    atomic::rename_to_free(run, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => exists(),
        _ => Error::io("rename", run)(error),
    })
}

/// Deletes a folder and everything in it. The folder disappears first, in one step, so that no
/// half of it can be taken for a run.
///
/// # Errors
/// [`Error::Busy`] if a process trains the run; [`Error::BeingWritten`] if one replaces it;
/// [`Error::Io`].
pub fn delete(run: &Path) -> Result<(), Error> {
    let _lock = lock(run)?;
    atomic::remove(run)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::train::{RunFolder, Save};

    fn run(path: &Path) -> RunFolder {
        RunFolder::create(Save::New(path), "kind", "", serde_json::json!({}), |_| Ok(())).unwrap().unwrap()
    }

    #[test]
    fn a_run_in_training_is_neither_renamed_nor_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        let training = run(&a);
        assert!(matches!(rename(&a, &b), Err(Error::Busy(_))));
        assert!(matches!(delete(&a), Err(Error::Busy(_))));
        assert!(is_training(&a) && !is_training(&b));
        drop(training);
        assert!(!is_training(&a));
        rename(&a, &b).unwrap();
        assert!(!a.exists() && b.join(CONFIG).is_file());
        delete(&b).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        drop((run(&a), run(&b)));
        assert!(matches!(rename(&a, &b), Err(Error::RunExists { is_run: true, .. })));
        fs::create_dir(&c).unwrap();
        assert!(matches!(rename(&a, &c), Err(Error::RunExists { is_run: false, .. })));
        assert!(matches!(rename(&c, &dir.path().join("d")), Err(Error::NoRun(_))));
        assert!(a.join(CONFIG).is_file() && b.join(CONFIG).is_file());
    }
}
