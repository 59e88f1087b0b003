//! One text file, plain or gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use m2g_core::Error;
use m2g_core::bounded::{self, MAX_EXPANSION};

use super::content::{BYTES_OF_START, invalid_bytes, why_not_text, why_not_utf8};
use crate::error::TextError;

/// Opens a file, and decompresses it if it is gzip.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, TextError> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let packed_bytes = file.metadata().map_err(Error::io("read", path))?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let start = reader.fill_buf().map_err(Error::io("read", path))?;
    Ok(match bounded::is_gzip(start) {
        true => Box::new(Unpacked { gzip: MultiGzDecoder::new(reader), packed_bytes, bytes: 0 }),
        false => Box::new(reader),
    })
}

/// The content of a gzip file, which must not unpack to absurdly much.
struct Unpacked {
    gzip: MultiGzDecoder<BufReader<File>>,
    packed_bytes: u64,
    /// Bytes read so far.
    bytes: u64,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.gzip.read(buffer).map_err(damaged)?;
        self.bytes += n as u64;
        match bounded::expands_too_far(self.packed_bytes, self.bytes) {
            true => Err(io::Error::other(format!(
                "it unpacks to more than {MAX_EXPANSION} times its size, as no text does; unpack it first if it is one"
            ))),
            false => Ok(n),
        }
    }
}

/// The error with advice, if the content is at fault and not the system.
fn damaged(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => io::Error::new(
            error.kind(),
            format!("its gzip data are damaged or incomplete ({error}): get or pack the file again"),
        ),
        _ => error,
    }
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

/// Why a file is not text, by its start; `None` if it is.
pub(super) fn why_skip(path: &Path) -> Result<Option<String>, TextError> {
    let mut start = [0; BYTES_OF_START];
    let n = fill(&mut *open(path)?, &mut start).map_err(Error::io("read", path))?;
    let start = &start[..n];
    Ok(why_not_text(path, start).or_else(|| why_not_utf8(invalid_bytes(start), n as u64)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_damaged_gzip_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gz");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"one two three four five six seven").unwrap();
        let whole = gzip.finish().unwrap();
        let mut wrong = whole.clone();
        wrong[12] ^= 0xff;
        for bytes in [&whole[..whole.len() - 12], &whole[..whole.len() - 3], &wrong] {
            std::fs::write(&path, bytes).unwrap();
            let error = open(&path).unwrap().read_to_end(&mut Vec::new()).unwrap_err().to_string();
            assert!(error.contains("damaged or incomplete") && error.ends_with("the file again"), "{error}");
        }
    }
}
