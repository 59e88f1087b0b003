//! Special tokens: ids that a model is trained with and that no text encodes to.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// A token that stands for no text.
///
/// Its spelling is for display only. A text that contains the spelling is encoded
/// like any other text, so it cannot smuggle in a special token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpecialToken {
    /// Comes before the first token of a sequence.
    Beginning,
    /// Comes after the last token of a text.
    EndOfText,
    /// Fills a row of a batch up to the length of the longest row.
    Padding,
}

impl SpecialToken {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Beginning, Self::EndOfText, Self::Padding];

    /// The special token with this spelling, if there is one.
    pub fn spelled(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|token| token.spelling() == text)
    }

    /// The spelling with which [`Tokenizer::decode`](super::Tokenizer::decode) shows it.
    pub fn spelling(self) -> &'static str {
        match self {
            Self::Beginning => "<|beginning|>",
            Self::EndOfText => "<|endoftext|>",
            Self::Padding => "<|padding|>",
        }
    }
}

impl Display for SpecialToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.spelling())
    }
}
