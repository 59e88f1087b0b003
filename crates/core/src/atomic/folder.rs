//! Folders that appear only when they are complete, and replace an old one in one step.

use std::path::Path;

use super::changes::{self, closing_files, create_folder, sync_folder};
use super::parent;
use super::staging::Staging;
use crate::Error;

/// Creates the folder `path`. `fill` writes into another folder, which gets the name `path` in one
/// step when it is complete; an old folder with that name is removed then. If `path` is a link to
/// a folder, that folder is replaced.
///
/// `may_replace` says whether what is there may be replaced, or why not; and that nothing is there,
/// if that is required. It is called before and after `fill`, since other processes do not wait.
///
/// # Errors
/// [`Error::BeingWritten`] if another process creates this folder now; [`Error::Io`]; what
/// `may_replace` and `fill` return. An old folder is then unchanged, and nothing else is left.
pub fn folder<T, E: From<Error>>(
    path: &Path,
    may_replace: impl FnMut() -> Result<(), E>,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    folder_with_open_files(path, may_replace, fill, |_| {})
}

/// As [`folder()`], for a `fill` that leaves files of the new folder open, or a `may_replace` that opens some of the
/// old one: `close` closes them if the system renames no folder with open files.
///
/// # Errors
/// Those of [`folder()`].
pub fn folder_with_open_files<T, E: From<Error>>(
    path: &Path,
    mut may_replace: impl FnMut() -> Result<(), E>,
    fill: impl FnOnce(&Path) -> Result<T, E>,
    close: impl FnOnce(&mut T),
) -> Result<T, E> {
    let target = match path.is_symlink() && path.exists() {
        true => path.canonicalize().map_err(Error::io("find", path))?,
        false => path.to_path_buf(),
    };
    // First without any change.
    may_replace()?;
    let staging = Staging::claim(target, "create")?;
    may_replace()?;
    let draft = staging.draft();
    create_folder(&draft).map_err(Error::io("create", path))?;
    let mut filled = fill(&draft)?;
    // What appears after this is not replaced.
    let free = staging.is_free();
    may_replace()?;
    if let Err(error) = staging.appear(free, || close(&mut filled)) {
        if free {
            may_replace()?;
        }
        return Err(Error::io("create", path)(error).into());
    }
    Ok(filled)
}

/// Removes a folder and all that is in it. It disappears in one step. `close` closes its open files, such as its
/// lock, if the system renames no folder with open files.
///
/// # Errors
/// [`Error::BeingWritten`], [`Error::Io`]; the folder is then unchanged.
pub fn remove(path: &Path, close: impl FnOnce()) -> Result<(), Error> {
    let staging = Staging::claim(path.to_path_buf(), "delete")?;
    let disappeared = closing_files(|| changes::rename(path, &staging.draft()), close);
    disappeared.and_then(|()| sync_folder(parent(path))).map_err(Error::io("delete", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::io::Write;
    use std::thread;

    use super::*;
    use crate::atomic::{restore, sweep, write};

    fn fill(text: &'static str) -> impl FnOnce(&Path) -> Result<(), Error> {
        move |new| write(&new.join(text), |f| f.write_all(text.as_bytes()))
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn any() -> Result<(), Error> {
        Ok(())
    }

    #[test]
    fn a_failed_folder_keeps_the_old_one_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/run");
        let fail = |_: &Path| Err::<(), _>(Error::NoRun("x".into()));
        assert!(folder(&path, any, fail).is_err());
        assert!(names(dir.path()).is_empty(), "not even the folders above");
        folder(&path, any, fill("1")).unwrap();
        let error = folder(&path, any, |new| {
            fill("2")(new)?;
            write(&new.join("no/such/folder"), |_| Ok(()))
        });
        assert!(error.is_err());
        assert_eq!(names(&path), ["1"]);
        folder(&path, any, fill("3")).unwrap();
        assert_eq!(names(&path), ["3"]);
        assert_eq!(names(path.parent().unwrap()), ["run"]);
        assert!(folder(Path::new(".."), any, fill("4")).is_err());
        remove(&path, || {}).unwrap();
        assert!(names(path.parent().unwrap()).is_empty());
    }

    #[test]
    fn what_appears_while_a_folder_is_filled_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let error = folder(&path, any, |new| {
            fill("mine")(new)?;
            assert!(matches!(folder(&path, any, fill("other")), Err(Error::BeingWritten(_))));
            sweep(dir.path());
            fs::create_dir(&path).unwrap();
            Ok(())
        });
        // It is there before the last question, which allows everything.
        error.unwrap();
        assert_eq!(names(&path), ["mine"]);
        let free = || match path.exists() {
            true => Err(Error::RunExists { path: path.clone(), is_run: false }),
            false => Ok(()),
        };
        remove(&path, || {}).unwrap();
        let error = folder(&path, free, |new| {
            fs::create_dir(&path).unwrap();
            fill("mine")(new)
        });
        assert!(matches!(error, Err(Error::RunExists { .. })));
        assert!(names(&path).is_empty());
        assert_eq!(names(dir.path()), ["a"]);
    }

    /// Every state that a killed process can leave.
    #[test]
    fn leftovers_are_removed_and_the_old_folder_is_moved_back() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for path in [".new-a/draft/half", ".new-b/old/b", ".new-b/draft", ".new-c/old/old", "c/new", ".new-e"]
        {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in [".new-a", ".new-b", ".new-c"] {
            fs::write(at(path).join("lock"), "").unwrap();
        }
        // Not ours.
        fs::create_dir_all(at(".new-years-eve/draft")).unwrap();
        fs::write(at(".new-years-eve/photo.jpg"), "").unwrap();
        fs::write(at(".new-file"), "").unwrap();
        restore(&at("b"));
        assert_eq!(names(&at("b")), ["b"]);
        folder(&at("d"), any, fill("d")).unwrap();
        assert_eq!(names(dir.path()), [".new-file", ".new-years-eve", "b", "c", "d"]);
        assert_eq!((names(&at("c")), names(&at("d"))), (vec!["new".to_string()], vec!["d".to_string()]));
        assert!(folder(&at("years-eve"), any, fill("x")).is_err());
        assert_eq!(names(&at(".new-years-eve")), ["draft", "photo.jpg"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("big/real"), dir.path().join("link"));
        folder(&real, any, fill("1")).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        folder(&link, any, fill("2")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(names(&real), ["2"]);
        assert_eq!(names(dir.path()), ["big", "link"]);
    }

    /// Many threads, each like a process of its own: one of them creates the folder.
    #[test]
    fn a_name_is_claimed_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs/a");
        let free = || match path.exists() {
            true => Err(Error::RunExists { path: path.clone(), is_run: true }),
            false => Ok(()),
        };
        for _ in 0..20 {
            let made: usize = thread::scope(|scope| {
                let all: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| folder(&path, free, fill("x")).is_ok())).collect();
                all.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
            });
            assert_eq!(made, 1);
            assert_eq!(names(&dir.path().join("runs")), ["a"]);
            // Other names at the same time do not disturb each other.
            thread::scope(|scope| {
                for name in ["b", "c", "d"] {
                    let path = dir.path().join("runs").join(name);
                    scope.spawn(move || folder(&path, any, fill("x")).unwrap());
                }
            });
            fs::remove_dir_all(dir.path().join("runs")).unwrap();
        }
    }
}
