//! Which tokens begin and end a text.

use std::path::Path;

use super::TOKENIZER_CONFIG;
use super::described::read_json;
use crate::error::TextError;
use crate::tokenizer::{AddedToken, ByteLevelParts, SpecialToken};

/// Finds the special tokens that `tokenizer_config.json` or, in older folders,
/// `special_tokens_map.json` names, and makes them added tokens. Without them, GPT-2's end of text is
/// the end of text, if the vocabulary has it.
pub(super) fn assign(dir: &Path, parts: &mut ByteLevelParts) -> Result<(), TextError> {
    let mut named = [None, None, None];
    for file in [TOKENIZER_CONFIG, "special_tokens_map.json"] {
        let path = dir.join(file);
        if !path.is_file() {
            continue;
        }
        let json = read_json(&path)?;
        for (name, key) in named.iter_mut().zip(["eos_token", "bos_token", "pad_token"]) {
            // Either the text, or an object with it.
            let text = json[key].as_str().or(json[key]["content"].as_str());
            *name = name.take().or(text.map(String::from));
        }
    }
    let [end, beginning, padding] = named;
    let end = end.unwrap_or(SpecialToken::EndOfText.spelling().into());
    parts.end_of_text = make_special(parts, &end);
    // GPT-2 names one token for all.
    let other = |id: &u32, end| Some(*id) != end;
    parts.beginning = beginning.and_then(|text| make_special(parts, &text));
    parts.beginning = parts.beginning.filter(|id| other(id, parts.end_of_text));
    parts.padding = padding.and_then(|text| make_special(parts, &text));
    parts.padding = parts.padding.filter(|id| other(id, parts.end_of_text) && other(id, parts.beginning));
    parts.added.sort_by_key(|token| token.id);
    Ok(())
}

/// The id of a token, which becomes a special one; `None` if there is no such token.
fn make_special(parts: &mut ByteLevelParts, text: &str) -> Option<u32> {
    if let Some(added) = parts.added.iter_mut().find(|added| added.text == text) {
        added.special = true;
        return Some(added.id);
    }
    let id = parts.tokens.iter().position(|token| token.as_deref() == Some(text))? as u32;
    parts.added.push(AddedToken::special(id, text));
    Some(id)
}
