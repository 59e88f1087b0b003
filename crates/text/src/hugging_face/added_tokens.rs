//! The added tokens of a folder, and the ids that Hugging Face gives them.

use std::collections::hash_map::Entry;
use std::path::Path;

use m2g_core::error::in_plain_words;
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::TOKENIZER_CONFIG;
use super::described::read_json;
use crate::error::TextError;
use crate::tokenizer::AddedToken;

/// Adds the tokens that `tokenizer_config.json` lists, with its properties, or without a list there those of
/// `added_tokens.json`, which older folders have.
///
/// # Errors
/// [`TextError`] if a file is damaged.
pub(super) fn add_those_beside(dir: &Path, added: &mut Vec<AddedToken>) -> Result<(), TextError> {
    // Of a text that is listed twice, the first token counts.
    let mut places: FxHashMap<String, usize> =
        added.iter().enumerate().rev().map(|(place, token)| (token.text.clone(), place)).collect();
    let config = dir.join(TOKENIZER_CONFIG);
    let json = if config.is_file() { read_json(&config)? } else { Value::Null };
    if let Some(listed) = json["added_tokens_decoder"].as_object() {
        let token = |(id, token): (&String, &Value)| {
            let mut token = token.clone();
            token["id"] = id.parse::<u32>().map_or(Value::Null, Value::from);
            serde_json::from_value(token).map_err(|e| {
                let why = in_plain_words(&e.to_string());
                TextError::file(&config, format!("its added token {id} cannot be read ({why})"))
            })
        };
        for token in by_id(listed.iter().map(token).collect::<Result<_, _>>()?) {
            match places.entry(token.text.clone()) {
                Entry::Occupied(place) => added[*place.get()] = token,
                Entry::Vacant(place) => {
                    place.insert(added.len());
                    added.push(token);
                }
            }
        }
        return Ok(());
    }
    let path = dir.join("added_tokens.json");
    if !path.is_file() {
        return Ok(());
    }
    let token = |(text, id): (&String, &Value)| {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| TextError::file(&path, format!("{} has no id", text.escape_debug())))?;
        Ok(AddedToken { special: false, normalized: true, ..AddedToken::special(id, text) })
    };
    let listed = read_json(&path)?;
    let listed = listed.as_object().into_iter().flatten().map(token).collect::<Result<_, TextError>>()?;
    for token in by_id(listed) {
        if let Entry::Vacant(place) = places.entry(token.text.clone()) {
            place.insert(added.len());
            added.push(token);
        }
    }
    Ok(())
}

fn by_id(mut tokens: Vec<AddedToken>) -> Vec<AddedToken> {
    tokens.sort_by_key(|token| token.id);
    tokens
}

/// Checks that each added token has the id under which Hugging Face loads it, which takes no notice of the
/// ids in the files: that of the same text in the vocabulary, otherwise the next one after all tokens.
///
/// # Errors
/// A sentence that names the token and both ids.
pub(super) fn check_ids(tokens: &[Option<String>], added: &[AddedToken]) -> Result<(), String> {
    let mut ids: FxHashMap<&str, u32> =
        tokens.iter().zip(0..).filter_map(|(token, id)| Some((token.as_deref()?, id))).collect();
    // The vocabulary counts its tokens: one with gaps continues at an id within them.
    let mut next = ids.len() as u32;
    for AddedToken { id, text, .. } in added.iter().filter(|token| !token.text.is_empty()) {
        let loaded = *ids.entry(text).or_insert(next);
        next = next.max(loaded + 1);
        if loaded != *id {
            return Err(format!(
                "the added token \"{}\" has the id {id}, but Hugging Face loads it as {loaded}: load the \
                 tokenizer with transformers, and save it again with save_pretrained",
                text.escape_debug()
            ));
        }
    }
    for AddedToken { id, text, .. } in added {
        let place = tokens.get(*id as usize).and_then(Option::as_deref);
        if let Some(other) = place.filter(|other| other != text) {
            return Err(format!(
                "the added token \"{}\" has the id {id}, but so has the token \"{}\": give them different ids",
                text.escape_debug(),
                other.escape_debug()
            ));
        }
    }
    Ok(())
}
