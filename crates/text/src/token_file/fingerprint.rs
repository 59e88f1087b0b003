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
    hash(&tokenizer_sha256(tokenizer), parts)
}

/// [`fingerprint`] of token ids without a tokenizer, below `vocab_size`.
pub fn fingerprint_of_ids(vocab_size: usize, parts: &[&TokenData]) -> String {
    hash(&format!("{vocab_size} ids"), parts)
}

fn hash(vocabulary: &str, parts: &[&TokenData]) -> String {
    let mut hash = Sha256::new();
    hash.update(vocabulary);
    for part in parts {
        hash.update(part.sha256());
    }
    hex(&hash.finalize())
}
