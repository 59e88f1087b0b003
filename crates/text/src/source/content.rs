//! Tells text from other data by the first bytes of a file.

use std::path::Path;

use crate::utf8::Utf8Stream;

/// Bytes at the start of a file that are looked at.
pub(super) const BYTES_OF_START: usize = 8192;

/// The largest share of bytes that may be wrong in a text, in percent.
const MAX_PERCENT_WRONG: u64 = 1;

/// The first bytes of well-known formats, with a noun for each. They name data that is not text; they
/// do not decide whether it is.
const FORMATS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive (.zip, .docx, .npz, .pt and others): unpack it first"),
    (b"\x1f\x8b", "a gzip archive within a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!\x1a\x07", "a rar archive: unpack it first"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "sound or a picture"),
    (b"ID3", "sound"),
    (b"OggS", "sound"),
    (b"fLaC", "sound"),
    (b"%PDF-", "a PDF: extract its text first, such as with `pdftotext`"),
    (b"\xd0\xcf\x11\xe0", "an old Office document: save it as plain text first"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet table: write its text column to a file first"),
    (b"GGUF", "a model (GGUF)"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"\0\0\x08", "an IDX file of images or labels"),
];

/// Where a tar archive has its mark.
const TAR_MARK: std::ops::Range<usize> = 257..262;

/// Why a file with this name and this start, of at most [`BYTES_OF_START`] bytes, is not UTF-8 text; `None` if it
/// may be.
pub(super) fn why_not_text(name: &Path, start: &[u8]) -> Option<String> {
    if let Some(encoding) = byte_order_mark(start) {
        return Some(wide_text(encoding));
    }
    let is_pdf = start.starts_with(b"%PDF-");
    if !is_pdf && !start.contains(&0) && !is_mostly_wrong(invalid_bytes(start), start.len() as u64) {
        return None;
    }
    let format = FORMATS.iter().find(|(mark, _)| start.starts_with(mark)).map(|(_, noun)| *noun);
    let tar = (start.get(TAR_MARK) == Some(b"ustar")).then_some("a tar archive: unpack it first");
    let safetensors = (start.get(8..10) == Some(b"{\"") && start[..8].contains(&0))
        .then_some("a model or tensors (safetensors)");
    match (format.or(tar).or(safetensors), wide_encoding(start)) {
        (Some(noun), _) => Some(format!("it is not text but {noun}")),
        (None, Some(encoding)) => Some(wide_text(encoding)),
        (None, None) if start.contains(&0) => Some(match name.extension().is_some_and(|ending| ending == "bin") {
            true => "it is not text but binary data; token ids are read from a folder, not from a file".into(),
            false => {
                "it is not text but binary data, with zero bytes (NUL); if it is a text, remove them first, such as \
                 with `tr -d '\\0'`"
                    .into()
            }
        }),
        // How much is wrong is known at the end of the file.
        (None, None) => None,
    }
}

fn wide_text(encoding: &str) -> String {
    let family = &encoding[..6];
    format!("it is {family} text, not UTF-8: convert it first, such as with `iconv -f {encoding} -t UTF-8`")
}

/// Why a text is not UTF-8, from the number of its bytes that are not; `None` if few enough are.
pub(super) fn why_not_utf8(invalid: u64, bytes: u64) -> Option<String> {
    is_mostly_wrong(invalid, bytes).then(|| {
        format!(
            "it is not text: {:.1} % of its bytes are not UTF-8; if it is text in another encoding, convert it \
             to UTF-8 first",
            100.0 * invalid as f64 / bytes as f64
        )
    })
}

fn is_mostly_wrong(wrong: u64, bytes: u64) -> bool {
    100 * wrong > MAX_PERCENT_WRONG * bytes
}

/// The number of bytes that are not UTF-8. A character that the end cuts does not count.
pub(super) fn invalid_bytes(start: &[u8]) -> u64 {
    let mut utf8 = Utf8Stream::default();
    utf8.push(start, &mut String::new());
    utf8.invalid
}

/// The Unicode encoding other than UTF-8 that a byte-order mark tells, as `iconv` spells it.
fn byte_order_mark(start: &[u8]) -> Option<&'static str> {
    match start {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// The form of UTF-16 in which bytes that make no sense as UTF-8 make good sense, if there is one.
fn wide_encoding(start: &[u8]) -> Option<&'static str> {
    // A space, a line end or a digit has a zero byte in UTF-16. Shift-JIS has none, but many of its pairs of bytes
    // are letters of UTF-16.
    if !start.contains(&0) || start.len() < BYTES_OF_START && !start.len().is_multiple_of(2) {
        return None;
    }
    let pairs = || start.chunks_exact(2).map(|two| [two[0], two[1]]);
    // Two letters of ASCII are one Chinese character, but not all of a text is made of these.
    let printable = |byte: u8| (0x20..0x7f).contains(&byte);
    let both_printable = pairs().filter(|two| two.iter().all(|&byte| printable(byte))).count();
    if 2 * both_printable > pairs().count() {
        return None;
    }
    let ascii = |from_bytes: fn([u8; 2]) -> u16| pairs().filter(|&two| from_bytes(two) < 0x80).count();
    let (name, from_bytes): (_, fn([u8; 2]) -> u16) =
        match ascii(u16::from_le_bytes) >= ascii(u16::from_be_bytes) {
            true => ("UTF-16LE", u16::from_le_bytes),
            false => ("UTF-16BE", u16::from_be_bytes),
        };
    let units: Vec<u16> = pairs().map(from_bytes).collect();
    (!units.is_empty() && reads_as_text(&units)).then_some(name)
}

/// Whether UTF-16 code units are text: no zero, almost no control character and no lone surrogate, and
/// nine of ten characters are letters, digits, spaces or punctuation. Token ids and other integers fail
/// because small numbers are control characters.
fn reads_as_text(units: &[u16]) -> bool {
    // The start of a file may end within a surrogate pair.
    let whole =
        &units[..units.len() - usize::from(units.last().is_some_and(|u| (0xd800..0xdc00).contains(u)))];
    let (mut usual, mut strange) = (0, 0);
    for decoded in char::decode_utf16(whole.iter().copied()) {
        match decoded {
            Ok('\0') => return false,
            Ok('\t' | '\n' | '\r') => usual += 1,
            Ok(c) if c.is_control() => strange += 1,
            Err(_) => strange += 1,
            Ok(c) => usual += usize::from(c.is_alphanumeric() || c.is_whitespace() || is_punctuation(c)),
        }
    }
    10 * usual >= 9 * whole.len() && 100 * strange <= whole.len()
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '\u{a1}'..='\u{bf}' | '\u{300}'..='\u{36f}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}'
            | '\u{ff00}'..='\u{ffef}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn why_not_text(start: &[u8]) -> Option<String> {
        super::why_not_text(Path::new("a.txt"), start)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_is_recognised_with_and_without_a_mark() {
        for text in [
            "Grüße aus München\r\n",
            "Привет, мир.\nКак дела?\n",
            "你好，世界。\n再见\n",
            "a",
            "👋 hello there",
        ] {
            for mark in ["", "\u{feff}"] {
                for bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
                    let why = why_not_text(&utf16(&format!("{mark}{text}"), bytes)).unwrap_or_default();
                    assert!(why.contains("UTF-16") && why.contains("iconv"), "{text}: {why}");
                }
            }
        }
        assert!(why_not_text(&utf16("abcd", u16::to_be_bytes)).unwrap().contains("UTF-16BE"));
        assert!(why_not_text(b"\xff\xfe\0\0a\0\0\0").unwrap().contains("UTF-32"));
    }

    #[test]
    fn shift_jis_is_not_utf_16() {
        // 「おはよう」 and a line end, 「がっこうへいきます」 and a line end.
        let start =
            b"\x81\x75\x82\xa8\x82\xcd\x82\xe6\x82\xa4\x81\x76\n\x81\x75\x82\xaa\x82\xc1\x82\xb1\x82\xa4\
            \x82\xd6\x82\xa2\x82\xab\x82\xdc\x82\xb7\x81\x76\n";
        assert_eq!(why_not_text(start), None);
        let invalid = invalid_bytes(start);
        assert!(why_not_utf8(invalid, start.len() as u64).unwrap().contains("text in another encoding"));
    }

    #[test]
    fn token_files_are_not_utf_16() {
        // The ids of characters, as nanoGPT numbers those of Shakespeare.
        let known = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let text = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n";
        let characters: Vec<u16> = text.chars().map(|c| known.find(c).unwrap() as u16).collect();
        let gpt2 =
            [5962, 22307, 25, 198, 8421, 356, 5120, 597, 2252, 11, 3285, 502, 2740, 13, 198, 198, 3237];
        for ids in [&characters[..], &gpt2] {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            assert!(
                super::why_not_text(Path::new("train.bin"), &bytes)
                    .unwrap()
                    .contains("binary data; token ids")
            );
        }
    }

    #[test]
    fn formats_are_named() {
        let mut tar = vec![b'a'; 300];
        tar[100] = 0;
        tar[TAR_MARK].copy_from_slice(b"ustar");
        for (start, noun) in [
            (&b"PK\x03\x04\x14\0\0\0"[..], "a zip archive"),
            (b"\x89PNG\r\n\x1a\n\0\0", "a PNG picture"),
            (b"\x93NUMPY\x01\0v\0{'descr'", "a numpy array"),
            (b"%PDF-1.7\nnothing but letters", "a PDF"),
            (b"\x40\x02\0\0\0\0\0\0{\"__metadata__\"", "safetensors"),
            (b"\x80\x02}q\0(X\x04\0\0\0", "a pickle"),
            (b"BZh91AY&SY\x9c\xe9\xd3\x81\0", "a bzip2 archive"),
            (b"\0\0\x08\x03\0\0\xea\x60", "an IDX file"),
            (&tar, "a tar archive"),
            (b"abc\0def", "binary data"),
            (b"a\0b", "zero bytes (NUL); if it is a text, remove them first"),
            (b"name,size\none,1\0\0\0two,2\n", "binary data"),
            (&[7, 0, 0, 0, 9, 0, 0, 0], "binary data"),
        ] {
            let why = why_not_text(start).unwrap_or_default();
            assert!(why.starts_with("it is not text but ") && why.contains(noun), "{noun}: {why}");
        }
    }

    #[test]
    fn text_that_begins_like_a_format_is_text() {
        for text in ["BZh, he said", "RIFF-RAFF", "PAR1", "GIF8", "ID3 tags", "", "Grüße", "a\u{c}b"] {
            assert_eq!(why_not_text(text.as_bytes()), None, "{text}");
        }
        // Another encoding is told by its share of invalid bytes.
        assert_eq!(why_not_text(b"Gr\xfc\xdfe aus M\xfcnchen"), None);
        assert!(why_not_utf8(3, 17).unwrap().contains("17.6 %"));
        assert_eq!(why_not_utf8(1, 100), None);
    }
}
