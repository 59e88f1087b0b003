//! Recognises the pointers of Git LFS.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use m2g_core::Error;
use m2g_text::git_lfs;

use super::ImportError;

/// Checks that a file is not only a pointer.
///
/// # Errors
/// [`ImportError::File`] if it is; [`Error::Io`].
pub fn check(path: &Path) -> Result<(), ImportError> {
    /// More than a pointer needs to be recognised.
    const START_BYTES: u64 = 64;
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(START_BYTES).read_to_end(&mut start).map_err(Error::io("read", path))?;
    match git_lfs::pointer(&start) {
        Some(why) => Err(ImportError::File { path: path.to_path_buf(), why: why.into() }),
        None => Ok(()),
    }
}
