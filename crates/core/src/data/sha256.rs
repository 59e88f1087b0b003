//! SHA-256 of files and of their content.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::bounded;

/// The SHA-256 of the content of `file`, decompressed if it is gzip.
///
/// # Errors
/// If reading or decompressing fails.
pub fn of_content(file: impl Read) -> io::Result<String> {
    let mut reader = BufReader::new(file);
    match bounded::is_gzip(reader.fill_buf()?) {
        true => of_bytes(MultiGzDecoder::new(reader)),
        false => of_bytes(reader),
    }
}

/// The SHA-256 of all bytes of `file`.
///
/// # Errors
/// If reading fails.
pub fn of_bytes(mut file: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
