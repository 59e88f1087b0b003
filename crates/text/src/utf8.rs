//! UTF-8 that arrives in chunks, cut at any byte.

/// Decodes bytes as they arrive. The first bytes of a character are held back until the rest
/// arrive. Invalid bytes become U+FFFD, exactly where [`String::from_utf8_lossy`]
/// puts it.
#[derive(Debug, Clone, Default)]
pub struct Utf8Stream {
    /// The first bytes of an incomplete character: at most 3.
    pending: Vec<u8>,
    /// The number of invalid bytes so far.
    pub invalid: u64,
}

impl Utf8Stream {
    /// Appends to `text` the characters that these bytes complete.
    pub fn push(&mut self, bytes: &[u8], text: &mut String) {
        let mut joined = std::mem::take(&mut self.pending);
        let bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let mut seen = 0;
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let bad = chunk.invalid();
            seen += chunk.valid().len() + bad.len();
            if bad.is_empty() {
                continue;
            }
            let cut = std::str::from_utf8(bad).is_err_and(|e| e.error_len().is_none());
            if cut && seen == bytes.len() {
                self.pending = bad.to_vec();
            } else {
                self.replace(bad.len(), text);
            }
        }
    }

    /// Ends the text: a character that is still incomplete becomes U+FFFD.
    pub fn finish(&mut self, text: &mut String) {
        let cut = std::mem::take(&mut self.pending).len();
        if cut > 0 {
            self.replace(cut, text);
        }
    }

    fn replace(&mut self, bytes: usize, text: &mut String) {
        text.push(char::REPLACEMENT_CHARACTER);
        self.invalid += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_incomplete_character_is_held_back() {
        let (mut stream, mut text) = (Utf8Stream::default(), String::new());
        for (byte, so_far) in "a€".bytes().zip(["a", "a", "a", "a€"]) {
            stream.push(&[byte], &mut text);
            assert_eq!(text, so_far);
        }
        assert_eq!(stream.invalid, 0);
    }

    proptest! {
        #[test]
        fn chunks_decode_as_the_whole_does(
            pieces in prop::collection::vec(
                prop::collection::vec(prop::sample::select(&b"a\x80\xbf\xc3\xe2\x82\xac\xf0\x9f\xed\xa0\xff"[..]), 0..6),
                0..12,
            ),
        ) {
            let (mut stream, mut text) = (Utf8Stream::default(), String::new());
            pieces.iter().for_each(|piece| stream.push(piece, &mut text));
            stream.finish(&mut text);
            let whole = pieces.concat();
            prop_assert_eq!(&text, &String::from_utf8_lossy(&whole));
            let valid: usize = whole.utf8_chunks().map(|c| c.valid().len()).sum();
            prop_assert_eq!(stream.invalid as usize, whole.len() - valid);
        }
    }
}
