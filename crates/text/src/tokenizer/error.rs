//! The errors of a tokenizer.

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
        "the tokenizer has no token for {}: it knows only the {known} characters of the text that it was made \
         from; remove the others, or train with the tokenizer byte, gpt2 or bpe:N, which know all characters",
        list(characters)
    )]
    UnknownCharacters {
        /// The characters, in the order of their first occurrence.
        characters: Vec<char>,
        /// The number of characters that the tokenizer knows.
        known: usize,
    },
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

/// At most ten characters, escaped and quoted.
fn list(characters: &[char]) -> String {
    let shown: Vec<String> = characters.iter().take(10).map(|c| format!("'{}'", c.escape_debug())).collect();
    match characters.len().saturating_sub(10) {
        0 => shown.join(", "),
        more => format!("{} and {more} more characters", shown.join(", ")),
    }
}
