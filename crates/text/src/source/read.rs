//! Reads the inputs of a source.

use std::path::Path;

use m2g_core::Error;

use super::clean::{Cleaned, Cleaner};
use super::content::{BYTES_OF_START, why_not_text, why_not_utf8};
use super::inputs::Source;
use super::text_file::fill;
use crate::error::TextError;

/// Bytes read at a time.
const BYTES_PER_CHUNK: usize = 1 << 18;

/// What reading a source comes across.
pub(super) enum Read<'a> {
    /// Clean text.
    Text(&'a str),
    /// The end of an input.
    EndOfFile,
}

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
        self.read_files(progress, &mut |read| match read {
            Read::Text(text) => visit(text),
            Read::EndOfFile => Ok(()),
        })
    }

    /// The whole text in memory, of at most `most` bytes, and what was cleaned.
    ///
    /// # Errors
    /// As [`Source::read`]; [`TextError::Text`] if the text is longer.
    pub fn read_to_string(&self, most: u64) -> Result<(String, Cleaned), TextError> {
        let mut all = String::new();
        let cleaned = self.read_at_most(most, &mut |read| {
            if let Read::Text(text) = read {
                all.push_str(text);
            }
        })?;
        Ok((all, cleaned))
    }

    /// The lines of the text, which has at most `most` bytes, and what was cleaned. The end of an input ends its
    /// last line. Memory never holds the text twice.
    ///
    /// # Errors
    /// As [`Source::read_to_string`].
    pub fn read_lines(&self, most: u64) -> Result<(Vec<String>, Cleaned), TextError> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        let cleaned = self.read_at_most(most, &mut |read| {
            let (text, is_end) = match read {
                Read::Text(text) => (*text, false),
                Read::EndOfFile => ("", true),
            };
            for part in text.split_inclusive('\n') {
                line.push_str(part);
                if line.ends_with('\n') {
                    lines.extend(line.lines().map(String::from));
                    line.clear();
                }
            }
            if is_end {
                lines.extend(line.lines().map(String::from));
                line.clear();
            }
        })?;
        Ok((lines, cleaned))
    }

    fn read_at_most(&self, most: u64, visit: &mut dyn FnMut(&Read<'_>)) -> Result<Cleaned, TextError> {
        let mut bytes = 0;
        self.read_files(&mut |_| true, &mut |read| {
            visit(&read);
            if let Read::Text(text) = read {
                bytes += text.len() as u64;
            }
            match bytes > most {
                true => {
                    Err(self.error(format!("it has more than {} MiB, which is too long here", most >> 20)))
                }
                false => Ok(()),
            }
        })
    }

    /// As [`Source::read`], with the ends of the inputs.
    pub(super) fn read_files(
        &self,
        progress: &mut dyn FnMut(u64) -> bool,
        visit: &mut dyn FnMut(Read<'_>) -> Result<(), TextError>,
    ) -> Result<Cleaned, TextError> {
        let mut all = Cleaned::default();
        let mut done = 0;
        let mut buffer = vec![0; BYTES_PER_CHUNK];
        let mut text = String::new();
        for input in &self.inputs {
            let name = input.name();
            let path = Path::new(&name);
            let (mut reader, size) = (input.open()?, input.size());
            let mut cleaner = Cleaner::default();
            loop {
                let n = fill(&mut reader, &mut buffer).map_err(Error::io("read", path))?;
                if cleaner.cleaned.bytes == 0
                    && let Some(why) = why_not_text(path, &buffer[..n.min(BYTES_OF_START)])
                {
                    return Err(TextError::file(path, why));
                }
                text.clear();
                match n {
                    0 => cleaner.finish(&mut text),
                    n => cleaner.push(&buffer[..n], &mut text),
                }
                if !text.is_empty() {
                    visit(Read::Text(&text))?;
                }
                // A compressed file has more bytes than its size on the disk.
                if !progress(done + cleaner.cleaned.bytes.min(size)) {
                    return Err(TextError::Stopped);
                }
                if n == 0 {
                    break;
                }
            }
            visit(Read::EndOfFile)?;
            done += size;
            let Cleaned { bytes, byte_order_marks, crlfs, crs, invalid, zeros } = cleaner.cleaned;
            // A zero byte beyond the start of a file is no more text than a byte that is not UTF-8.
            if let Some(why) = why_not_utf8(invalid + zeros, bytes) {
                return Err(TextError::file(path, why));
            }
            all.bytes += bytes;
            all.byte_order_marks += byte_order_marks;
            all.crlfs += crlfs;
            all.crs += crs;
            all.invalid += invalid;
            all.zeros += zeros;
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn read(source: &Source) -> Result<(String, Cleaned), TextError> {
        source.read_to_string(1 << 20)
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
                "2 CRs without LF (old line ends of Macintosh) are kept",
                "1 byte that is not UTF-8 was replaced by U+FFFD"
            ]
        );
    }

    #[test]
    fn zero_bytes_in_a_long_text_are_reported() {
        let source = Source::text("a text", format!("{}\0b\0", "a".repeat(9000)));
        let (text, cleaned) = read(&source).unwrap();
        assert!(text.ends_with("a\0b\0"));
        assert_eq!(source.reports(&cleaned), ["2 zero bytes (NUL) are kept"]);
    }

    #[test]
    fn lines_are_those_of_the_whole_text() {
        let long = "x".repeat(BYTES_PER_CHUNK);
        for text in ["", "\n", "a\nb", "a\n\nb\r\r\n\r", &format!("{long}\né{long}\r\n{long}\r")] {
            let source = Source::text("a text", text.into());
            let (whole, cleaned) = read(&source).unwrap();
            let lines: Vec<String> = whole.lines().map(String::from).collect();
            assert!(source.read_lines(1 << 20).unwrap() == (lines, cleaned), "{:?}", text.get(..9));
        }
        let texts = ["a\nb", "c\r", "", "d\n", "\n"].map(|text| Source::text("a text", text.into()));
        let lines = Source::concat(texts).read_lines(99).unwrap().0;
        assert_eq!(lines, ["a", "b", "c\r", "d", ""], "the end of an input ends its last line");
        let error = Source::text("a text", "a\nbc".into()).read_lines(3).unwrap_err().to_string();
        assert!(error.starts_with("a text: it has more than 0 MiB"), "{error}");
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
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("b", at("l")).unwrap();
            let source = Source::files(&[dir.path().to_path_buf()]).unwrap();
            assert_eq!(read(&source).unwrap().0, text);
            let reports = source.reports(&cleaned);
            assert!(reports.len() == 2 && reports[0].contains("l: it is a link to a folder"), "{reports:?}");
        }

        for (name, why) in [("made", "already prepared"), (".git/none", "none"), ("empty", "no text files")] {
            fs::create_dir_all(at("empty")).unwrap();
            let error = Source::files(&[at(name)]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
