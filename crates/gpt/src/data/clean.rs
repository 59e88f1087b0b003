//! How text is cleaned.
//!
//! A byte-order mark at the beginning of a file is dropped, CRLF becomes LF, and
//! what is not UTF-8 becomes U+FFFD, if it is at most one byte in a hundred: a file
//! with more is not text.

use crate::utf8::Utf8Stream;

/// What was read, and what was cleaned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cleaned {
    pub bytes: u64,
    pub byte_order_marks: u64,
    pub crlfs: u64,
    pub invalid: u64,
}

/// Cleans one text.
#[derive(Default)]
pub(super) struct Cleaner {
    utf8: Utf8Stream,
    /// Whether the last piece ended in a CR, whose LF may come.
    return_waits: bool,
    begun: bool,
    pub cleaned: Cleaned,
}

impl Cleaner {
    /// Appends to `text` what is clean with these bytes.
    pub fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.cleaned.bytes += bytes.len() as u64;
        self.resume(text);
        self.utf8.push(bytes, text);
        self.clean(text, false);
    }

    /// Appends what waited for more.
    pub fn finish(&mut self, text: &mut String) {
        self.resume(text);
        self.utf8.finish(text);
        self.clean(text, true);
    }

    fn resume(&mut self, text: &mut String) {
        if std::mem::take(&mut self.return_waits) {
            text.push('\r');
        }
    }

    fn clean(&mut self, text: &mut String, last: bool) {
        if !self.begun && text.starts_with('\u{feff}') {
            text.remove(0);
            self.cleaned.byte_order_marks += 1;
            self.begun = true;
        }
        self.begun |= !text.is_empty();
        if !last && text.ends_with('\r') {
            text.pop();
            self.return_waits = true;
        }
        let crlfs = text.matches("\r\n").count() as u64;
        if crlfs > 0 {
            *text = text.replace("\r\n", "\n");
            self.cleaned.crlfs += crlfs;
        }
        self.cleaned.invalid = self.utf8.invalid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Wherever the pieces end.
        #[test]
        fn pieces_are_cleaned_as_the_whole(
            bytes in prop::collection::vec(prop::sample::select(&b"\r\n\xef\xbb\xbfa"[..]), 0..40),
            size in 1..7_usize,
        ) {
            let clean = |size: usize| {
                let (mut cleaner, mut all) = (Cleaner::default(), String::new());
                for piece in bytes.chunks(size) {
                    let mut text = String::new();
                    cleaner.push(piece, &mut text);
                    all += &text;
                }
                let mut text = String::new();
                cleaner.finish(&mut text);
                (all + &text, cleaner.cleaned)
            };
            prop_assert_eq!(clean(size), clean(1000));
            let whole = String::from_utf8_lossy(&bytes).into_owned();
            let expected = whole.strip_prefix('\u{feff}').unwrap_or(&whole).replace("\r\n", "\n");
            prop_assert_eq!(clean(size).0, expected);
        }
    }
}
