//! GPT-2's words, across which no pairs are merged: letters, digits or other signs with
//! the space before them, and white space (Radford et al. 2019, `encoder.py`).
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! The look-ahead leaves the last white-space character before a word to that word.

use unicode_general_category::{GeneralCategory, get_general_category};

/// The endings that are words of their own.
const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The class of a character in the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// `\s`
    Space,
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `[^\s\p{L}\p{N}]`
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        use GeneralCategory::{
            DecimalNumber, LetterNumber, LowercaseLetter, ModifierLetter, OtherLetter, OtherNumber,
            TitlecaseLetter, UppercaseLetter,
        };
        match c {
            'a'..='z' | 'A'..='Z' => return Self::Letter,
            '0'..='9' => return Self::Number,
            _ if c.is_whitespace() => return Self::Space,
            _ if c.is_ascii() => return Self::Other,
            _ => {}
        }
        match get_general_category(c) {
            UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => {
                Self::Letter
            }
            DecimalNumber | LetterNumber | OtherNumber => Self::Number,
            _ => Self::Other,
        }
    }
}

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
        let (word, rest) = self.rest.split_at(first_word_len(self.rest)?);
        self.rest = rest;
        Some(word)
    }
}

/// The length of the first word in bytes; `None` if `text` is empty.
fn first_word_len(text: &str) -> Option<usize> {
    let first = Class::of(text.chars().next()?);
    if let Some(ending) = CONTRACTIONS.iter().find(|&&ending| text.starts_with(ending)) {
        return Some(ending.len());
    }
    // The class of the first character after an optional space.
    let after_space = text.strip_prefix(' ').and_then(|rest| rest.chars().next()).map(Class::of);
    match (first, after_space) {
        (Class::Space, Some(class)) if class != Class::Space => Some(1 + run_len(&text[1..], class)),
        (Class::Space, _) => {
            let spaces = run_len(text, Class::Space);
            let last = text[..spaces].char_indices().next_back().map_or(0, |(at, _)| at);
            // The last space before a word belongs to the word, unless it is the only one.
            Some(if spaces < text.len() && last > 0 { last } else { spaces })
        }
        (class, _) => Some(run_len(text, class)),
    }
}

/// The length in bytes of the characters of `class` at the start of `text`.
fn run_len(text: &str, class: Class) -> usize {
    text.find(|c| Class::of(c) != class).unwrap_or(text.len())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Compares with the `regex` crate, for every character of Unicode.
    #[test]
    fn classes_are_those_of_the_pattern() {
        let every_character: String = ('\0'..=char::MAX).collect();
        let pattern = regex::Regex::new(r"(\s+)|(\p{L}+)|(\p{N}+)|([^\s\p{L}\p{N}]+)").unwrap();
        for run in pattern.captures_iter(&every_character) {
            let classes = [Class::Space, Class::Letter, Class::Number, Class::Other];
            let want = (1..).zip(classes).find(|&(group, _)| run.get(group).is_some()).unwrap().1;
            for c in run[0].chars() {
                assert_eq!(Class::of(c), want, "U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn words_of_a_line() {
        let words: Vec<_> = words("I've  3 cats,\tthey're\n\n ok 'so' \u{a0} ").collect();
        let want = [
            "I", "'ve", " ", " 3", " cats", ",", "\t", "they", "'re", "\n\n", " ok", " '", "so", "'",
            " \u{a0} ",
        ];
        assert_eq!(words, want);
    }
}
