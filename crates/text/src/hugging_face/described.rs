//! A tokenizer as the files describe it.

use std::path::Path;

use m2g_core::bounded;
use serde_json::Value;

use crate::error::TextError;
use crate::git_lfs;
use crate::tokenizer::{ByteLevelParts, Tokenizer};

/// A tokenizer as the files describe it.
pub(super) enum Described {
    /// Byte-level BPE.
    ByteLevel(ByteLevelParts),
    /// One token for each character, and special tokens after them.
    Characters(Tokenizer),
}

/// The largest file of a tokenizer in bytes. That of a vocabulary of 250,000 tokens has 17 MB.
pub(super) const MAX_FILE_BYTES: u64 = 32 << 20;

/// The content of a JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value, TextError> {
    let bytes = bounded::read(path, MAX_FILE_BYTES, "a file of a tokenizer")?;
    if let Some(why) = git_lfs::pointer(&bytes) {
        return Err(TextError::file(path, why));
    }
    serde_json::from_slice(&bytes).map_err(|e| TextError::file(path, format!("it is not JSON ({e})")))
}
