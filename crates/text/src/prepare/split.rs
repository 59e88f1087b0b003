//! Cuts a text into a training and a validation split, and both into pieces.

use m2g_core::memory;

use crate::error::TextError;
use crate::source::{Cleaned, Documents, Found, Part, Source};

/// The approximate size of the pieces.
const BYTES_PER_PIECE: usize = 1 << 20;

/// Bytes of memory for a byte of text that cannot be cut, which is merged as one word: measured with gpt2.
const MEMORY_PER_BYTE_UNCUT: u64 = 36;

/// One of the two splits of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Train,
    Val,
}

/// A text that was read once, so that its length is known.
pub(super) struct SplitText<'a> {
    pub source: &'a Source,
    /// Where its documents end.
    pub documents: &'a Documents,
    /// The counts of the first pass, by which a change of the text is noticed.
    pub counted: (Cleaned, Found),
    /// Characters in the training split, at the start of the text.
    pub train_characters: u64,
    /// Whether the training split goes on to the end of its last word, so that no word is cut in two.
    pub whole_words: bool,
}

impl SplitText<'_> {
    /// Reads the text and passes it to `visit` in pieces. A piece ends where `last_cut` allows
    /// it, or where a document or a split ends. Like [`Tokenizer::last_cut`](crate::Tokenizer::last_cut), it
    /// takes a text and the byte offset from which to search.
    pub fn for_each_piece(
        &self,
        last_cut: &dyn Fn(&str, usize) -> Option<usize>,
        progress: &mut dyn FnMut(u64) -> bool,
        visit: &mut dyn FnMut(Split, Part<'_>) -> Result<(), TextError>,
    ) -> Result<(), TextError> {
        let mut train_left = self.train_characters;
        let mut split = Split::Train;
        let mut buffer = String::new();
        // There is no cut before this offset of the buffer.
        let mut searched = 0;
        let counted = self.source.read_documents(self.documents, progress, &mut |part| {
            let Part::Text(mut text) = part else {
                visit(split, Part::Text(&buffer))?;
                buffer.clear();
                searched = 0;
                return visit(split, part);
            };
            if split == Split::Train {
                let characters = text.chars().count() as u64;
                if characters < train_left {
                    train_left -= characters;
                } else {
                    let mut end =
                        text.char_indices().nth(train_left as usize).map_or(text.len(), |(at, _)| at);
                    if self.whole_words {
                        let before = text[..end].chars().next_back().or(buffer.chars().next_back());
                        match end_of_word(&text[end..], before) {
                            Some(more) => end += more,
                            None => {
                                // The word goes on in the text that follows.
                                train_left = 0;
                                buffer.push_str(text);
                                return Ok(());
                            }
                        }
                    }
                    buffer.push_str(&text[..end]);
                    visit(Split::Train, Part::Text(&buffer))?;
                    buffer.clear();
                    searched = 0;
                    split = Split::Val;
                    text = &text[end..];
                }
            }
            buffer.push_str(text);
            if buffer.len() - searched < BYTES_PER_PIECE {
                return Ok(());
            }
            match last_cut(&buffer, searched) {
                Some(end) => {
                    visit(split, Part::Text(&buffer[..end]))?;
                    buffer.drain(..end);
                    searched = 0;
                }
                // More text may allow a cut right after the last character.
                None => {
                    self.check_uncut(buffer.len(), memory::available())?;
                    searched = buffer.char_indices().next_back().map_or(0, |(at, _)| at);
                }
            }
            Ok(())
        })?;
        if split == Split::Train && self.whole_words && counted == self.counted {
            return Err(self.source.error(
                "it has no white space after a word where the part for validation could begin: use another tokenizer",
            ));
        }
        if counted != self.counted || split == Split::Train {
            return Err(self.source.error("the text changed while it was being read: try again"));
        }
        visit(split, Part::Text(&buffer))
    }

    /// Checks that there is memory to encode a part of this many bytes without a place to cut it.
    fn check_uncut(&self, bytes: usize, available: Option<u64>) -> Result<(), TextError> {
        let needed = (bytes as u64).saturating_mul(MEMORY_PER_BYTE_UNCUT);
        if available.is_none_or(|available| needed <= available) {
            return Ok(());
        }
        Err(self.source.error(format!(
            "more than {} MB of it have no place where this tokenizer can cut the text, such as a space before a word, \
             and to encode them as one piece needs more memory than there is: put line ends into the text, or use the \
             tokenizer char or byte",
            bytes / 1_000_000
        )))
    }
}

/// The byte offset of the first white space of `text` that follows another character; `before` is the one before
/// the text.
fn end_of_word(text: &str, mut before: Option<char>) -> Option<usize> {
    text.char_indices().find_map(|(at, c)| {
        let ends = c.is_whitespace() && before.is_some_and(|before| !before.is_whitespace());
        before = Some(c);
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_larger_than_the_memory_is_refused() {
        let (source, documents) = (&Source::text("dna.txt", String::new()), &Documents::ONE);
        let counted = Default::default();
        let text = SplitText { source, documents, counted, train_characters: 1, whole_words: false };
        assert!(text.check_uncut(1 << 30, None).is_ok());
        assert!(text.check_uncut(1_000_000, Some(36_000_000)).is_ok());
        let error =
            text.check_uncut(2_000_000, Some(71_999_999)).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("dna.txt: more than 2 MB of it have no place where"), "{error}");
    }
}
