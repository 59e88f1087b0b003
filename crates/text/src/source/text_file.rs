//! One text file, plain or gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use m2g_core::Error;

use crate::error::TextError;
use crate::utf8::Utf8Stream;

/// Opens a file, and decompresses it if it is gzip.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, TextError> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(Error::io("read", path))?);
    let start = reader.fill_buf().map_err(Error::io("read", path))?;
    Ok(match start.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(reader)),
        false => Box::new(reader),
    })
}

/// Reads until the buffer is full or the file ends; returns the number of bytes.
pub(super) fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// Whether the start of a file is text: no zero byte, and at most one invalid byte in a
/// hundred.
pub(super) fn looks_like_text(path: &Path) -> Result<bool, TextError> {
    let mut start = [0; 8192];
    let n = fill(&mut *open(path)?, &mut start).map_err(Error::io("read", path))?;
    let mut utf8 = Utf8Stream::default();
    utf8.push(&start[..n], &mut String::new());
    Ok(!start[..n].contains(&0) && 100 * utf8.invalid as usize <= n)
}
