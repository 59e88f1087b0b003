//! The errors of a tokenizer.

use std::fmt::{self, Display, Formatter};

use super::kind::{LARGEST_BPE, SMALLEST_BPE};
use super::special::SpecialToken;

/// An error of a tokenizer. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// An impossible number of tokens for byte-pair encoding.
    #[error("bpe:{0} is not possible: a vocabulary of byte pairs has {SMALLEST_BPE} to {LARGEST_BPE} tokens")]
    VocabSize(usize),
    /// The text has characters without a token.
    #[error(
        "the tokenizer has no token for {}: {known}, or train with the tokenizer byte or bpe:N, which know all \
         characters",
        list(characters)
    )]
    UnknownCharacters {
        /// The characters, in the order of their first occurrence.
        characters: Vec<char>,
        /// What the tokenizer knows.
        known: Known,
    },
    /// The text has words without a token.
    #[error("the tokenizer has no token for {}", without_token(words, *known))]
    UnknownWords {
        /// The words, sorted.
        words: Vec<UnknownWord>,
        /// The number of tokens.
        known: usize,
    },
    /// The text has more distinct words than a vocabulary can hold.
    #[error(
        "the text has {0} different words, and a vocabulary holds at most {LARGEST_BPE}: use the tokenizer bpe:N"
    )]
    TooManyWords(usize),
    /// The vocabulary already has this special token.
    #[error("the tokenizer already has the special token {0}")]
    DuplicateSpecial(SpecialToken),
    /// GPT-2's vocabulary is fixed.
    #[error("the tokenizer gpt2 takes no special tokens: its vocabulary is fixed; use byte or bpe:N")]
    FixedVocabulary,
    /// A saved tokenizer contradicts itself.
    #[error("the tokenizer is damaged: {0}")]
    Damaged(String),
}

impl TokenizerError {
    /// Whether a text has something without a token.
    pub fn is_of_text(&self) -> bool {
        matches!(self, Self::UnknownCharacters { .. } | Self::UnknownWords { .. })
    }
}

/// A word without a token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnknownWord {
    /// It has no token in any place.
    Everywhere(String),
    /// It has one only where there is no space before it.
    AfterSpace(String),
    /// It has one only after a space.
    WithoutSpace(String),
    /// Nothing but spaces.
    Spaces,
}

impl Display for UnknownWord {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(word) => write!(f, "\"{}\"", word.escape_debug()),
            Self::AfterSpace(word) => {
                write!(f, "\"{}\" after a space (it knows it without one)", word.escape_debug())
            }
            Self::WithoutSpace(word) => {
                write!(f, "\"{}\" without a space before it (it knows it after one)", word.escape_debug())
            }
            Self::Spaces => f.write_str("a space at the end of the text or before another space"),
        }
    }
}

/// What a tokenizer knows that does not know all characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// This many characters, those of a text.
    Characters(usize),
    /// This many of the 256 bytes, those of a vocabulary from elsewhere.
    Bytes(usize),
}

impl Display for Known {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Characters(n) => write!(
                f,
                "it knows only the {n} characters of the text that it was made from; remove the others"
            ),
            Self::Bytes(n) => write!(
                f,
                "its vocabulary, which was imported, has only {n} of the 256 bytes; remove these characters"
            ),
        }
    }
}

/// At most ten characters, escaped and quoted.
fn list(characters: &[char]) -> String {
    // A quote stands in quotes of the other kind, as it was typed.
    let quoted = |c: &char| match *c {
        '\'' => "\"'\"".into(),
        '"' => "'\"'".into(),
        c => format!("'{}'", c.escape_debug()),
    };
    first_ten(characters.iter().map(quoted), "character")
}

/// At most ten words, and what to do about each kind.
fn without_token(words: &[UnknownWord], known: usize) -> String {
    let has_spaces = words.contains(&UnknownWord::Spaces);
    let others: Vec<&UnknownWord> = words.iter().filter(|word| **word != UnknownWord::Spaces).collect();
    let spaces = has_spaces.then(|| format!("{}: leave it out", UnknownWord::Spaces));
    let others = (!others.is_empty()).then(|| {
        format!(
            "{}: it knows only the {known} words and signs of the text that it was made from; use other words, or \
             train with the tokenizer byte or bpe:N, which know all words",
            first_ten(others.iter().map(ToString::to_string), "word")
        )
    });
    [spaces, others].into_iter().flatten().collect::<Vec<_>>().join("; and none for ")
}

fn first_ten(all: impl ExactSizeIterator<Item = String>, noun: &str) -> String {
    let more = all.len().saturating_sub(10);
    let shown: Vec<String> = all.take(10).collect();
    match more {
        0 => shown.join(", "),
        1 => format!("{} and 1 more {noun}", shown.join(", ")),
        more => format!("{} and {more} more {noun}s", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_a_token_are_listed_as_they_are_typed() {
        assert_eq!(list(&['ö', '"', '\'', '\n', '\\']), r#"'ö', '"', "'", '\n', '\\'"#);
        let list_of = |n: usize| list(&('a'..='z').take(n).collect::<Vec<_>>());
        assert!(list_of(10).ends_with("'i', 'j'"));
        assert!(list_of(11).ends_with("'j' and 1 more character"));
        assert!(list_of(12).ends_with("'j' and 2 more characters"));
    }
}
