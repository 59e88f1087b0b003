//! Hashes of tokenizers and tokens, by which a run recognises its data.

use sha2::{Digest, Sha256};

use super::data::TokenData;
use super::writer::hex;
use crate::tokenizer::Tokenizer;

/// The SHA-256 of a tokenizer as it is saved.
pub fn tokenizer_sha256(tokenizer: &Tokenizer) -> String {
    let json = serde_json::to_string(tokenizer).unwrap_or_default();
    hex(&Sha256::digest(json))
}

/// A hash of a tokenizer and of the sequences that it encoded. The same text has the same
/// fingerprint, prepared or not.
pub fn fingerprint(tokenizer: &Tokenizer, parts: &[&TokenData]) -> String {
    fingerprint_of_sha256(tokenizer, parts.iter().map(|part| part.sha256()))
}

/// [`fingerprint`] of sequences with these hashes: see [`TokenData::sha256`].
pub fn fingerprint_of_sha256<'a>(tokenizer: &Tokenizer, parts: impl Iterator<Item = &'a str>) -> String {
    hash(&tokenizer_sha256(tokenizer), parts)
}

/// [`fingerprint`] of token ids without a tokenizer, below `vocab_size`.
pub fn fingerprint_of_ids(vocab_size: usize, parts: &[&TokenData]) -> String {
    hash(&format!("{vocab_size} ids"), parts.iter().map(|part| part.sha256()))
}

fn hash<'a>(vocabulary: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    hash.update(vocabulary);
    parts.for_each(|part| hash.update(part));
    hex(&hash.finalize())
}
