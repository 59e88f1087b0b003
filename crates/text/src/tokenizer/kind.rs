//! The names of the tokenizers.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use m2g_core::Error;

/// How text becomes tokens: `char`, `word`, `byte`, `gpt2` or `bpe:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerKind {
    /// One token for each distinct character of the text.
    Char,
    /// One token for each distinct word of the text, with the space before it.
    Word,
    /// One token for each of the 256 bytes.
    Byte,
    /// GPT-2's 50,257 tokens.
    Gpt2,
    /// Byte pairs learned from the text, with this number of tokens including the bytes and, if
    /// the text has documents, the end-of-text token.
    Bpe(usize),
}

/// The 256 bytes and no merges.
pub(crate) const SMALLEST_BPE: usize = 256;
/// Beyond this, the table of embeddings would be the whole model.
pub(super) const LARGEST_BPE: usize = 1 << 20;

/// Whether byte pairs can have this number of tokens.
pub(super) fn is_bpe_size(tokens: usize) -> bool {
    (SMALLEST_BPE..=LARGEST_BPE).contains(&tokens)
}

impl FromStr for TokenizerKind {
    type Err = Error;

    /// Reads a name.
    ///
    /// # Errors
    /// [`Error::Setting`], of the setting `tokenizer`.
    fn from_str(name: &str) -> Result<Self, Error> {
        let setting = |value| {
            let rule = "it must be char, word, byte, gpt2 or bpe:N, where N is from 256 to 1048576 tokens";
            Err(Error::Setting { name: "tokenizer", value, rule })
        };
        match (name, name.strip_prefix("bpe:").map(usize::from_str)) {
            ("char", _) => Ok(Self::Char),
            ("word", _) => Ok(Self::Word),
            ("byte", _) => Ok(Self::Byte),
            ("gpt2", _) => Ok(Self::Gpt2),
            (_, Some(Ok(tokens))) if is_bpe_size(tokens) => Ok(Self::Bpe(tokens)),
            (_, Some(Ok(_))) => setting(name.into()),
            _ => setting(format!("'{}'", name.escape_debug())),
        }
    }
}

impl Display for TokenizerKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char => f.write_str("char"),
            Self::Word => f.write_str("word"),
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
    fn names_round_trip() {
        for name in ["char", "word", "byte", "gpt2", "bpe:256", "bpe:1000"] {
            assert_eq!(name.parse::<TokenizerKind>().unwrap().to_string(), name);
        }
        for name in
            ["", "chars", "bpe", "bpe:", "bpe:255", "bpe:-1", "bpe:99999999999999999999", "bpe:2000000"]
        {
            let error = name.parse::<TokenizerKind>().unwrap_err().to_string();
            assert!(error.starts_with("tokenizer is ") && error.contains("bpe:N"), "{error}");
        }
    }
}
