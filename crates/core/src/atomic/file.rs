//! Files that appear only when they are complete.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::changes::{self, File, sync_folder};
use super::lock::{Attempt, is_at, open_to_ask, try_lock};
use super::{PREFIX, parent};
use crate::Error;

/// The number of characters of a name in the name of its incomplete file.
const MAX_CHARACTERS: usize = 60;

/// The number of processes that may write one file at the same time.
const MAX_WRITERS: u32 = 100;

/// Writes `path` through a file `.new-NAME` in the same folder, which is renamed once everything is
/// on the disk. What a killed process left there is replaced.
///
/// # Errors
/// [`Error::Io`]; an old file is then unchanged.
pub fn write(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let run = || -> io::Result<()> {
        let mut new = NewFile::create(path)?;
        write(&mut new.file)?;
        new.file.flush()?;
        new.file.sync_all()?;
        changes::rename(&new.path, path)?;
        new.renamed = true;
        sync_folder(parent(path))
    };
    run().map_err(Error::io("write", path))
}

/// A file that is not complete yet. It is locked, so that no other process takes it for a leftover.
struct NewFile {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl NewFile {
    /// Creates `.new-NAME`, or `.new-NAME-2` if another process writes that one now, and so on.
    fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
        // A name may have 255 bytes; two files with the same start are told apart by their locks.
        let start: String = name.chars().take(MAX_CHARACTERS).collect();
        for n in 1..=MAX_WRITERS {
            let new = match n {
                1 => format!("{PREFIX}{start}"),
                n => format!("{PREFIX}{start}-{n}"),
            };
            let path = parent(target).join(new);
            // The second time, the leftover is gone.
            for _ in 0..2 {
                match File::create_new(&path) {
                    Ok(file) => match try_lock(file.file()) {
                        // Another process took it for a leftover between the two calls.
                        Attempt::Busy => break,
                        Attempt::Locked if !is_at(file.file(), &path) => {}
                        Attempt::Locked | Attempt::Unsupported => {
                            return Ok(Self { file, path, renamed: false });
                        }
                    },
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        if !remove_leftover(&path) {
                            break;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = changes::remove_file(&self.path);
        }
    }
}

/// Removes a file that a killed process left; returns whether it did. A file that is locked is
/// written by a process that is still running.
fn remove_leftover(path: &Path) -> bool {
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    let Some(file) = is_file.then(|| open_to_ask(path).ok()).flatten() else { return false };
    let unused = matches!(try_lock(&file), Attempt::Locked) && is_at(&file, path);
    unused && changes::remove_file(path).is_ok()
}

/// Removes the incomplete files that killed processes left in a folder that belongs to this
/// program.
pub fn remove_leftover_files(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            remove_leftover(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        super::write(&path, |f| f.write_all(b"old")).unwrap();
        let full = |f: &mut File| {
            f.write_all(b"ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = super::write(&path, full).unwrap_err().to_string();
        assert!(error.contains("a.txt"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["a.txt"]);
        assert!(super::write(Path::new("/"), |_| Ok(())).is_err());
        let long = dir.path().join("ü".repeat(127));
        super::write(&long, |f| f.write_all(b"x")).unwrap();
    }

    #[test]
    fn leftovers_are_replaced_and_other_writers_are_not_disturbed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(dir.path().join(".new-a"), "half of it, and very much lon").unwrap();
        super::write(&path, |f| f.write_all(b"whole")).unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(dir.path())), (b"whole".to_vec(), vec!["a".to_string()]));

        // Two writers at once; the second finishes first. Anything that is not a file stays.
        fs::create_dir(dir.path().join(".new-a-2")).unwrap();
        super::write(&path, |f| {
            f.write_all(b"slow")?;
            super::write(&path, |f| f.write_all(b"fast")).map_err(io::Error::other)?;
            assert_eq!(fs::read(&path).unwrap(), b"fast");
            remove_leftover_files(dir.path());
            assert_eq!(names(dir.path()), [".new-a", ".new-a-2", "a"]);
            Ok(())
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"slow");
        fs::write(dir.path().join(".new-b"), "").unwrap();
        remove_leftover_files(dir.path());
        assert_eq!(names(dir.path()), [".new-a-2", "a"]);
    }
}
