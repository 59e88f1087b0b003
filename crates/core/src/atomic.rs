//! Files that are whole or not there: nothing half-written ever replaces
//! something whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::Error;

/// Writes `path` by way of a temporary file beside it, which takes its name only
/// when everything is on the disk.
///
/// # Errors
/// [`Error::Io`]; then the old file, if any, is as it was.
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

/// Makes the folder `path`: `fill` writes into a new folder beside it, which takes
/// its name only when everything is in it. A folder that was there steps aside and
/// is deleted when the new one has its place.
///
/// # Errors
/// [`Error::Io`], or what `fill` returns; then the old folder, if any, is as it was.
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

/// Makes renames in a folder last through a power cut.
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
    fn a_write_that_fails_leaves_the_old_file() {
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
    fn a_folder_that_fails_leaves_the_old_one() {
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
