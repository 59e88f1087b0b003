//! A prepared folder: tokens, their tokenizer, and a description of both.

use std::fs;
use std::path::Path;

use m2g_core::{Error, bounded};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::data::TokenData;
use super::fingerprint::tokenizer_sha256;
use super::width::Width;
use crate::error::TextError;
use crate::tokenizer::Tokenizer;

/// The training tokens.
pub(crate) const TRAIN: &str = "train.bin";
/// The validation tokens.
pub(crate) const VAL: &str = "val.bin";
/// The tokenizer.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// The description of the other files, by which they are checked.
pub(crate) const META: &str = "meta.json";

/// The largest `meta.json` in bytes. It names every input of the text.
const MAX_META_BYTES: u64 = 32 << 20;

/// The largest tokenizer in bytes. One of 250,000 byte pairs has 4 MB.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// The contents of `meta.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The version of this format: 1.
    pub format: u32,
    /// `char`, `word`, `byte`, `gpt2` or `bpe:N`.
    pub tokenizer: String,
    /// V, the number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// How `train.bin` and `val.bin` store a token.
    pub dtype: Width,
    /// Tokens in `train.bin`.
    pub train_tokens: u64,
    /// Tokens in `val.bin`.
    pub val_tokens: u64,
    /// Characters of the text.
    pub characters: u64,
    /// Bytes of the text, before it was cleaned.
    pub bytes: u64,
    /// The share of the characters that are in the validation split.
    pub val_fraction: f64,
    /// The files of the text.
    pub sources: Vec<String>,
    /// One sentence for each kind of change that cleaning made.
    pub reports: Vec<String>,
    /// SHA-256 of `train.bin`.
    pub train_sha256: String,
    /// SHA-256 of `val.bin`.
    pub val_sha256: String,
    /// SHA-256 of the tokenizer.
    pub tokenizer_sha256: String,
}

/// The contents of a prepared folder.
#[derive(Debug)]
pub struct PreparedText {
    /// The training split.
    pub train: TokenData,
    /// The validation split.
    pub val: TokenData,
    /// The tokenizer of both.
    pub tokenizer: Tokenizer,
    /// The description of the folder.
    pub meta: Meta,
}

/// Whether a folder is a prepared folder, complete or not.
pub fn is_prepared(folder: &Path) -> bool {
    let has = |name| folder.join(name).is_file();
    has(TRAIN) || (has(META) && has(TOKENIZER))
}

/// Opens a prepared folder and checks its files against each other.
///
/// # Errors
/// [`TextError`] if a file is missing, is damaged or does not belong to the others.
pub fn open(folder: &Path) -> Result<PreparedText, TextError> {
    if let Some(missing) = [TRAIN, VAL, TOKENIZER, META].into_iter().find(|name| !folder.join(name).is_file())
    {
        let why = format!("it has tokens but no {missing}: prepare the text again");
        return Err(TextError::file(folder, why));
    }
    let meta: Meta = read_json(folder, META, MAX_META_BYTES)?;
    if meta.format != 1 {
        let why =
            format!("its format is {}, but this program reads format 1: prepare the text again", meta.format);
        return Err(TextError::file(&folder.join(META), why));
    }
    let tokenizer: Tokenizer = read_json(folder, TOKENIZER, MAX_TOKENIZER_BYTES)?;
    let differs = |name, what: String| {
        let why = format!("{what}: the files of this folder do not belong together; prepare the text again");
        Err(TextError::file(&folder.join(name), why))
    };
    if tokenizer.vocab_size() != meta.vocab_size || tokenizer_sha256(&tokenizer) != meta.tokenizer_sha256 {
        let (has, says) = (tokenizer.vocab_size(), meta.vocab_size);
        return differs(
            TOKENIZER,
            format!("it is not the tokenizer ({has} tokens) that {META} describes ({says} tokens)"),
        );
    }
    let mut parts = Vec::new();
    for (name, tokens, sha256) in
        [(TRAIN, meta.train_tokens, &meta.train_sha256), (VAL, meta.val_tokens, &meta.val_sha256)]
    {
        let path = folder.join(name);
        let size = fs::metadata(&path).map_err(Error::io("read", &path))?.len();
        let expected = tokens.saturating_mul(meta.dtype.bytes() as u64);
        if size != expected {
            return differs(name, format!("it has {size} bytes, but {META} says {expected}"));
        }
        let data = TokenData::open(&path, meta.dtype, meta.vocab_size)?;
        if data.sha256() != sha256 {
            return differs(name, format!("it is not the file that {META} describes (wrong SHA-256)"));
        }
        parts.push(data);
    }
    let (Some(val), Some(train)) = (parts.pop(), parts.pop()) else {
        return differs(META, "it describes no tokens".into());
    };
    Ok(PreparedText { train, val, tokenizer, meta })
}

/// A JSON file of a prepared folder, of at most `most` bytes.
///
/// # Errors
/// [`TextError`] if it is missing, larger or damaged.
pub fn read_json<T: DeserializeOwned>(folder: &Path, name: &str, most: u64) -> Result<T, TextError> {
    let path = folder.join(name);
    let text = bounded::read(&path, most, "a file of this name")?;
    serde_json::from_slice(&text)
        .map_err(|e| TextError::file(&path, format!("it is damaged ({e}): prepare the data again")))
}
