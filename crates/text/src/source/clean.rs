//! Cleans text: drops a byte-order mark at the start of a file, replaces CRLF by LF and
//! invalid UTF-8 by U+FFFD.

use crate::utf8::Utf8Stream;

/// Counts of what was read and what was cleaned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Bytes read.
    pub bytes: u64,
    /// Byte-order marks dropped.
    pub byte_order_marks: u64,
    /// CRLFs replaced by LF.
    pub crlfs: u64,
    /// CRs without an LF, which are kept.
    pub crs: u64,
    /// Bytes that were not UTF-8.
    pub invalid: u64,
    /// Zero bytes, which are kept.
    pub zeros: u64,
}

/// Cleans a file that arrives in chunks.
#[derive(Default)]
pub(super) struct Cleaner {
    utf8: Utf8Stream,
    /// Whether the last chunk ended in a CR, which is held back in case an LF follows.
    pending_cr: bool,
    /// Whether any text has arrived.
    started: bool,
    pub cleaned: Cleaned,
}

impl Cleaner {
    /// Writes the clean text of these bytes to `text`, which must be empty.
    pub fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.cleaned.bytes += bytes.len() as u64;
        self.cleaned.zeros += bytes.iter().filter(|&&byte| byte == 0).count() as u64;
        self.resume(text);
        self.utf8.push(bytes, text);
        self.clean(text, false);
    }

    /// Writes what was held back to `text`, which must be empty.
    pub fn finish(&mut self, text: &mut String) {
        self.resume(text);
        self.utf8.finish(text);
        self.clean(text, true);
    }

    fn resume(&mut self, text: &mut String) {
        if std::mem::take(&mut self.pending_cr) {
            text.push('\r');
        }
    }

    fn clean(&mut self, text: &mut String, last: bool) {
        if !self.started && text.starts_with('\u{feff}') {
            text.remove(0);
            self.cleaned.byte_order_marks += 1;
            self.started = true;
        }
        self.started |= !text.is_empty();
        if !last && text.ends_with('\r') {
            text.pop();
            self.pending_cr = true;
        }
        let crlfs = text.matches("\r\n").count() as u64;
        if crlfs > 0 {
            *text = text.replace("\r\n", "\n");
            self.cleaned.crlfs += crlfs;
        }
        self.cleaned.crs += text.matches('\r').count() as u64;
        self.cleaned.invalid = self.utf8.invalid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_are_cleaned_as_the_whole_is(
            bytes in prop::collection::vec(prop::sample::select(&b"\r\n\xef\xbb\xbfa\0"[..]), 0..40),
            size in 1..7_usize,
        ) {
            let clean = |size: usize| {
                let (mut cleaner, mut all) = (Cleaner::default(), String::new());
                for chunk in bytes.chunks(size) {
                    let mut text = String::new();
                    cleaner.push(chunk, &mut text);
                    all += &text;
                }
                let mut text = String::new();
                cleaner.finish(&mut text);
                (all + &text, cleaner.cleaned)
            };
            prop_assert_eq!(clean(size), clean(1000));
            let whole = String::from_utf8_lossy(&bytes).into_owned();
            let expected = whole.strip_prefix('\u{feff}').unwrap_or(&whole).replace("\r\n", "\n");
            let cleaned = clean(size).1;
            let counts = ['\r', '\0'].map(|c| expected.matches(c).count() as u64);
            prop_assert_eq!([cleaned.crs, cleaned.zeros], counts);
            prop_assert_eq!(clean(size).0, expected);
        }
    }
}
