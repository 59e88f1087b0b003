//! Bytes in memory, or in a file that is read piece by piece.
//!
//! A file of any size needs no memory, and no memory map: a file that another program cuts off while
//! it is mapped ends the process with a signal, but a read from it is an error.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use m2g_core::Error;

use crate::error::TextError;

/// Read-only bytes.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    File { file: File, path: PathBuf, len: usize },
}

impl Bytes {
    /// Opens a file, whose length must not change from here on.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let len = file.metadata().map_err(Error::io("read", path))?.len();
        // A machine of 32 bits cannot count the bytes of a larger file.
        let len =
            usize::try_from(len).map_err(|_| Error::io("read", path)(ErrorKind::FileTooLarge.into()))?;
        Ok(Self::File { file, path: path.to_path_buf(), len })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { len, .. } => *len,
        }
    }

    /// The `buffer.len()` bytes from `start` on: those in memory, or `buffer` filled from the file.
    pub fn read<'a>(&'a self, start: usize, buffer: &'a mut [u8]) -> Result<&'a [u8], TextError> {
        match self {
            Self::Memory(bytes) => Ok(&bytes[start..start + buffer.len()]),
            Self::File { file, path, len } => match read_exact_at(file, buffer, start as u64) {
                Ok(()) => Ok(buffer),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(TextError::file(
                    path,
                    format!("it had {len} bytes when it was opened and has fewer now: {CHANGED}"),
                )),
                Err(error) => Err(Error::io("read", path)(error).into()),
            },
        }
    }

    /// The error of content that was right when the file was opened.
    pub fn changed(&self, what: &str) -> TextError {
        let path = match self {
            Self::Memory(_) => Path::new("memory"),
            Self::File { path, .. } => path,
        };
        TextError::file(path, format!("{what}: {CHANGED}"))
    }
}

/// What to do about a file that does not stay as it was.
const CHANGED: &str = "another program has changed it meanwhile; restore it, or prepare the text again";

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => (buffer, offset) = (&mut buffer[n..], offset + n as u64),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
