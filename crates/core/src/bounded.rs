//! Reads files that are held in memory as a whole, up to a limit; and how far packed files may unpack.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// The content of a file of at most `most` bytes. `what` names such a file in the message: `a
/// configuration`.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::TooLarge`] if it has more bytes.
pub fn read(path: &Path, most: u64, what: &'static str) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content).map_err(Error::io("read", path))?;
    match content.len() as u64 > most {
        true => Err(Error::TooLarge { path: path.to_path_buf(), what, most }),
        false => Ok(content),
    }
}

/// [`read`] of a file of UTF-8 text.
///
/// # Errors
/// As [`read`]; [`Error::Io`] if it is not UTF-8.
pub fn read_text(path: &Path, most: u64, what: &'static str) -> Result<String, Error> {
    String::from_utf8(read(path, most, what)?)
        .map_err(|_| Error::io("read", path)(std::io::Error::other("it is not UTF-8 text")))
}

/// Whether a file that starts with these bytes is gzip.
pub fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// No data that people save unpacks to more than this many times its size: text to about 4 times, images
/// of digits to about 10 times.
pub const MAX_EXPANSION: u64 = 100;

/// Up to this many bytes, a file may unpack from any size: a small file of equal bytes harms nobody.
const FREE_BYTES: u64 = 64 << 20;

/// Whether a packed file unpacks to so much that it was made to fill the memory.
pub fn expands_too_far(packed: u64, unpacked: u64) -> bool {
    unpacked > FREE_BYTES && unpacked / MAX_EXPANSION > packed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5, "a configuration").unwrap(), "12345");
        let error = read(&path, 4, "a configuration").unwrap_err().to_string();
        assert!(
            error.ends_with("c.toml has more than 4 bytes, the most that a configuration may have"),
            "{error}"
        );
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read_text(&path, 5, "a configuration").unwrap_err().to_string().contains("not UTF-8"));
        let far = |packed| expands_too_far(packed, 100 << 20);
        assert_eq!([far(9 << 10), far(1 << 20), expands_too_far(1, 1 << 26)], [true, false, false]);
        #[cfg(target_os = "linux")]
        assert!(read(Path::new("/dev/zero"), 1 << 10, "a configuration").is_err());
    }
}
