//! The calls that change files, in one place.
//!
//! In builds with debug assertions, each of them is a point at which a test can kill the process:
//! see [`KILL_BEFORE_CHANGE`].

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The variable with the number N, from 1, of the change before which the process is killed; if
/// that change is a write, half of it is written first. Only for builds with debug assertions.
pub const KILL_BEFORE_CHANGE: &str = "M2G_KILL_BEFORE_CHANGE";

/// The variable that, if it is set, makes the system pretend that it can neither exchange two names
/// nor rename only to a free one. Only for builds with debug assertions.
pub const NO_EXCHANGE: &str = "M2G_NO_EXCHANGE";

/// The variable that, if it is set, makes the system pretend that the file system has no locks. Only
/// for builds with debug assertions.
pub const NO_LOCKS: &str = "M2G_NO_LOCKS";

/// The variable that, if it is set, makes the system pretend that it cannot sync a folder. Only for
/// builds with debug assertions.
pub const NO_FOLDER_SYNC: &str = "M2G_NO_FOLDER_SYNC";

/// The variable that, if it is set, makes the system pretend that it renames no folder in which a file
/// is open, as Windows does. Only for builds with debug assertions, on Linux.
pub const NO_OPEN_MOVES: &str = "M2G_NO_OPEN_MOVES";

/// Whether one of these variables is set.
pub(super) fn pretends(variable: &str) -> bool {
    cfg!(debug_assertions) && std::env::var_os(variable).is_some()
}

/// Whether the process is to be killed before the change that comes now.
#[cfg(debug_assertions)]
fn is_last() -> bool {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static LEFT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let n = std::env::var(KILL_BEFORE_CHANGE).ok().and_then(|n| n.parse().ok());
        AtomicU64::new(n.unwrap_or(u64::MAX))
    });
    LEFT.fetch_sub(1, Relaxed) == 1
}

#[cfg(not(debug_assertions))]
fn is_last() -> bool {
    false
}

/// Stands before each change.
fn change() {
    if is_last() {
        // As after `kill -9`, nothing is dropped or flushed.
        std::process::abort();
    }
}

/// A file that this process writes.
#[derive(Debug)]
pub struct File(fs::File);

impl File {
    /// Creates a file where there is none.
    ///
    /// # Errors
    /// If something has this name, or it cannot be created.
    pub fn create_new(path: &Path) -> io::Result<Self> {
        change();
        OpenOptions::new().read(true).write(true).create_new(true).open(path).map(Self)
    }

    /// Opens a file to append to it, or creates it.
    ///
    /// # Errors
    /// If it can be neither opened nor created.
    pub fn append(path: &Path) -> io::Result<Self> {
        change();
        OpenOptions::new().append(true).create(true).open(path).map(Self)
    }

    /// Waits until the content is on the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sync_all(&self) -> io::Result<()> {
        change();
        match self.0.sync_all() {
            Err(error) if is_unsupported(&error) => fsync(&self.0),
            synced => synced,
        }
    }

    /// The file itself, to lock it, or to give it an owner and permissions.
    pub fn file(&self) -> &fs::File {
        &self.0
    }
}

/// What every Unix has. On macOS, the standard library asks for more, that the disk itself writes, which network
/// folders there do not know.
#[cfg(unix)]
fn fsync(file: &fs::File) -> io::Result<()> {
    Ok(rustix::fs::fsync(file)?)
}

#[cfg(not(unix))]
fn fsync(file: &fs::File) -> io::Result<()> {
    file.sync_all()
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if is_last() {
            let _ = self.0.write(&bytes[..bytes.len() / 2]);
            std::process::abort();
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Read for File {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Creates a folder where there is none.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    change();
    fs::create_dir(path)
}

/// Opens a file to lock it. Creates it, but never changes its content.
pub(super) fn open_lock(path: &Path) -> io::Result<fs::File> {
    change();
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Gives a file or a folder another name. Replaces a file that has this name.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    change();
    check_closed(from)?;
    fs::rename(from, to)
}

/// Gives a folder another name, which must be free.
///
/// # Errors
/// If something has this name. Where the system has no such rename, an empty folder is replaced.
pub(crate) fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    change();
    check_closed(from)?;
    match rename_with(from, to, Rename::ToFree) {
        Err(error) if is_unsupported(&error) => {}
        done => return done,
    }
    match to.symlink_metadata() {
        // Renames of folders replace only empty ones.
        Ok(found) if !found.is_dir() => Err(io::ErrorKind::AlreadyExists.into()),
        _ => fs::rename(from, to),
    }
}

/// Exchanges two names in one step.
///
/// # Errors
/// [`is_unsupported`] is true for the error if the system cannot do it.
pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    change();
    check_closed(a)?;
    check_closed(b)?;
    rename_with(a, b, Rename::Exchange)
}

/// Renames folders. Where the system renames none with open files, as Windows and the file systems that
/// lead to its folders, `close` closes them, and the rename is tried again.
pub(crate) fn closing_files(
    mut rename: impl FnMut() -> io::Result<()>,
    close: impl FnOnce(),
) -> io::Result<()> {
    match rename() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            close();
            rename()
        }
        done => done,
    }
}

/// Refuses a rename as [`NO_OPEN_MOVES`] says.
fn check_closed(folder: &Path) -> io::Result<()> {
    if pretends(NO_OPEN_MOVES)
        && let Ok(folder) = folder.canonicalize()
    {
        let files = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let mut open = files.filter_map(|file| file.path().read_link().ok());
        if open.any(|path| path != folder && path.starts_with(&folder)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
    }
    Ok(())
}

/// Whether the system or the file system lacks a call, or a kind of it.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) || is_enotsup(error)
}

/// Whether the error is ENOTSUP. macOS gives this number for "not supported" too, but the standard library only knows
/// EOPNOTSUPP.
#[cfg(unix)]
fn is_enotsup(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NOTSUP)
}

#[cfg(not(unix))]
fn is_enotsup(_: &io::Error) -> bool {
    false
}

/// A rename that not every system has.
enum Rename {
    /// Fails if the new name is taken.
    ToFree,
    /// Exchanges two names.
    Exchange,
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_with(from: &Path, to: &Path, how: Rename) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if pretends(NO_EXCHANGE) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let flags = match how {
        Rename::ToFree => RenameFlags::NOREPLACE,
        Rename::Exchange => RenameFlags::EXCHANGE,
    };
    Ok(renameat_with(CWD, from, CWD, to, flags)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_with(_: &Path, _: &Path, _: Rename) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes a file.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    change();
    fs::remove_file(path)
}

/// Removes an empty folder.
pub(super) fn remove_empty_folder(path: &Path) -> io::Result<()> {
    change();
    fs::remove_dir(path)
}

/// Removes a file, a link, or a folder with all that is in it.
pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return remove_file(path);
    }
    for entry in fs::read_dir(path)? {
        remove_all(&entry?.path())?;
    }
    remove_empty_folder(path)
}

/// Makes the names in a folder survive a power failure, where the file system can do that.
///
/// # Errors
/// If the folder cannot be read, or the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    change();
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = match pretends(NO_FOLDER_SYNC) {
        true => Err(io::ErrorKind::InvalidInput.into()),
        false => fs::File::open(folder)?.sync_all(),
    };
    match synced {
        // Some network folders, and those that a virtual machine shares with its host, write names when they like.
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_a_file_system_lacks_is_told_from_other_errors() {
        use rustix::io::Errno;
        for lacks in [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL] {
            assert!(is_unsupported(&io::Error::from(lacks)), "{lacks:?}");
        }
        for other in [Errno::ACCESS, Errno::IO, Errno::NOENT] {
            assert!(!is_unsupported(&io::Error::from(other)), "{other:?}");
        }
    }

    #[test]
    fn files_are_closed_only_for_a_system_that_renames_no_folder_with_open_ones() {
        let open = std::cell::Cell::new(true);
        let rename = || match open.get() {
            true => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
            false => Ok(()),
        };
        closing_files(rename, || open.set(false)).unwrap();
        closing_files(|| Ok(()), || panic!("the files stay open")).unwrap();
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        assert!(closing_files(full, || panic!("another error is not mended so")).is_err());
    }
}
