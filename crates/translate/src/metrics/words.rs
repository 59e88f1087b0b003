//! Text to words, as evaluations of machine translation split it.

use serde::{Deserialize, Serialize};

/// How a sentence becomes words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tokenization {
    /// The rules of the NIST script mteval-v13a: splits off punctuation and symbols, but not the points
    /// and commas of numbers, and reads four HTML entities.
    #[default]
    #[serde(rename = "13a")]
    V13a,
    /// Only at white space.
    #[serde(rename = "none")]
    None,
}

impl Tokenization {
    /// The name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::None => "none",
        }
    }

    /// The words of a sentence.
    pub(super) fn words(self, sentence: &str) -> Vec<String> {
        match self {
            Self::V13a => split(&v13a(sentence.trim_end_matches(is_space))).map(String::from).collect(),
            Self::None => split(sentence).map(String::from).collect(),
        }
    }
}

/// White space as Python sees it: Unicode's, and four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// The parts of a text between white space.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// Puts spaces around everything that is a word of its own.
fn v13a(line: &str) -> String {
    let mut line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        line = line.replace(entity, character);
    }
    let mut spaced = String::from(" ");
    for c in line.chars() {
        match is_symbol(c) {
            true => spaced.extend([' ', c, ' ']),
            false => spaced.push(c),
        }
    }
    spaced.push(' ');
    // Points and commas are part of a number only between two digits; a dash is not after a digit.
    let digit = |c: char| c.is_ascii_digit();
    let point = |c: char| c == '.' || c == ',';
    let after_other = pairs(&spaced, |a, b| !digit(a) && point(b), |a, b| [a, ' ', b, ' ']);
    let before_other = pairs(&after_other, |a, b| point(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    pairs(&before_other, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' '])
}

/// All ASCII symbols but `'`, `,`, `-` and `.`.
fn is_symbol(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.')
}

/// Replaces each pair of neighbours that `matches`, from the left; pairs do not overlap.
fn pairs(
    text: &str,
    matches: impl Fn(char, char) -> bool,
    replace: impl Fn(char, char) -> [char; 4],
) -> String {
    let mut out = String::with_capacity(2 * text.len());
    let mut rest = text.chars().peekable();
    while let Some(a) = rest.next() {
        match rest.next_if(|&b| matches(a, b)) {
            Some(b) => out.extend(replace(a, b)),
            None => out.push(a),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_13a() {
        let cases = [
            ("\"It's 1,000.5, no?\" he said.", "\" It's 1,000.5 , no ? \" he said ."),
            ("10-20 a-b 3.5% A.B. 5.x", "10 - 20 a-b 3.5 % A . B . 5 . x"),
            ("Tom &amp; Ann &lt;3 &quot;x&quot; &amp;lt;", "Tom & Ann < 3 \" x \" <"),
            ("wait... ,, 1,,2", "wait . . . , , 1 , , 2"),
            ("a\u{a0}b\u{1c}c <skipped>d", "a b c d"),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(Tokenization::V13a.words(text).join(" "), want, "{text}");
        }
        assert_eq!(Tokenization::None.words(" a  b, c\n"), ["a", "b,", "c"]);
    }
}
