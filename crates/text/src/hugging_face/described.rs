//! A tokenizer as the files describe it.

use std::path::Path;

use m2g_core::Error;
use serde_json::Value;

use crate::error::TextError;
use crate::tokenizer::{ByteLevelParts, Tokenizer};

/// A tokenizer as the files describe it.
pub(super) enum Described {
    /// Byte-level BPE.
    ByteLevel(ByteLevelParts),
    /// One token for each character, and special tokens after them.
    Characters(Tokenizer),
}

/// The content of a JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value, TextError> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|e| TextError::file(path, format!("it is not JSON ({e})")))
}
