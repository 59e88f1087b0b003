//! Locks on files, which the system releases when a process ends, however it ends.

use std::fs::{self, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::changes::{self, NO_LOCKS, pretends};

/// How often [`Lock::take`] tries, and the time between: a process that only looks whether a lock is
/// free holds it for a moment.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: fs::File,
    works: bool,
}

impl Lock {
    /// Locks the file `path`, which is created if it is missing; `None` if another process has
    /// locked it. The content of the file stays as it is.
    ///
    /// # Errors
    /// If the file can be neither opened nor created.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        for _ in 1..ATTEMPTS {
            match Self::try_once(path)? {
                None => thread::sleep(PAUSE),
                lock => return Ok(lock),
            }
        }
        Self::try_once(path)
    }

    /// As [`Lock::take`], but does not wait for a process that only looks.
    pub(super) fn try_once(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = changes::open_lock(path)?;
            let works = match try_lock(&file) {
                Attempt::Locked => true,
                Attempt::Busy => return Ok(None),
                Attempt::Unsupported => false,
            };
            // Otherwise, its folder was replaced since it was opened: the lock of the new one counts.
            if is_at(&file, path) {
                return Ok(Some(Self { _file: file, works }));
            }
        }
    }

    /// Whether another process has locked the file `path`. Changes nothing.
    pub fn is_taken(path: &Path) -> bool {
        open_to_ask(path).is_ok_and(|file| matches!(try_lock(&file), Attempt::Busy))
    }

    /// Whether the lock keeps other processes out: `false` on a file system without locks.
    pub fn works(&self) -> bool {
        self.works
    }
}

/// Opens a file to find out whether it is locked: for writing, because NFS locks no other files; one that may not
/// be written, for reading. Changes nothing.
pub(super) fn open_to_ask(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).write(true).open(path).or_else(|_| fs::File::open(path))
}

/// The result of an attempt to lock a file.
pub(super) enum Attempt {
    /// The file is locked until it is closed.
    Locked,
    /// Another process has locked it.
    Busy,
    /// The file system has no locks.
    Unsupported,
}

/// Locks an open file, unless another process has.
pub(super) fn try_lock(file: &fs::File) -> Attempt {
    if pretends(NO_LOCKS) {
        return Attempt::Unsupported;
    }
    match file.try_lock() {
        Ok(()) => Attempt::Locked,
        Err(TryLockError::WouldBlock) => Attempt::Busy,
        Err(TryLockError::Error(_)) => Attempt::Unsupported,
    }
}

/// Whether an open file is still the one with the name `path`.
pub(super) fn is_at(file: &fs::File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        matches!((file.metadata(), path.metadata()), (Ok(open), Ok(named)) if id(&open) == id(&named))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_keeps_the_content_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        fs::write(&path, "by hand").unwrap();
        assert!(!Lock::is_taken(&path) && !Lock::is_taken(&dir.path().join("nothing")));
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(lock.works() && Lock::is_taken(&path) && Lock::take(&path).unwrap().is_none());
        // A file of the same name in another folder is another lock.
        fs::rename(&path, dir.path().join("old")).unwrap();
        let other = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::is_taken(&path) && Lock::is_taken(&dir.path().join("old")));
        drop((lock, other));
        assert!(!Lock::is_taken(&path));
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"by hand");
        assert!(Lock::take(&dir.path().join("no/lock")).is_err());
    }

    #[test]
    fn who_only_asks_opens_for_writing_if_that_is_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        fs::write(&path, "by hand").unwrap();
        // Only a file that is open for writing gets a length.
        open_to_ask(&path).unwrap().set_len(7).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"by hand");
        let lock = Lock::take(&path).unwrap().unwrap();
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        assert!(Lock::is_taken(&path));
        drop(lock);
        assert!(!Lock::is_taken(&path) && open_to_ask(&dir.path().join("nothing")).is_err());
    }
}
