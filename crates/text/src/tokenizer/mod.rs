//! Text to token ids and back.
//!
//! | file | holds |
//! | --- | --- |
//! | `vocabulary` | [`Tokenizer`]: one of six vocabularies, and special tokens |
//! | `kind` | [`TokenizerKind`]: `char`, `word`, `byte`, `gpt2`, `bpe:N` |
//! | `char` | one token per character of a text |
//! | `word` | one token per word of a text, with the space before it |
//! | `bpe` | byte-pair encoding: the bytes, then the merges of frequent pairs |
//! | `train` | learns the merges from a text |
//! | `pieces` | a new tokenizer from a text in pieces |
//! | `pretokenize` | splits text into words, across which no pairs are merged |
//! | `gpt2` | GPT-2's 50,257 tokens |
//! | `byte_level` | a byte-level BPE vocabulary from elsewhere |
//! | `added` | [`AddedToken`]: its tokens that no pairs merge into |
//! | `byte_letters` | one visible character for each byte |
//! | `parts` | every tokenizer of bytes as [`ByteLevelParts`], and back |
//! | `special` | [`SpecialToken`]: beginning, end of text, padding |
//! | `as_typed` | the name of a tokenizer, and text that spells special tokens |
//! | `readable` | tokens as people read them |
//! | `saved` | the JSON form |
//! | `stream` | [`StreamDecoder`]: decodes token ids as they arrive |
//!
//! ```
//! use m2g_text::tokenizer::Tokenizer;
//!
//! let gpt2 = Tokenizer::gpt2();
//! let ids = gpt2.encode("To be, or not to be")?;
//! assert_eq!(ids, [2514, 307, 11, 393, 407, 284, 307]);
//! assert_eq!(gpt2.decode(&ids), "To be, or not to be");
//! # Ok::<(), m2g_text::tokenizer::TokenizerError>(())
//! ```

mod added;
mod as_typed;
mod bpe;
mod byte_letters;
mod byte_level;
mod char;
mod error;
mod gpt2;
pub(crate) mod kind;
mod parts;
mod pieces;
pub(crate) mod pretokenize;
mod readable;
mod saved;
mod special;
mod stream;
pub(crate) mod train;
mod vocabulary;
mod word;

pub use self::added::AddedToken;
pub use self::byte_letters::{spell, unspell};
pub use self::byte_level::ByteLevelParts;
pub use self::error::{Known, TokenizerError, UnknownWord};
pub use self::gpt2::GPT2_SIZES;
pub use self::kind::TokenizerKind;
pub use self::readable::readable;
pub use self::special::SpecialToken;
pub use self::stream::StreamDecoder;
pub use self::vocabulary::{Encoder, Tokenizer};

#[cfg(test)]
mod tests;
