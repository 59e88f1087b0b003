//! A tokenizer as JSON, in checkpoints and in the `tokenizer.json` of prepared folders.

use serde::{Deserialize, Serialize};

use super::special::SpecialToken;

/// The JSON form. Special tokens are left out when there are none: tokenizers saved
/// before there were any load, and those saved today have the same bytes and hash.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Saved {
    Char {
        characters: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
    Byte {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
    // With braces: serde accepts unknown fields in a variant without.
    Gpt2 {},
    Bpe {
        merges: Vec<[u32; 2]>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        special: Vec<SpecialToken>,
    },
}
