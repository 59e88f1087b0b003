//! Where text comes from. It is read in pieces, so that it may be larger than memory,
//! and as often as needed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::CorpusError;
use super::clean::{Cleaned, Cleaner};
use super::prepared::is_prepared;
use crate::utf8::Utf8Stream;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 18;

/// Texts that are read one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// What a person calls it.
    pub name: String,
    inputs: Vec<Input>,
    /// Files of a folder that are not text.
    left_out: Vec<String>,
}

#[derive(Debug, Clone)]
enum Input {
    File(PathBuf),
    Text(String),
}

impl Source {
    /// These files, and the text files in these folders, in the order of their names.
    pub fn files(paths: &[PathBuf]) -> Result<Self, CorpusError> {
        let name = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        let mut source = Self { name, inputs: Vec::new(), left_out: Vec::new() };
        for path in paths {
            let kind = fs::metadata(path).map_err(CorpusError::io("read", path))?;
            if kind.is_dir() {
                if is_prepared(path) {
                    return Err(CorpusError::file(path, "it holds tokens, not text: it is prepared already"));
                }
                let before = source.inputs.len();
                source.walk(path)?;
                if source.inputs.len() == before {
                    return Err(CorpusError::file(path, "there is no text file in this folder"));
                }
            } else if kind.is_file() {
                source.inputs.push(Input::File(path.clone()));
            } else {
                let why =
                    "it is neither a file nor a folder: text is read more than once, so put it into a file";
                return Err(CorpusError::file(path, why));
            }
        }
        Ok(source)
    }

    /// A text that is in memory.
    pub fn text(name: &str, text: String) -> Self {
        Self { name: name.into(), inputs: vec![Input::Text(text)], left_out: Vec::new() }
    }

    /// Adds the text files below a folder; what is hidden, and what `prepare` made,
    /// is passed over.
    fn walk(&mut self, folder: &Path) -> Result<(), CorpusError> {
        let entries = fs::read_dir(folder).map_err(CorpusError::io("read", folder))?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>, std::io::Error>>()
            .map_err(CorpusError::io("read", folder))?;
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || is_prepared(&path) {
                continue;
            }
            // A link to a folder may lead back here; one to a file may not.
            if path.is_dir() && !path.is_symlink() {
                self.walk(&path)?;
            } else if path.is_file() {
                if looks_like_text(&path)? {
                    self.inputs.push(Input::File(path));
                } else {
                    self.left_out.push(path.display().to_string());
                }
            }
        }
        Ok(())
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        let name = |input: &Input| match input {
            Input::File(path) => path.display().to_string(),
            Input::Text(_) => self.name.clone(),
        };
        self.inputs.iter().map(name).collect()
    }

    /// Bytes in all, of files as they lie on the disk.
    pub fn size(&self) -> u64 {
        let size = |input: &Input| match input {
            Input::File(path) => fs::metadata(path).map_or(0, |m| m.len()),
            Input::Text(text) => text.len() as u64,
        };
        self.inputs.iter().map(size).sum()
    }

    /// Hands the clean text to `visit`, a piece at a time. `passed` is told how many
    /// bytes of [`Source::size`] are done, and says whether to go on.
    pub fn read(
        &self,
        passed: &mut dyn FnMut(u64) -> bool,
        visit: &mut dyn FnMut(&str) -> Result<(), CorpusError>,
    ) -> Result<Cleaned, CorpusError> {
        let mut all = Cleaned::default();
        let mut done = 0;
        let mut buffer = vec![0; PIECE];
        let mut text = String::new();
        for input in &self.inputs {
            let (mut reader, path, size): (Box<dyn Read + '_>, _, _) = match input {
                Input::Text(text) => (Box::new(text.as_bytes()), Path::new(&self.name), text.len() as u64),
                Input::File(path) => (open(path)?, path.as_path(), fs::metadata(path).map_or(0, |m| m.len())),
            };
            let mut cleaner = Cleaner::default();
            loop {
                let n = fill(&mut reader, &mut buffer).map_err(CorpusError::io("read", path))?;
                if cleaner.cleaned.bytes == 0 && matches!(buffer[..n], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
                    return Err(CorpusError::file(path, "it is UTF-16 text: save it as UTF-8 first"));
                }
                text.clear();
                match n {
                    0 => cleaner.finish(&mut text),
                    n => cleaner.push(&buffer[..n], &mut text),
                }
                if !text.is_empty() {
                    visit(&text)?;
                }
                if !passed(done + cleaner.cleaned.bytes.min(size)) {
                    return Err(CorpusError::Stopped);
                }
                if n == 0 {
                    break;
                }
            }
            done += size;
            let Cleaned { bytes, byte_order_marks, crlfs, invalid } = cleaner.cleaned;
            if 100 * invalid > bytes {
                let percent = 100.0 * invalid as f64 / bytes as f64;
                let why = format!(
                    "it is not text: {percent:.1} % of its bytes are not UTF-8; if it is text in another encoding, \
                     convert it to UTF-8 first"
                );
                return Err(CorpusError::file(path, why));
            }
            all.bytes += bytes;
            all.byte_order_marks += byte_order_marks;
            all.crlfs += crlfs;
            all.invalid += invalid;
        }
        Ok(all)
    }

    /// A sentence about each thing that was not as it should be.
    pub fn reports(&self, cleaned: &Cleaned) -> Vec<String> {
        let counted = |n: u64, one: &str, many: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{} {many}", grouped(n))),
        };
        let left_out = counted(self.left_out.len() as u64, "file was", "files were").map(|files| {
            let names = self.left_out.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if self.left_out.len() > 3 { ", ..." } else { "" };
            format!("{files} left out because they are not text: {names}{more}")
        });
        let marks =
            counted(cleaned.byte_order_marks, "byte-order mark (BOM) was", "byte-order marks (BOM) were")
                .map(|marks| format!("{marks} dropped"));
        let crlfs =
            counted(cleaned.crlfs, "line end", "line ends").map(|ends| format!("{ends} CRLF became LF"));
        let invalid = counted(cleaned.invalid, "byte that is", "bytes that are")
            .map(|bytes| format!("{bytes} not UTF-8 became U+FFFD"));
        [left_out, marks, crlfs, invalid].into_iter().flatten().collect()
    }
}

/// 1115394 as `1,115,394`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Opens a file, plain or gzip.
fn open(path: &Path) -> Result<Box<dyn Read>, CorpusError> {
    let mut reader =
        BufReader::with_capacity(1 << 16, File::open(path).map_err(CorpusError::io("read", path))?);
    let start = reader.fill_buf().map_err(CorpusError::io("read", path))?;
    Ok(match start.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(reader)),
        false => Box::new(reader),
    })
}

/// Reads until the buffer is full or the file ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// Whether the beginning of a file is text: no zero byte, and nearly all UTF-8.
fn looks_like_text(path: &Path) -> Result<bool, CorpusError> {
    let mut start = [0; 8192];
    let n = fill(&mut *open(path)?, &mut start).map_err(CorpusError::io("read", path))?;
    let mut utf8 = Utf8Stream::default();
    utf8.push(&start[..n], &mut String::new());
    Ok(!start[..n].contains(&0) && 100 * utf8.invalid as usize <= n)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(source: &Source) -> Result<(String, Cleaned), CorpusError> {
        let mut all = String::new();
        let cleaned = source.read(&mut |_| true, &mut |text| {
            all.push_str(text);
            Ok(())
        })?;
        Ok((all, cleaned))
    }

    #[test]
    fn text_is_cleaned_and_that_is_reported() {
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
                "2 line ends CRLF became LF",
                "1 byte that is not UTF-8 became U+FFFD"
            ]
        );
    }

    #[test]
    fn what_is_not_text_is_refused() {
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
    fn a_folder_is_its_text_files_in_order() {
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

        for (name, why) in [("made", "prepared already"), (".git/none", "none"), ("empty", "no text file")] {
            fs::create_dir_all(at("empty")).unwrap();
            let error = Source::files(&[at(name)]).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_115_394].map(grouped), ["0", "999", "1,000", "1,115,394"]);
    }
}
