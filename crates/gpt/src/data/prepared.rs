//! A folder of tokens that `prepare` made.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CorpusError;
use super::corpus::Corpus;
use super::tokens::{TokenData, Width, hex};
use crate::tokenizer::Tokenizer;

/// The tokens to train.
pub(crate) const TRAIN: &str = "train.bin";
/// The tokens to validate.
pub(crate) const VAL: &str = "val.bin";
/// The tokenizer.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// What the others must be.
pub(crate) const META: &str = "meta.json";

/// What a prepared folder holds, as its `meta.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The version of this format: 1.
    pub format: u32,
    /// `char`, `byte`, `gpt2` or `bpe:N`.
    pub tokenizer: String,
    /// V: how many tokens there are.
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
    /// The share of the characters that is there to validate.
    pub val_fraction: f64,
    /// The files that the text is from.
    pub sources: Vec<String>,
    /// What was cleaned, a sentence for each thing.
    pub reports: Vec<String>,
    /// SHA-256 of `train.bin`.
    pub train_sha256: String,
    /// SHA-256 of `val.bin`.
    pub val_sha256: String,
    /// SHA-256 of the tokenizer.
    pub tokenizer_sha256: String,
}

/// Whether a folder is one that `prepare` made, or what is left of one.
pub(crate) fn is_prepared(folder: &Path) -> bool {
    let has = |name| folder.join(name).is_file();
    has(TRAIN) || (has(META) && has(TOKENIZER))
}

/// The hash of a tokenizer as it is saved.
pub(crate) fn tokenizer_sha256(tokenizer: &Tokenizer) -> String {
    let json = serde_json::to_string(tokenizer).unwrap_or_default();
    hex(&Sha256::digest(json))
}

/// Opens a prepared folder.
///
/// # Errors
/// [`CorpusError`] if a file is missing or damaged, or is not of the others.
pub(crate) fn open(folder: &Path) -> Result<Corpus, CorpusError> {
    if let Some(missing) = [TRAIN, VAL, TOKENIZER, META].into_iter().find(|name| !folder.join(name).is_file())
    {
        let why = format!("it has tokens but no {missing}: `m2g gpt prepare` makes folders that have all");
        return Err(CorpusError::file(folder, why));
    }
    let meta: Meta = read_json(folder, META)?;
    if meta.format != 1 {
        let why = format!("its format is {}, and this program knows 1: prepare the text again", meta.format);
        return Err(CorpusError::file(&folder.join(META), why));
    }
    let tokenizer: Tokenizer = read_json(folder, TOKENIZER)?;
    let differs = |name, what: String| {
        let why = format!("{what}: the files of this folder are not of one text; prepare it again");
        Err(CorpusError::file(&folder.join(name), why))
    };
    if tokenizer.vocab_size() != meta.vocab_size || tokenizer_sha256(&tokenizer) != meta.tokenizer_sha256 {
        let (has, says) = (tokenizer.vocab_size(), meta.vocab_size);
        return differs(
            TOKENIZER,
            format!("it is not the tokenizer ({has} tokens) of {META} ({says} tokens)"),
        );
    }
    let mut parts = Vec::new();
    for (name, tokens, sha256) in
        [(TRAIN, meta.train_tokens, &meta.train_sha256), (VAL, meta.val_tokens, &meta.val_sha256)]
    {
        let path = folder.join(name);
        let size = fs::metadata(&path).map_err(CorpusError::io("read", &path))?.len();
        let expected = tokens.saturating_mul(meta.dtype.bytes() as u64);
        if size != expected {
            return differs(name, format!("it has {size} bytes, and {expected} by {META}"));
        }
        let data = TokenData::open(&path, meta.dtype, meta.vocab_size)?;
        if data.sha256() != sha256 {
            return differs(name, format!("it is not the file of {META} (wrong SHA-256)"));
        }
        parts.push(data);
    }
    let (Some(val), Some(train)) = (parts.pop(), parts.pop()) else {
        return differs(META, "it has no tokens".into());
    };
    Ok(Corpus::new(train, val, tokenizer, folder.display().to_string(), meta.reports))
}

fn read_json<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<T, CorpusError> {
    let path = folder.join(name);
    let text = fs::read(&path).map_err(CorpusError::io("read", &path))?;
    serde_json::from_slice(&text)
        .map_err(|e| CorpusError::file(&path, format!("it is damaged ({e}): prepare the text again")))
}
