//! Runs on the disk: renames and deletes the folder of a run, unless a process trains it.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::run_folder::{CONFIG, LOCK, lock};
use crate::{Error, atomic};

/// Whether a process trains the run in this folder now.
pub fn is_training(run: &Path) -> bool {
    let file = File::open(run.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Gives the folder of a run another name in the same parent folder.
///
/// # Errors
/// [`Error::NoRun`] if there is no run; [`Error::RunExists`] if the new name is taken;
/// [`Error::Busy`] if another process trains the run; [`Error::Io`].
pub fn rename(run: &Path, to: &Path) -> Result<(), Error> {
    if !run.join(CONFIG).is_file() {
        return Err(Error::NoRun(run.to_path_buf()));
    }
    // A link that leads nowhere is taken too.
    if to.symlink_metadata().is_ok() {
        return Err(Error::RunExists { path: to.to_path_buf(), is_run: to.join(CONFIG).is_file() });
    }
    let _lock = lock(run)?;
    fs::rename(run, to).map_err(Error::io("rename", run))
}

/// Deletes a folder and everything in it. The folder disappears first, in one step, so that no
/// half of it can be taken for a run.
///
/// # Errors
/// [`Error::Busy`] if a process trains the run; [`Error::Io`].
pub fn delete(run: &Path) -> Result<(), Error> {
    let _lock = lock(run)?;
    let parent = run.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let aside = tempfile::Builder::new().prefix(".old-").tempdir_in(parent);
    let aside = aside.map_err(Error::io("delete", run))?;
    fs::rename(run, aside.path().join("run")).map_err(Error::io("delete", run))?;
    atomic::sync_folder(parent).map_err(Error::io("delete", run))?;
    aside.close().map_err(Error::io("delete", run))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::train::{RunFolder, Save};

    fn run(path: &Path) -> RunFolder {
        RunFolder::create(Save::New(path), "kind", "", serde_json::json!({})).unwrap().unwrap()
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
