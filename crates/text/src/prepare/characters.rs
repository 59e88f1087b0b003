//! The set of characters of a text.

use std::collections::BTreeSet;

/// Counts the characters of a text, and remembers which ones occurred.
pub(super) struct CharacterSet {
    /// The length of the text in characters.
    pub count: u64,
    /// One bit for each Unicode scalar value.
    seen: Vec<u64>,
}

impl Default for CharacterSet {
    fn default() -> Self {
        Self { count: 0, seen: vec![0; (char::MAX as usize + 1) / 64] }
    }
}

impl CharacterSet {
    /// Adds the characters of `text`.
    pub fn add(&mut self, text: &str) {
        for c in text.chars() {
            self.count += 1;
            self.seen[c as usize / 64] |= 1 << (c as usize % 64);
        }
    }

    /// The distinct characters.
    pub fn distinct(&self) -> BTreeSet<char> {
        let seen = |c: &char| self.seen[*c as usize / 64] >> (*c as usize % 64) & 1 == 1;
        ('\0'..=char::MAX).filter(seen).collect()
    }

    /// Whether no character is visible.
    pub fn is_white_space(&self) -> bool {
        self.distinct().into_iter().all(char::is_whitespace)
    }

    /// The only distinct character, if there is exactly one.
    pub fn only_one(&self) -> Option<char> {
        let distinct = self.distinct();
        distinct.first().copied().filter(|_| distinct.len() == 1)
    }
}
