//! Text files inside the program, compressed: its sources, its notes and their pictures.
//!
//! A build script calls [`pack`], and the crate holds what it wrote in a static [`Files`], which is
//! unpacked when it is first read. Compressed, the files take a quarter of their bytes.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// What stands behind each name and each text. No text file holds it.
const END: char = '\0';

/// Writes the texts into one file, each under its name.
///
/// # Errors
/// If a name or a text holds a zero byte, or if the file cannot be written.
pub fn pack(files: &[(String, String)], to: &Path) -> io::Result<()> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for (name, text) in files {
        if name.contains(END) || text.contains(END) {
            let what = format!("{} holds a zero byte, which no text file does", name.escape_debug());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        write!(packed, "{name}{END}{text}{END}")?;
    }
    std::fs::write(to, packed.finish()?)
}

/// The files that [`pack`] has written.
#[derive(Debug)]
pub struct Files {
    packed: &'static [u8],
    /// The name and the text of each file.
    unpacked: OnceLock<Vec<(&'static str, &'static str)>>,
}

impl Files {
    /// Holds a file of [`pack`].
    pub const fn new(packed: &'static [u8]) -> Self {
        Self { packed, unpacked: OnceLock::new() }
    }

    /// The name and the text of every file, in the order in which they were packed.
    ///
    /// # Panics
    /// If [`pack`] has not written them: then the program was not built by its build script.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let unpacked = self.unpacked.get_or_init(|| {
            let mut text = String::new();
            let read = ZlibDecoder::new(self.packed).read_to_string(&mut text);
            read.expect("the build script packed these files");
            // They are needed to the end of the program.
            let mut parts = String::leak(text).split_terminator(END);
            std::iter::from_fn(|| parts.next().zip(parts.next())).collect()
        });
        unpacked.iter().copied()
    }

    /// The text of a file.
    ///
    /// # Panics
    /// As [`Files::iter`].
    pub fn get(&self, name: &str) -> Option<&'static str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_come_back_in_order() {
        let files = [("b/año.md", "uno\ndos\n"), ("a.rs", ""), ("c", "fn main() {}")];
        let owned = files.map(|(name, text)| (name.to_string(), text.to_string()));
        let path = std::env::temp_dir().join(format!("m2g-packed-{}", std::process::id()));
        pack(&owned, &path).unwrap();
        let packed: &'static [u8] = std::fs::read(&path).unwrap().leak();
        std::fs::remove_file(path).unwrap();
        let unpacked = Files::new(packed);
        assert_eq!(unpacked.iter().collect::<Vec<_>>(), files);
        assert_eq!((unpacked.get("a.rs"), unpacked.get("a")), (Some(""), None));
    }

    #[test]
    fn a_zero_byte_is_refused() {
        let path = std::env::temp_dir().join("m2g-packed-never-written");
        let error = pack(&[("name".into(), "a\0b".into())], &path).unwrap_err();
        assert!(error.to_string().starts_with("name holds a zero byte") && !path.exists());
    }
}
