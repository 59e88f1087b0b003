//! A tokenizer as JSON, in checkpoints and in the `tokenizer.json` of prepared folders.

use serde::{Deserialize, Serialize};

use super::byte_level::ByteLevelParts;
use super::special::SpecialToken;

/// The JSON form. An empty list of special tokens is not written: tokenizers from before
/// special tokens still load, and keep their bytes and their hash.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Saved {
    Char {
        characters: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
    Word {
        words: Vec<Box<str>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
    Byte {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
    // Has braces because serde accepts unknown fields in a variant without them.
    Gpt2 {},
    Bpe {
        merges: Vec<[u32; 2]>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
    #[serde(rename = "byte_level_bpe")]
    ByteLevel {
        vocabulary: ByteLevelParts,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
}
