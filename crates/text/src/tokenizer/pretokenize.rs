//! GPT-2's words, across which no pairs are merged: letters, digits or other signs with
//! the space before them, and white space (Radford et al. 2019, `encoder.py`).
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! The look-ahead leaves the last white-space character before a word to that word:
//! here `\s+` matches, and its last character is then given back.

use std::sync::LazyLock;

use regex::Regex;

/// The pattern without the look-ahead. Every character starts a match.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^(?:'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+)";
    Regex::new(pattern).expect("the pattern is a constant and is tested")
});

/// The words of a text in order. Concatenated, they are the text.
pub(crate) fn words(text: &str) -> Words<'_> {
    Words { rest: text }
}

/// The iterator of [`words`].
pub(crate) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let mut end = PATTERN.find(self.rest).map_or(self.rest.len(), |m| m.end());
        let first_is_space = self.rest.starts_with(char::is_whitespace);
        if first_is_space && end < self.rest.len() {
            let mut backwards = self.rest[..end].char_indices().rev();
            if let Some((last, c)) = backwards.next()
                && last > 0
                && c.is_whitespace()
            {
                end = last;
            }
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

/// The last byte offset in `text`, at or after `from`, where a cut does not
/// change the words: between a character that is not white space and one that is.
pub(crate) fn last_cut(text: &str, from: usize) -> Option<usize> {
    let mut space_at = None;
    for (at, c) in text[from..].char_indices().rev() {
        match (c.is_whitespace(), space_at) {
            (true, _) => space_at = Some(from + at),
            (false, Some(cut)) => return Some(cut),
            (false, None) => {}
        }
    }
    None
}
