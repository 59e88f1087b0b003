//! Reads the tokenizer of a folder.

use std::collections::BTreeMap;
use std::path::Path;

use super::described::{Described, read_json};
use super::special_tokens::assign;
use super::{OURS, TOKENIZER, TOKENIZER_CONFIG, VOCAB, tokenizer_json, vocab_and_merges};
use crate::error::TextError;
use crate::tokenizer::{AddedToken, ByteLevelParts, GPT2_SIZES, Tokenizer};

/// The tokenizer of a folder or a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The tokenizer, or a sentence on what cannot be expressed.
    pub tokenizer: Result<Tokenizer, String>,
    /// What differs from the tokenizer that is stored, one sentence each.
    pub notes: Vec<String>,
}

impl Found {
    fn none(why: impl Into<String>) -> Self {
        Self { tokenizer: Err(why.into()), notes: Vec::new() }
    }
}

/// The tokenizer of the folder, for a model with `vocab_size` tokens. The model may have more tokens
/// than the tokenizer.
///
/// # Errors
/// [`TextError`] if a file cannot be read or is damaged.
pub fn read(dir: &Path, vocab_size: usize) -> Result<Found, TextError> {
    if dir.join(OURS).is_file() {
        return ours(dir, vocab_size);
    }
    let mut notes = Vec::new();
    let (name, described) = if dir.join(TOKENIZER).is_file() {
        (TOKENIZER, tokenizer_json::read(dir, &mut notes)?)
    } else if dir.join(VOCAB).is_file() {
        (VOCAB, vocab_and_merges::read(dir)?)
    } else {
        return Ok(without_files(dir, vocab_size));
    };
    let tokenizer = match described {
        Err(why) => Err(why),
        Ok(Described::Characters(tokenizer)) => match tokenizer.vocab_size() {
            n if n > vocab_size => Err(too_many(name, n, vocab_size)),
            _ => Ok(tokenizer),
        },
        Ok(Described::ByteLevel(mut parts)) => {
            drop_beyond(&mut parts, vocab_size, &mut notes);
            let largest = parts.tokens.iter().rposition(Option::is_some).map_or(0, |id| id + 1);
            parts.tokens.truncate(largest);
            match largest > vocab_size {
                true => Err(too_many(name, largest, vocab_size)),
                false => {
                    assign(dir, &mut parts)?;
                    note_unfound(&parts, &mut notes);
                    Tokenizer::byte_level(parts).map_err(|e| format!("{name}: {e}"))
                }
            }
        }
    };
    if tokenizer.is_err() {
        notes.clear();
    }
    Ok(Found { tokenizer, notes })
}

/// A tokenizer in the format of this project.
fn ours(dir: &Path, vocab_size: usize) -> Result<Found, TextError> {
    let path = dir.join(OURS);
    let tokenizer: Tokenizer =
        serde_json::from_value(read_json(&path)?).map_err(|e| TextError::file(&path, e.to_string()))?;
    Ok(match tokenizer.vocab_size() {
        n if n > vocab_size => Found::none(too_many(OURS, n, vocab_size)),
        _ => Found { tokenizer: Ok(tokenizer), notes: Vec::new() },
    })
}

/// What a folder without a tokenizer implies.
fn without_files(dir: &Path, vocab_size: usize) -> Found {
    if GPT2_SIZES.contains(&vocab_size) {
        let note = format!("the folder has no tokenizer: {vocab_size} tokens are taken to be those of GPT-2");
        return Found { tokenizer: Ok(Tokenizer::gpt2()), notes: vec![note] };
    }
    let others = [
        ("tokenizer.model", "SentencePiece"),
        ("spiece.model", "SentencePiece"),
        ("sentencepiece.bpe.model", "SentencePiece"),
        ("vocab.txt", "WordPiece"),
        (TOKENIZER_CONFIG, "an unknown kind"),
    ];
    match others.iter().find(|(name, _)| dir.join(name).is_file()) {
        Some((name, kind)) if *name != TOKENIZER_CONFIG => Found::none(format!(
            "{name} is a tokenizer of {kind}, which cannot be expressed: only byte-level BPE can"
        )),
        _ => Found::none(format!("the folder has no {TOKENIZER} or {VOCAB}")),
    }
}

fn too_many(name: &str, tokens: usize, vocab_size: usize) -> String {
    format!("{name} has {tokens} tokens, but the model has {vocab_size}")
}

/// Drops the added tokens that the model has no row for.
fn drop_beyond(parts: &mut ByteLevelParts, vocab_size: usize, notes: &mut Vec<String>) {
    let beyond: Vec<AddedToken> =
        parts.added.extract_if(.., |token| token.id as usize >= vocab_size).collect();
    for token in &beyond {
        // The vocabulary may have it too.
        if let Some(place) = parts.tokens.get_mut(token.id as usize) {
            *place = None;
        }
    }
    if let Some(first) = beyond.iter().min_by_key(|token| token.id) {
        let (text, id) = (first.text.escape_debug(), first.id);
        notes.push(match beyond.len() {
            1 => format!(
                "the added token {text} is left out: its id is {id}, but the model has {vocab_size} tokens"
            ),
            n => format!(
                "{n} added tokens are left out, such as {text}: their ids begin at {id}, but the model has \
                 {vocab_size} tokens"
            ),
        });
    }
    parts.unknown = parts.unknown.filter(|&id| (id as usize) < vocab_size);
}

/// Notes the added tokens that a text is not encoded to here, by the reason.
fn note_unfound(parts: &ByteLevelParts, notes: &mut Vec<String>) {
    let mut unfound: BTreeMap<&str, Vec<&AddedToken>> = BTreeMap::new();
    for token in parts.added.iter().filter(|token| !token.special) {
        if let Some(why) = token.not_found_because() {
            unfound.entry(why).or_default().push(token);
        }
    }
    for (why, tokens) in unfound {
        let text = tokens[0].text.escape_debug();
        notes.push(match tokens.len() {
            1 => format!("the added token \"{text}\" is not looked for in text: {why}"),
            n => format!("{n} added tokens are not looked for in text, such as \"{text}\": {why}"),
        });
    }
}
