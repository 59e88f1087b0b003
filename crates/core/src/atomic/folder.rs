//! Folders that appear only when they are complete, and replace an old one in one step.
//!
//! ```text
//! runs/.new-NAME/lock    locked by the process that creates, replaces or removes runs/NAME
//! runs/.new-NAME/draft   the new folder until it is complete; after the exchange, the old one
//! runs/.new-NAME/old     the old folder while neither is in its place: only where the system
//!                        cannot exchange two names
//! ```
//!
//! The lock belongs to the name: of two processes that create one folder, one is refused. If a
//! process is killed, the next one that works in `runs/` finds the lock free, moves `old` back if
//! its place is empty, and removes the rest: `draft` is not complete, or not needed any more.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::changes::{
    self, create_folder, exchange, is_unsupported, remove_all, remove_empty_folder, sync_folder,
};
use super::lock::Lock;
use super::{PREFIX, parent};
use crate::Error;

const LOCK: &str = "lock";
const DRAFT: &str = "draft";
const OLD: &str = "old";

/// Why a staging folder that exists is not taken over on a file system without locks.
const WITHOUT_LOCKS: &str =
    " exists, so another process works there, or was killed there: remove it if none does";

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
    mut may_replace: impl FnMut() -> Result<(), E>,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let target = match path.is_symlink() && path.exists() {
        true => path.canonicalize().map_err(Error::io("find", path))?,
        false => path.to_path_buf(),
    };
    // First without any change.
    may_replace()?;
    let staging = Staging::claim(target)?;
    may_replace()?;
    let draft = staging.path.join(DRAFT);
    create_folder(&draft).map_err(Error::io("create", path))?;
    let filled = fill(&draft)?;
    // What appears after this is not replaced.
    let free = staging.target.symlink_metadata().is_err();
    may_replace()?;
    if let Err(error) = staging.appear(free) {
        if free {
            may_replace()?;
        }
        return Err(Error::io("create", path)(error).into());
    }
    Ok(filled)
}

/// Removes a folder and all that is in it. It disappears in one step.
///
/// # Errors
/// [`Error::BeingWritten`], [`Error::Io`]; the folder is then unchanged.
pub fn remove(path: &Path) -> Result<(), Error> {
    let staging = Staging::claim(path.to_path_buf())?;
    let disappear = || {
        changes::rename(path, &staging.path.join(DRAFT))?;
        sync_folder(parent(path))
    };
    disappear().map_err(Error::io("delete", path))
}

/// Moves the folder `path` back if a process was killed while it replaced it.
pub fn restore(path: &Path) {
    if path.symlink_metadata().is_err()
        && let Ok(staging) = staging_path(path)
    {
        clear(&staging);
    }
}

/// Clears up after the processes that were killed while they created, replaced or removed a folder
/// in `folder`.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            clear(&entry.path());
        }
    }
}

/// Clears up a staging folder, unless a process works in it.
fn clear(path: &Path) {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX));
    let Some(name) = name.filter(|_| is_staging(path)) else { return };
    // Created a moment ago, or left empty.
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
        let _ = remove_empty_folder(path);
        return;
    }
    if let Ok(Some(lock)) = Lock::try_once(&path.join(LOCK))
        && lock.works()
    {
        let target = path.with_file_name(name);
        drop(Staging { path: path.to_path_buf(), target, created: Vec::new(), _lock: lock });
    }
}

/// Whether a folder holds nothing but what [`Staging`] puts there: nothing else is ever removed.
fn is_staging(path: &Path) -> bool {
    let known = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| [LOCK, DRAFT, OLD].map(OsString::from).contains(&entry.file_name()))
    };
    let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    is_folder && fs::read_dir(path).is_ok_and(|mut entries| entries.all(known))
}

/// The path of the staging folder of `target`.
fn staging_path(target: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(PREFIX);
    name.push(target.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
    Ok(parent(target).join(name))
}

/// The folder beside `target` in which it is created, replaced or removed.
struct Staging {
    path: PathBuf,
    target: PathBuf,
    /// The folders above `target` that were created for it, the highest first.
    created: Vec<PathBuf>,
    _lock: Lock,
}

impl Staging {
    /// Takes the right to create, replace or remove `target`, and clears up after processes that
    /// were killed.
    fn claim(target: PathBuf) -> Result<Self, Error> {
        let path = staging_path(&target).map_err(Error::io("create", &target))?;
        let created = create_parents(&target).map_err(Error::io("create", parent(&target)))?;
        sweep(parent(&target));
        let claimed = claim(&path);
        if !matches!(claimed, Ok(Some(_))) {
            remove_empty_folders(&created);
        }
        match claimed {
            Ok(Some(lock)) => {
                let staging = Self { path, target, created, _lock: lock };
                staging.clear_up().map_err(Error::io("remove what is in", &staging.path))?;
                Ok(staging)
            }
            Ok(None) => Err(Error::BeingWritten(target)),
            Err(error) => Err(Error::io("create", target)(error)),
        }
    }

    /// Gives the draft its name: a free one, or that of an old folder.
    fn appear(&self, free: bool) -> io::Result<()> {
        let (draft, old) = (self.path.join(DRAFT), self.path.join(OLD));
        sync_folder(&draft)?;
        if free {
            changes::rename_to_free(&draft, &self.target)?;
        } else {
            match exchange(&draft, &self.target) {
                Err(error) if is_unsupported(&error) => {
                    changes::rename_to_free(&self.target, &old)?;
                    if let Err(error) = changes::rename_to_free(&draft, &self.target) {
                        changes::rename_to_free(&old, &self.target)?;
                        return Err(error);
                    }
                }
                done => done?,
            }
        }
        sync_folder(parent(&self.target))?;
        self.created.iter().try_for_each(|folder| sync_folder(parent(folder)))
    }

    /// Moves the old folder back if its place is empty, and removes everything else.
    fn clear_up(&self) -> io::Result<()> {
        let (draft, old) = (self.path.join(DRAFT), self.path.join(OLD));
        if old.symlink_metadata().is_ok() {
            match self.target.symlink_metadata() {
                Err(_) => {
                    changes::rename_to_free(&old, &self.target)?;
                    sync_folder(parent(&self.target))?;
                }
                Ok(_) => remove_all(&old)?,
            }
        }
        match remove_all(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.clear_up().is_ok() {
            let _ = changes::remove_file(&self.path.join(LOCK));
            let _ = remove_empty_folder(&self.path);
        }
        remove_empty_folders(&self.created);
    }
}

/// Creates a staging folder, or takes over one that a killed process left, and locks it; `None` if
/// another process works in it.
fn claim(path: &Path) -> io::Result<Option<Lock>> {
    loop {
        let new = match create_folder(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_staging(path) => false,
            Err(error) => return Err(error),
        };
        match Lock::take(&path.join(LOCK)) {
            // Without locks, nobody knows whether a process works there.
            Ok(Some(lock)) if new || lock.works() => return Ok(Some(lock)),
            Ok(Some(_)) => return Err(io::Error::other(format!("{}{WITHOUT_LOCKS}", path.display()))),
            Ok(None) => return Ok(None),
            // Another process removed the folder just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Creates the missing folders above `path`. Returns them, the highest first.
fn create_parents(path: &Path) -> io::Result<Vec<PathBuf>> {
    let above = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let mut missing: Vec<PathBuf> = above.take_while(|p| !p.exists()).map(Path::to_path_buf).collect();
    missing.reverse();
    for (i, folder) in missing.iter().enumerate() {
        match create_folder(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                remove_empty_folders(&missing[..i]);
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(missing)
}

/// Removes those of these folders that are empty, the last first.
fn remove_empty_folders(folders: &[PathBuf]) {
    folders.iter().rev().for_each(|folder| {
        let _ = remove_empty_folder(folder);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::thread;

    use super::*;
    use crate::atomic::write;

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
        remove(&path).unwrap();
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
        remove(&path).unwrap();
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
            fs::write(at(path).join(LOCK), "").unwrap();
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
