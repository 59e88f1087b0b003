//! The folder beside another one in which that is created, replaced or removed.
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
    self, closing_files, create_folder, exchange, is_unsupported, remove_all, remove_empty_folder,
    sync_folder,
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
pub(super) struct Staging {
    path: PathBuf,
    target: PathBuf,
    /// The folders above `target` that were created for it, the highest first.
    created: Vec<PathBuf>,
    _lock: Lock,
}

impl Staging {
    /// Takes the right to create, replace or remove `target`, and clears up after processes that
    /// were killed. `doing` is what an error says of it: `create` or `delete`.
    pub(super) fn claim(target: PathBuf, doing: &'static str) -> Result<Self, Error> {
        let path = staging_path(&target).map_err(Error::io(doing, &target))?;
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
            Err(error) => Err(Error::io(doing, target)(error)),
        }
    }

    /// The new folder until it is complete, which is to be created.
    pub(super) fn draft(&self) -> PathBuf {
        self.path.join(DRAFT)
    }

    /// Whether nothing has the name of the folder.
    pub(super) fn is_free(&self) -> bool {
        self.target.symlink_metadata().is_err()
    }

    /// Gives the draft its name: a free one, or that of an old folder. `close` closes the files in both, if the
    /// system renames no folder with open files.
    pub(super) fn appear(&self, free: bool, close: impl FnOnce()) -> io::Result<()> {
        sync_folder(&self.draft())?;
        closing_files(|| self.rename_draft(free), close)?;
        sync_folder(parent(&self.target))?;
        self.created.iter().try_for_each(|folder| sync_folder(parent(folder)))
    }

    /// Gives the draft its name, or changes nothing.
    fn rename_draft(&self, free: bool) -> io::Result<()> {
        let (draft, old) = (self.draft(), self.path.join(OLD));
        if free {
            return changes::rename_to_free(&draft, &self.target);
        }
        match exchange(&draft, &self.target) {
            Err(error) if is_unsupported(&error) => {
                changes::rename_to_free(&self.target, &old)?;
                if let Err(error) = changes::rename_to_free(&draft, &self.target) {
                    changes::rename_to_free(&old, &self.target)?;
                    return Err(error);
                }
                Ok(())
            }
            done => done,
        }
    }

    /// Moves the old folder back if its place is empty, and removes everything else.
    fn clear_up(&self) -> io::Result<()> {
        let (draft, old) = (self.draft(), self.path.join(OLD));
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
pub(crate) fn create_parents(path: &Path) -> io::Result<Vec<PathBuf>> {
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
pub(crate) fn remove_empty_folders(folders: &[PathBuf]) {
    folders.iter().rev().for_each(|folder| {
        let _ = remove_empty_folder(folder);
    });
}
