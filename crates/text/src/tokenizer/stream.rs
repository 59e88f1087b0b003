//! Decodes token ids to printable text, one token at a time.

use super::vocabulary::Tokenizer;
use crate::utf8::Utf8Stream;

/// Decodes tokens one by one. A token may hold a part of a character, which is held back
/// until the character is complete. The concatenated strings equal [`Tokenizer::decode`]
/// of all tokens.
#[derive(Debug, Clone)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    utf8: Utf8Stream,
}

impl<'a> StreamDecoder<'a> {
    /// A decoder at the start of a text.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, utf8: Utf8Stream::default() }
    }

    /// The text that this token completes; empty within a character.
    pub fn push(&mut self, id: u32) -> String {
        let mut text = String::new();
        self.utf8.push(&self.tokenizer.decode_bytes(&[id]), &mut text);
        text
    }

    /// The rest of the text: U+FFFD if the last character is incomplete, otherwise empty.
    pub fn finish(mut self) -> String {
        let mut text = String::new();
        self.utf8.finish(&mut text);
        text
    }
}

impl Tokenizer {
    /// A decoder for tokens that are printed as they arrive.
    pub fn stream(&self) -> StreamDecoder<'_> {
        StreamDecoder::new(self)
    }
}
