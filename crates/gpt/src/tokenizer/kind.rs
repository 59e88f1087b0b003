//! The names of the tokenizers.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::TokenizerError;

/// How text becomes tokens: `char`, `byte`, `gpt2` or `bpe:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerKind {
    /// One token for each distinct character of the text.
    Char,
    /// One token for each of the 256 bytes.
    Byte,
    /// GPT-2's 50,257 tokens.
    Gpt2,
    /// Byte pairs learnt from the text, so many tokens in all.
    Bpe(usize),
}

/// The sizes that a vocabulary of byte pairs can have.
const SIZES: std::ops::RangeInclusive<usize> = 256..=1 << 20;

/// `tokens`, if byte pairs can have so many.
pub(super) fn checked(tokens: usize) -> Result<usize, TokenizerError> {
    let kind = Some(tokens).filter(|n| SIZES.contains(n));
    kind.ok_or_else(|| TokenizerError::Kind(TokenizerKind::Bpe(tokens).to_string()))
}

impl FromStr for TokenizerKind {
    type Err = TokenizerError;

    fn from_str(name: &str) -> Result<Self, TokenizerError> {
        match (name, name.strip_prefix("bpe:").map(usize::from_str)) {
            ("char", _) => Ok(Self::Char),
            ("byte", _) => Ok(Self::Byte),
            ("gpt2", _) => Ok(Self::Gpt2),
            (_, Some(Ok(tokens))) => checked(tokens).map(Self::Bpe),
            _ => Err(TokenizerError::Kind(format!("'{}'", name.escape_debug()))),
        }
    }
}

impl Display for TokenizerKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char => f.write_str("char"),
            Self::Byte => f.write_str("byte"),
            Self::Gpt2 => f.write_str("gpt2"),
            Self::Bpe(tokens) => write!(f, "bpe:{tokens}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["char", "byte", "gpt2", "bpe:256", "bpe:1000"] {
            assert_eq!(name.parse::<TokenizerKind>().unwrap().to_string(), name);
        }
        for name in
            ["", "chars", "bpe", "bpe:", "bpe:255", "bpe:-1", "bpe:99999999999999999999", "bpe:2000000"]
        {
            let error = name.parse::<TokenizerKind>().unwrap_err().to_string();
            assert!(error.contains("--tokenizer") && error.contains("bpe:N"), "{error}");
        }
    }
}
