//! `tokenizer.json`.

use std::collections::BTreeSet;
use std::path::Path;

use m2g_core::error::in_plain_words;
use rustc_hash::FxHashSet;
use serde_json::Value;

use super::described::{Described, read_json};
use super::vocab_and_merges::{merge_ids, tokens};
use super::{MODEL_CONFIG, TOKENIZER, TOKENIZER_CONFIG, added_tokens};
use crate::error::TextError;
use crate::tokenizer::{AddedToken, ByteLevelParts, SpecialToken, Tokenizer};

/// The pattern of GPT-2's words, as some files spell it out.
const GPT2_PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Reads the file of a folder, and what is set beside it. Differences are added to `notes`.
///
/// # Errors
/// [`TextError`] if the file is damaged. The inner result says what cannot be expressed.
pub(super) fn read(dir: &Path, notes: &mut Vec<String>) -> Result<Result<Described, String>, TextError> {
    let path = &dir.join(TOKENIZER);
    let inexpressible = |why: String| format!("{TOKENIZER}: {why}");
    let json = read_json(path)?;
    let model = &json["model"];
    // Old files of BPE do not name their model.
    match model["type"].as_str() {
        Some("BPE") => {}
        None if model["merges"].is_array() => {}
        None if json.is_object() => {
            return Err(TextError::file(path, "its model has no type and no merges"));
        }
        None => return Err(TextError::file(path, "its model.vocab is not a JSON object")),
        Some(kind) => {
            let why = format!("a tokenizer of {kind} cannot be expressed: only byte-level BPE can");
            return Ok(Err(inexpressible(why)));
        }
    }
    let Ok(tokens) = tokens(&model["vocab"], "its model.vocab").map_err(|why| TextError::file(path, why))?
    else {
        return Ok(Err(inexpressible("two tokens have the same id".into())));
    };
    let mut added = match &json["added_tokens"] {
        Value::Null => Vec::new(),
        added => serde_json::from_value::<Vec<AddedToken>>(added.clone()).map_err(|e| {
            let why = in_plain_words(&e.to_string());
            TextError::file(path, format!("its added_tokens cannot be read ({why})"))
        })?,
    };
    added_tokens::add_those_beside(dir, &mut added)?;
    if let Err(why) = added_tokens::check_ids(&tokens, &added) {
        return Ok(Err(why));
    }
    if json["pre_tokenizer"].is_null() && model["merges"].as_array().is_none_or(Vec::is_empty) {
        let characters = check_model(&json).and_then(|()| characters(tokens, &added));
        return Ok(characters.map_err(inexpressible));
    }
    Ok(match byte_level(&json, tokens, added, notes) {
        Err(why) => Err(inexpressible(why)),
        Ok(parts) => {
            let prefix_space = prefix_space(dir, parts.prefix_space, notes)?;
            Ok(Described::ByteLevel(ByteLevelParts { prefix_space, ..parts }))
        }
    })
}

/// Whether a text gets a space in front, if the file says so as `of_file`. GPT-2's class, which is that of a
/// folder with a GPT-2 if none is named, has a setting of its own, which replaces that of the file: false
/// unless it is given.
fn prefix_space(dir: &Path, of_file: bool, notes: &mut Vec<String>) -> Result<bool, TextError> {
    let read = |name: &str| match dir.join(name) {
        path if path.is_file() => read_json(&path),
        _ => Ok(Value::Null),
    };
    let config = read(TOKENIZER_CONFIG)?;
    let given = config["add_prefix_space"].as_bool();
    let of_gpt2 = match config["tokenizer_class"].as_str() {
        Some(class) => class.starts_with("GPT2Tokenizer"),
        None => read(MODEL_CONFIG)?["model_type"] == "gpt2",
    };
    let taken = if of_gpt2 { given.unwrap_or(false) } else { of_file };
    if given.unwrap_or(taken) != of_file {
        let (other, followed) = (
            given.map_or("not set".into(), |flag| flag.to_string()),
            if of_gpt2 { TOKENIZER_CONFIG } else { TOKENIZER },
        );
        notes.push(format!(
            "add_prefix_space is {of_file} in {TOKENIZER} and {other} in {TOKENIZER_CONFIG}: transformers follows \
             {followed}, and so does this program"
        ));
    }
    Ok(taken)
}

/// What applies to all models.
fn check_model(json: &Value) -> Result<(), String> {
    let model = &json["model"];
    if !is_none(&json["normalizer"]) {
        return Err(format!("its normalizer {} cannot be expressed", kind(&json["normalizer"])));
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if model[key].as_str().is_some_and(|text| !text.is_empty()) {
            return Err(format!("its {key} cannot be expressed"));
        }
    }
    for key in ["byte_fallback", "ignore_merges", "fuse_unk"] {
        if model[key] == true {
            return Err(format!("its {key} cannot be expressed"));
        }
    }
    Ok(())
}

fn byte_level(
    json: &Value,
    tokens: Vec<Option<String>>,
    added: Vec<AddedToken>,
    notes: &mut Vec<String>,
) -> Result<ByteLevelParts, String> {
    check_model(json)?;
    let model = &json["model"];
    let pairs = model["merges"].as_array().into_iter().flatten().map(|merge| {
        let pair = match merge {
            Value::String(text) => text.split_once(' '),
            merge => merge
                .as_array()
                .filter(|pair| pair.len() == 2)
                .and_then(|pair| Some((pair[0].as_str()?, pair[1].as_str()?))),
        };
        pair.ok_or(format!("its merge {merge} is not a pair"))
    });
    let merges = merge_ids(&tokens, pairs.collect::<Result<Vec<_>, _>>()?)?;
    let prefix_space = split_as_gpt2(&json["pre_tokenizer"], merges.is_empty())?;
    let unknown = match model["unk_token"].as_str() {
        None => None,
        Some(text) => {
            let added = added.iter().find(|token| token.text == text).map(|token| token.id);
            let plain = || tokens.iter().position(|token| token.as_deref() == Some(text)).map(|id| id as u32);
            Some(added.or_else(plain).ok_or(format!("its unk_token {text} is not in the vocabulary"))?)
        }
    };
    if model["dropout"].as_f64().is_some_and(|p| p > 0.0) {
        notes.push("its dropout of merges is left out".into());
    }
    let by_processor: Vec<&str> = added_by(&json["post_processor"]).into_iter().collect();
    if !by_processor.is_empty() {
        let tokens = by_processor.join(" and ");
        notes.push(format!("its post-processor adds {} to a text, which is left out", tokens.escape_debug()));
    }
    Ok(ByteLevelParts { tokens, merges, added, unknown, prefix_space, ..ByteLevelParts::default() })
}

/// The tokens that a post-processor adds to a text.
fn added_by(processor: &Value) -> BTreeSet<&str> {
    match processor["type"].as_str() {
        Some("Sequence") => {
            processor["processors"].as_array().into_iter().flatten().flat_map(added_by).collect()
        }
        Some("RobertaProcessing" | "BertProcessing") => {
            ["cls", "sep"].into_iter().filter_map(|key| processor[key][0].as_str()).collect()
        }
        _ => {
            processor["special_tokens"].as_object().into_iter().flatten().map(|(text, _)| &text[..]).collect()
        }
    }
}

/// Checks that a text is split into words as GPT-2 does, and returns whether it gets a space in front.
/// Without merges, it does not matter how it is split.
fn split_as_gpt2(pre_tokenizer: &Value, no_merges: bool) -> Result<bool, String> {
    let steps = match pre_tokenizer["pretokenizers"].as_array() {
        Some(steps) if pre_tokenizer["type"] == "Sequence" => steps.clone(),
        _ => vec![pre_tokenizer.clone()],
    };
    let Some((last, before)) = steps.split_last().filter(|(last, _)| last["type"] == "ByteLevel") else {
        let what = if pre_tokenizer.is_null() { "none".into() } else { kind(pre_tokenizer) };
        return Err(format!(
            "its pre_tokenizer ({what}) cannot be expressed: only byte-level BPE (ByteLevel) can"
        ));
    };
    // A missing use_regex is true: older files have none.
    let own_pattern = last["use_regex"] != false;
    let is_gpt2 = |step: &Value| {
        step["type"] == "Split"
            && step["pattern"]["Regex"] == GPT2_PATTERN
            && matches!(step["behavior"].as_str(), Some("Isolated" | "isolated" | "Removed"))
            && (step["invert"] == (step["behavior"] == "Removed"))
    };
    match before {
        [] if own_pattern || no_merges => {}
        [split] if is_gpt2(split) => {}
        [] => {
            return Err(
                "its pre_tokenizer does not split a text into words, which cannot be expressed".into()
            );
        }
        [other, ..] => {
            let pattern = other["pattern"]["Regex"].as_str().map_or(String::new(), |p| format!(" by {p}"));
            return Err(format!("its pre_tokenizer {}{pattern} cannot be expressed", kind(other)));
        }
    }
    let prefix_space = last["add_prefix_space"] == true;
    if prefix_space && !before.is_empty() {
        return Err(
            "its pre_tokenizer puts a space before every word (add_prefix_space after a Split), which \
                    cannot be expressed"
                .into(),
        );
    }
    Ok(prefix_space)
}

/// A vocabulary of characters: no merges, and nothing that splits a text.
fn characters(tokens: Vec<Option<String>>, added: &[AddedToken]) -> Result<Described, String> {
    let what = "a BPE without merges and without a pre_tokenizer is read only as a vocabulary of characters";
    let added_ids: FxHashSet<usize> = added.iter().map(|token| token.id as usize).collect();
    let mut text = String::new();
    for (id, token) in tokens.iter().enumerate().filter(|(id, _)| !added_ids.contains(id)) {
        let mut characters = token.as_deref().unwrap_or_default().chars();
        let (Some(c), None) = (characters.next(), characters.next()) else {
            return Err(format!("{what}, but token {id} is \"{}\"", token.as_deref().unwrap_or_default()));
        };
        text.push(c);
    }
    let tokenizer = Tokenizer::characters_in_order(&text).map_err(|e| e.to_string())?;
    let mut special = Vec::new();
    for (added, id) in added.iter().zip(tokenizer.vocab_size()..) {
        match SpecialToken::spelled(&added.text) {
            Some(token) if added.id as usize == id => special.push(token),
            _ => return Err(format!("{what}, but it has the added token {}", added.text)),
        }
    }
    let tokenizer = tokenizer.with_special_tokens(&special).map_err(|e| e.to_string())?;
    Ok(Described::Characters(tokenizer))
}

/// Whether a step does nothing.
fn is_none(step: &Value) -> bool {
    let steps = ["normalizers", "pretokenizers"].map(|key| step[key].as_array());
    step.is_null() || (step["type"] == "Sequence" && steps.into_iter().flatten().all(Vec::is_empty))
}

/// The name of a step.
fn kind(step: &Value) -> String {
    step["type"].as_str().map_or(step.to_string(), String::from)
}
