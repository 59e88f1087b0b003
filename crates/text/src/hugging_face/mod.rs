//! The tokenizer of a folder in the format of Hugging Face.
//!
//! | file | holds |
//! | --- | --- |
//! | `read` | [`read()`]: the tokenizer of a folder, or a sentence on what cannot be expressed |
//! | `described` | a tokenizer as the files describe it |
//! | `tokenizer_json` | `tokenizer.json`, which holds everything |
//! | `vocab_and_merges` | `vocab.json` and `merges.txt`, GPT-2's older files |
//! | `added_tokens` | the added tokens of a folder, and the ids that Hugging Face gives them |
//! | `special_tokens` | which tokens begin and end a text |
//! | `write` | [`write()`]: writes all of these files |
//!
//! The files spell a token of bytes with one visible character for each byte, so that it contains no
//! spaces.

mod added_tokens;
mod described;
mod read;
mod special_tokens;
mod tokenizer_json;
mod vocab_and_merges;
mod write;

pub use read::{Found, read};
pub use write::write;

#[cfg(test)]
mod same_ids;
#[cfg(test)]
mod tests;

/// Tokens and ids.
const VOCAB: &str = "vocab.json";
/// Pairs to merge.
const MERGES: &str = "merges.txt";
/// Tokens, ids, merges, and how a text is split.
const TOKENIZER: &str = "tokenizer.json";
/// The class of the tokenizer, and the special tokens.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The settings of the model.
const MODEL_CONFIG: &str = "config.json";
/// A tokenizer of this project that the format cannot express.
const OURS: &str = "m2g_tokenizer.json";
