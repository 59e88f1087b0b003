//! SHA-256 of a file's content.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::DataError;

/// The SHA-256 of a file's content, decompressed if it is gzip.
///
/// # Errors
/// [`DataError`] if the file cannot be read.
pub fn of_content(path: &Path) -> Result<String, DataError> {
    let file = File::open(path).map_err(DataError::io("read", path))?;
    of_reader(file).map_err(|e| DataError::file(path, format!("it is damaged ({e})")))
}

/// The SHA-256 of all bytes of `file`, decompressed if they are gzip.
///
/// # Errors
/// If reading or decompressing fails.
pub fn of_reader(file: impl Read) -> io::Result<String> {
    let mut reader = BufReader::new(file);
    let is_gzip = io::BufRead::fill_buf(&mut reader)?.starts_with(&[0x1f, 0x8b]);
    let mut content: Box<dyn Read> =
        if is_gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
