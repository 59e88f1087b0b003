//! Runs on the disk: renames and deletes the folder of a run, unless a process trains it.

use std::io;
use std::path::Path;

use super::run_folder::{CONFIG, LOCK, check_content, check_is_run, lock};
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
    let lock = lock(run)?;
    let renamed = atomic::closing_files(|| atomic::rename_to_free(run, to), || drop(lock));
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => exists(),
        _ => Error::io("rename", run)(error),
    })
}

/// Deletes the folder of a run, or of what is left of one. The folder disappears first, in one step, so that no
/// half of it can be taken for a run. Of a link only the link is deleted.
///
/// # Errors
/// Those of [`check_content`]; [`Error::Busy`] if a process trains the run; [`Error::BeingWritten`] if one replaces it;
/// [`Error::Io`].
pub fn delete(run: &Path) -> Result<(), Error> {
    check_content(run)?;
    // The lock of a link would stay behind in the folder it leads to.
    let lock = if run.is_symlink() { None } else { Some(lock(run)?) };
    atomic::remove(run, || drop(lock))
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

    #[cfg(unix)]
    #[test]
    fn of_a_link_only_the_link_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let [a, empty, link] = ["a", "empty", "link"].map(|name| dir.path().join(name));
        drop(run(&a));
        fs::create_dir(&empty).unwrap();
        for target in [&a, &empty] {
            std::os::unix::fs::symlink(target, &link).unwrap();
            delete(&link).unwrap();
            assert!(!link.is_symlink() && target.is_dir());
        }
        assert!(a.join(CONFIG).is_file());
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    }

    /// Neither deleted nor replaced with `overwrite`.
    #[test]
    fn a_folder_with_other_files_stays() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        drop((run(&a), run(&b)));
        let replace = |path: &Path| {
            let json = serde_json::json!({});
            RunFolder::create(Save::Replace(path), "kind", "", json, |_| Ok(())).map(drop)
        };
        for name in ["loss.png", "weights.svg", "cost-of-3-runs.png", ".new-config.toml", "last.safetensors"]
        {
            fs::write(a.join(name), "").unwrap();
        }
        check_content(&a).unwrap();
        for name in ["main.py", "photo.png", "loss-of-x-runs.png", "index.html", "model.safetensors"] {
            fs::write(a.join(name), "").unwrap();
            for refused in [delete(&a), replace(&a)] {
                assert!(matches!(refused, Err(Error::Foreign { name: found, .. }) if found == name));
            }
            fs::remove_file(a.join(name)).unwrap();
        }
        fs::create_dir_all(b.join("lock-folder")).unwrap();
        assert!(matches!(replace(&b), Err(Error::Foreign { .. })));
        replace(&a).unwrap();
        assert!(!a.join("loss.png").exists());

        // What every folder may hold makes no run of it.
        let c = dir.path().join("c");
        fs::create_dir(&c).unwrap();
        check_content(&c).unwrap();
        fs::write(c.join("loss.png"), "").unwrap();
        assert!(matches!(delete(&c), Err(Error::NoRun(_))) && c.join("loss.png").exists());
        fs::write(c.join(LOCK), "").unwrap();
        delete(&c).unwrap();
        fs::create_dir(&c).unwrap();
        fs::write(c.join(CONFIG), "").unwrap();
        assert!(matches!(replace(&c), Err(Error::RunExists { is_run: false, .. })));
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
