//! GPT-2's pieces: words with the space before them, numbers, signs and white
//! space, across which no pairs are merged (Radford et al. 2019, `encoder.py`).
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! The one look-ahead says that white space before a word leaves its last
//! character to the word: `\s+` is matched, and that character given back.

use std::sync::LazyLock;

use regex::Regex;

/// The pattern without the look-ahead. Every character begins a match.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^(?:'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+)";
    Regex::new(pattern).expect("the pattern is a constant, and tested")
});

/// The pieces of a text, in order; joined they are the text.
pub(crate) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: text }
}

/// What [`pieces`] gives.
pub(crate) struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
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
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(piece)
    }
}

/// The last place in `text`, from `from` on, at which it may be cut without a
/// change to its pieces: between a character that is no white space and one that is.
pub(crate) fn last_border(text: &str, from: usize) -> Option<usize> {
    let mut space_at = None;
    for (at, c) in text[from..].char_indices().rev() {
        match (c.is_whitespace(), space_at) {
            (true, _) => space_at = Some(from + at),
            (false, Some(border)) => return Some(border),
            (false, None) => {}
        }
    }
    None
}
