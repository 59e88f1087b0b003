//! The SHA-256 by which the original of a file is known.

use std::io::{self, BufRead, BufReader, Read};

use super::sha256;
use crate::bounded;

/// The SHA-256 of the original of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// That of its content, decompressed: two mirrors may compress differently.
    Content(&'static str),
    /// That of the gzip file. Nothing is known of a copy that was decompressed.
    Gzip(&'static str),
}

impl Pin {
    /// Whether `file` is the original; `None` if that cannot be told.
    ///
    /// # Errors
    /// If reading or decompressing fails.
    pub fn is_original(self, file: impl Read) -> io::Result<Option<bool>> {
        let mut reader = BufReader::new(file);
        match self {
            Self::Content(expected) => Ok(Some(sha256::of_content(reader)? == expected)),
            Self::Gzip(expected) => match bounded::is_gzip(reader.fill_buf()?) {
                true => Ok(Some(sha256::of_bytes(reader)? == expected)),
                false => Ok(None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    #[test]
    fn an_original_is_known_by_its_content_or_by_its_compressed_file() {
        // SHA-256 of "hello".
        let content = Pin::Content("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"hello").unwrap();
        let gzip = gzip.finish().unwrap();
        let compressed = Pin::Gzip(sha256::of_bytes(&gzip[..]).unwrap().leak());
        let original = |pin: Pin, file: &[u8]| pin.is_original(file).unwrap();
        assert_eq!(
            [&b"hello"[..], &gzip, b"hallo"].map(|f| original(content, f)),
            [true, true, false].map(Some)
        );
        assert_eq!(
            [&gzip[..], &[&gzip[..], b" "].concat()].map(|f| original(compressed, f)),
            [true, false].map(Some)
        );
        assert_eq!([&b"hello"[..], b""].map(|f| original(compressed, f)), [None; 2]);
        assert!(content.is_original(&gzip[..10]).is_err(), "a truncated file");
    }
}
