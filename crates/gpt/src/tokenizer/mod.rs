//! From text to token ids and back.
//!
//! | file | holds |
//! | --- | --- |
//! | `char` | one token for each character of a text |
//! | `bpe` | byte pairs: bytes, of which the most frequent pairs were merged |
//! | `train` | which pairs to merge, learnt from a text |
//! | `pretokenize` | the words, numbers and spaces across which GPT-2 merges nothing |
//! | `gpt2` | GPT-2's 50,257 tokens |
//! | `stream` | token ids as printable text, while they come |
//!
//! ```
//! use m2g_gpt::tokenizer::Tokenizer;
//!
//! let gpt2 = Tokenizer::gpt2();
//! let ids = gpt2.encode("To be, or not to be")?;
//! assert_eq!(ids, [2514, 307, 11, 393, 407, 284, 307]);
//! assert_eq!(gpt2.decode(&ids), "To be, or not to be");
//! # Ok::<(), m2g_gpt::tokenizer::TokenizerError>(())
//! ```

mod bpe;
mod char;
mod error;
mod gpt2;
mod kind;
pub(crate) mod pretokenize;
mod stream;
pub(crate) mod train;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use self::error::TokenizerError;
pub use self::kind::TokenizerKind;
pub use self::stream::StreamDecoder;

use self::bpe::{Bpe, Words};
use self::char::Characters;

/// One of the four ways to cut text into tokens, with its vocabulary.
///
/// It is saved as JSON, in checkpoints and as the `tokenizer.json` of prepared
/// data; what is read is checked before it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Tokenizer(Vocabulary);

#[derive(Debug, Clone, PartialEq)]
enum Vocabulary {
    Char(Characters),
    Byte,
    Gpt2,
    Bpe(Bpe),
}

impl Tokenizer {
    /// The tokens are the distinct characters of `text`, in the order of Unicode.
    pub fn char(text: &str) -> Self {
        Self::of_characters(text.chars().collect())
    }

    /// The tokens are these characters.
    pub(crate) fn of_characters(characters: std::collections::BTreeSet<::core::primitive::char>) -> Self {
        Self(Vocabulary::Char(Characters::new(characters)))
    }

    /// The tokens are the 256 bytes of UTF-8.
    pub fn byte() -> Self {
        Self(Vocabulary::Byte)
    }

    /// GPT-2's 50,257 tokens. `<|endoftext|>` has an id, 50256, but text never
    /// becomes it: in a text, these are thirteen ordinary characters.
    pub fn gpt2() -> Self {
        Self(Vocabulary::Gpt2)
    }

    /// Byte pairs learnt from `text`: the 256 bytes, and as many merges as make
    /// `tokens` in all, or fewer if the text has no more pairs.
    ///
    /// # Errors
    /// [`TokenizerError::Kind`] unless `tokens` is one that [`TokenizerKind`] takes.
    pub fn bpe(text: &str, tokens: usize) -> Result<Self, TokenizerError> {
        let mut counts = train::Counts::default();
        counts.add(text);
        Self::of_counts(counts, tokens)
    }

    /// The same, from words that were counted before.
    pub(crate) fn of_counts(counts: train::Counts, tokens: usize) -> Result<Self, TokenizerError> {
        let tokens = kind::checked(tokens)?;
        Ok(Self(Vocabulary::Bpe(Bpe::of_merges(train::merges(counts, tokens - 256))?)))
    }

    /// How text becomes tokens. The N of `bpe:N` is the number of tokens there are.
    pub fn kind(&self) -> TokenizerKind {
        match &self.0 {
            Vocabulary::Char(_) => TokenizerKind::Char,
            Vocabulary::Byte => TokenizerKind::Byte,
            Vocabulary::Gpt2 => TokenizerKind::Gpt2,
            Vocabulary::Bpe(bpe) => TokenizerKind::Bpe(bpe.vocab_size()),
        }
    }

    /// V: how many tokens there are; ids go from 0 to V - 1.
    pub fn vocab_size(&self) -> usize {
        match &self.0 {
            Vocabulary::Char(characters) => characters.vocab_size(),
            Vocabulary::Byte => 256,
            Vocabulary::Gpt2 => gpt2::VOCAB_SIZE,
            Vocabulary::Bpe(bpe) => bpe.vocab_size(),
        }
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// [`TokenizerError::Unknown`] names the characters that have no token; only a
    /// vocabulary of characters lacks any.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::new();
        self.encoder().encode(text, &mut ids)?;
        Ok(ids)
    }

    /// An encoder for a text that comes in pieces: it remembers the words it has seen.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder(match &self.0 {
            Vocabulary::Char(characters) => Way::Char(characters),
            Vocabulary::Byte => Way::Byte,
            Vocabulary::Gpt2 => Way::Words(Words::new(gpt2::bpe())),
            Vocabulary::Bpe(bpe) => Way::Words(Words::new(bpe)),
        })
    }

    /// The text of tokens. What is not UTF-8, and ids that do not exist, become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(ids)).into_owned()
    }

    /// The bytes of tokens. An id that does not exist becomes U+FFFD.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 * ids.len());
        for &id in ids {
            match self.token(id) {
                Some(token) => bytes.extend_from_slice(&token),
                None => bytes.extend_from_slice("\u{fffd}".as_bytes()),
            }
        }
        bytes
    }

    /// The bytes of one token, None if there is no such id.
    pub fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match &self.0 {
            Vocabulary::Char(characters) => {
                characters.token(id).map(|c| Cow::Owned(c.to_string().into_bytes()))
            }
            Vocabulary::Byte => u8::try_from(id).ok().map(|byte| Cow::Owned(vec![byte])),
            Vocabulary::Gpt2 => gpt2::token(id).map(Cow::Borrowed),
            Vocabulary::Bpe(bpe) => bpe.token(id).map(Cow::Borrowed),
        }
    }

    /// The last place in `text`, from byte `from` on, at which it may be cut so that the
    /// tokens of both parts are those of the whole, whatever text follows.
    pub fn last_border(&self, text: &str, from: usize) -> Option<usize> {
        match self.0 {
            Vocabulary::Char(_) | Vocabulary::Byte => Some(text.len()),
            Vocabulary::Gpt2 | Vocabulary::Bpe(_) => pretokenize::last_border(text, from),
        }
    }

    /// A decoder for tokens that are printed as they come.
    pub fn stream(&self) -> StreamDecoder<'_> {
        StreamDecoder::new(self)
    }
}

/// Encodes a text that comes in pieces, which end where [`Tokenizer::last_border`]
/// says.
#[derive(Debug)]
pub struct Encoder<'a>(Way<'a>);

#[derive(Debug)]
enum Way<'a> {
    Char(&'a Characters),
    Byte,
    Words(Words<'a>),
}

impl Encoder<'_> {
    /// Appends the tokens of `text` to `ids`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        match &mut self.0 {
            Way::Char(characters) => characters.encode(text, ids)?,
            Way::Byte => ids.extend(text.bytes().map(u32::from)),
            Way::Words(words) => words.encode(text, ids),
        }
        Ok(())
    }
}

/// A tokenizer as JSON.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Saved {
    Char { characters: String },
    // With braces, since serde lets a variant without any have unknown fields.
    Byte {},
    Gpt2 {},
    Bpe { merges: Vec<[u32; 2]> },
}

impl From<Tokenizer> for Saved {
    fn from(tokenizer: Tokenizer) -> Self {
        match tokenizer.0 {
            Vocabulary::Char(characters) => Self::Char { characters: characters.to_string() },
            Vocabulary::Byte => Self::Byte {},
            Vocabulary::Gpt2 => Self::Gpt2 {},
            Vocabulary::Bpe(bpe) => Self::Bpe { merges: bpe.merges().to_vec() },
        }
    }
}

impl TryFrom<Saved> for Tokenizer {
    type Error = TokenizerError;

    fn try_from(saved: Saved) -> Result<Self, TokenizerError> {
        Ok(Self(match saved {
            Saved::Char { characters } => Vocabulary::Char(Characters::of_saved(&characters)?),
            Saved::Byte {} => Vocabulary::Byte,
            Saved::Gpt2 {} => Vocabulary::Gpt2,
            Saved::Bpe { merges } => Vocabulary::Bpe(Bpe::of_merges(merges)?),
        }))
    }
}

#[cfg(test)]
mod tests;
