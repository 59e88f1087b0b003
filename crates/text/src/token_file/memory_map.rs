//! Bytes in memory or in a memory-mapped file. The only `unsafe` code of this crate.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use m2g_core::Error;
use memmap2::Mmap;

/// Read-only bytes.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mmap),
}

impl Bytes {
    /// Maps a file. Nobody may write to it while it is mapped.
    pub fn map(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        // SAFETY: the contents of a map are undefined if its file changes. The files are made
        // by `prepare`, which never writes to a file that already has its final name, and
        // replaces a folder by renaming it; or by nanoGPT's `prepare.py`, which writes each file
        // once. Any bytes are valid integers.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("read", path))?;
        Ok(Self::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}
