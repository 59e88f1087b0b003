//! Reads the inputs of a source.

use std::fs;
use std::io::Read;
use std::path::Path;

use m2g_core::Error;

use super::clean::{Cleaned, Cleaner};
use super::inputs::{Input, Source};
use super::text_file::{fill, open};
use crate::error::TextError;

/// Bytes read at a time.
const BYTES_PER_CHUNK: usize = 1 << 18;

impl Source {
    /// Passes the clean text to `visit`, chunk by chunk. `progress` receives the number of
    /// bytes read, of [`Source::size`] in total, and returns whether to continue.
    ///
    /// # Errors
    /// [`TextError`] names a file that cannot be read or is not text;
    /// [`TextError::Stopped`]; the errors of `visit`.
    pub fn read(
        &self,
        progress: &mut dyn FnMut(u64) -> bool,
        visit: &mut dyn FnMut(&str) -> Result<(), TextError>,
    ) -> Result<Cleaned, TextError> {
        let mut all = Cleaned::default();
        let mut done = 0;
        let mut buffer = vec![0; BYTES_PER_CHUNK];
        let mut text = String::new();
        for input in &self.inputs {
            let (mut reader, path, size): (Box<dyn Read + '_>, _, _) = match input {
                Input::Text(text) => (Box::new(text.as_bytes()), Path::new(&self.name), text.len() as u64),
                Input::File(path) => (open(path)?, path.as_path(), fs::metadata(path).map_or(0, |m| m.len())),
            };
            let mut cleaner = Cleaner::default();
            loop {
                let n = fill(&mut reader, &mut buffer).map_err(Error::io("read", path))?;
                if cleaner.cleaned.bytes == 0 && matches!(buffer[..n], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
                    return Err(TextError::file(path, "it is UTF-16 text: save it as UTF-8 first"));
                }
                text.clear();
                match n {
                    0 => cleaner.finish(&mut text),
                    n => cleaner.push(&buffer[..n], &mut text),
                }
                if !text.is_empty() {
                    visit(&text)?;
                }
                // A compressed file has more bytes than its size on the disk.
                if !progress(done + cleaner.cleaned.bytes.min(size)) {
                    return Err(TextError::Stopped);
                }
                if n == 0 {
                    break;
                }
            }
            done += size;
            check_is_text(path, &cleaner.cleaned)?;
            let Cleaned { bytes, byte_order_marks, crlfs, invalid } = cleaner.cleaned;
            all.bytes += bytes;
            all.byte_order_marks += byte_order_marks;
            all.crlfs += crlfs;
            all.invalid += invalid;
        }
        Ok(all)
    }
}

/// Rejects a file if more than 1 % of its bytes are not UTF-8.
fn check_is_text(path: &Path, &Cleaned { bytes, invalid, .. }: &Cleaned) -> Result<(), TextError> {
    if 100 * invalid <= bytes {
        return Ok(());
    }
    let percent = 100.0 * invalid as f64 / bytes as f64;
    let why = format!(
        "it is not text: {percent:.1} % of its bytes are not UTF-8; if it is text in another encoding, \
         convert it to UTF-8 first"
    );
    Err(TextError::file(path, why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(source: &Source) -> Result<(String, Cleaned), TextError> {
        let mut all = String::new();
        let cleaned = source.read(&mut |_| true, &mut |text| {
            all.push_str(text);
            Ok(())
        })?;
        Ok((all, cleaned))
    }

    #[test]
    fn text_is_cleaned_and_the_changes_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let long = "x".repeat(500);
        fs::write(&path, [b"\xef\xbb\xbfone\r\ntwo\rthree\r\n\xff", long.as_bytes(), b"\r"].concat())
            .unwrap();
        let source = Source::files(&[path]).unwrap();
        let (text, cleaned) = read(&source).unwrap();
        assert_eq!(text, format!("one\ntwo\rthree\n\u{fffd}{long}\r"));
        assert_eq!(
            source.reports(&cleaned),
            [
                "1 byte-order mark (BOM) was dropped",
                "2 CRLF line ends were replaced by LF",
                "1 byte that is not UTF-8 was replaced by U+FFFD"
            ]
        );
    }

    #[test]
    fn files_that_are_not_text_are_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let latin1 = b"Gr\xfc\xdfe aus M\xfcnchen".repeat(10);
        for (content, why) in
            [(&latin1[..], "another encoding"), (b"\xff\xfea\0b\0", "UTF-16"), (b"\xff", "100.0 %")]
        {
            fs::write(&path, content).unwrap();
            let error = read(&Source::files(std::slice::from_ref(&path)).unwrap()).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("a.txt"), "{error}");
        }
    }

    #[test]
    fn a_folder_is_read_as_its_text_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["b", ".git", "made"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for (name, content) in [
            ("c.md", &b"three "[..]),
            ("a.txt", b"one "),
            ("b/x.rs", b"two "),
            ("z.png", b"\x89PNG\0\0\0"),
            (".git/config", b"hidden"),
            ("made/train.bin", b"ab"),
            ("made/meta.json", b"{}"),
        ] {
            fs::write(at(name), content).unwrap();
        }
        let source = Source::files(&[dir.path().to_path_buf()]).unwrap();
        let (text, cleaned) = read(&source).unwrap();
        assert_eq!(text, "one two three ");
        let reports = source.reports(&cleaned);
        assert!(reports.len() == 1 && reports[0].contains("z.png"), "{reports:?}");

        for (name, why) in [("made", "already prepared"), (".git/none", "none"), ("empty", "no text files")] {
            fs::create_dir_all(at("empty")).unwrap();
            let error = Source::files(&[at(name)]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
