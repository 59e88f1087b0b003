//! Atomic writes: a file or folder appears complete or not at all, and nothing incomplete
//! ever replaces it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::Error;

/// Writes `path` through a temporary file in the same folder, which is renamed once
/// everything is on the disk.
///
/// # Errors
/// [`Error::Io`]; an old file is then unchanged.
pub fn write(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let run = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".new-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        write(file.as_file_mut())?;
        file.as_file_mut().flush()?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        sync_folder(folder)
    };
    run().map_err(Error::io("write", path))
}

/// Creates the folder `path`: `fill` writes into a temporary folder beside it, which is
/// renamed once it is complete. An old folder is moved aside, and deleted after the rename.
///
/// # Errors
/// [`Error::Io`], or what `fill` returns; an old folder is then unchanged.
pub fn folder(path: &Path, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let beside = |prefix| tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
    let new = beside(".new-").map_err(Error::io("create a folder in", parent))?;
    #[cfg(unix)]
    std::fs::set_permissions(new.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .map_err(Error::io("create", path))?;
    fill(new.path())?;
    let swap = || -> io::Result<()> {
        sync_folder(new.path())?;
        let old = if path.exists() {
            let old = beside(".old-")?;
            std::fs::rename(path, old.path().join("old"))?;
            Some(old)
        } else {
            None
        };
        if let Err(error) = std::fs::rename(new.path(), path) {
            if let Some(old) = &old {
                std::fs::rename(old.path().join("old"), path)?;
            }
            return Err(error);
        }
        sync_folder(parent)
    };
    swap().map_err(Error::io("create", path))
}

/// Makes renames in a folder survive a power failure.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no leftovers");
    }
    #[test]
    fn a_failed_folder_keeps_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/run");
        folder(&path, |new| write(&new.join("a"), |f| f.write_all(b"1"))).unwrap();
        let error = folder(&path, |new| {
            write(&new.join("a"), |f| f.write_all(b"2"))?;
            write(&new.join("no/such/folder"), |_| Ok(()))
        });
        assert!(error.is_err());
        assert_eq!(std::fs::read(path.join("a")).unwrap(), b"1");
        folder(&path, |new| write(&new.join("b"), |f| f.write_all(b"3"))).unwrap();
        assert!(!path.join("a").exists() && path.join("b").exists());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no leftovers");
    }
}
