//! Token ids as printable text, while they come.

use super::Tokenizer;
use crate::utf8::Utf8Stream;

/// Turns tokens into pieces of text without splitting a character: a token may
/// hold half of one. All pieces together are what [`Tokenizer::decode`] gives for
/// all tokens at once.
#[derive(Debug, Clone)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    utf8: Utf8Stream,
}

impl<'a> StreamDecoder<'a> {
    /// A decoder at the beginning of a text.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, utf8: Utf8Stream::default() }
    }

    /// The text that is complete with this token; often empty inside a character.
    pub fn push(&mut self, id: u32) -> String {
        let mut text = String::new();
        self.utf8.push(&self.tokenizer.decode_bytes(&[id]), &mut text);
        text
    }

    /// What is left at the end: U+FFFD if a character lacks its end, else nothing.
    pub fn finish(mut self) -> String {
        let mut text = String::new();
        self.utf8.finish(&mut text);
        text
    }
}
