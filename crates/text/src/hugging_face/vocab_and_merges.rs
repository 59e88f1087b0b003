//! `vocab.json` and `merges.txt`, GPT-2's files.

use std::path::Path;

use m2g_core::bounded;
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::described::{Described, MAX_FILE_BYTES, read_json};
use super::{MERGES, TOKENIZER_CONFIG, VOCAB, special_tokens};
use crate::error::TextError;
use crate::tokenizer::{ByteLevelParts, Tokenizer};

/// Reads both files, and the added tokens beside them.
///
/// # Errors
/// [`TextError`] if a file is damaged. The inner result says what cannot be expressed.
pub(super) fn read(dir: &Path) -> Result<Result<Described, String>, TextError> {
    let path = dir.join(VOCAB);
    let Ok(tokens) = tokens(&read_json(&path)?, "it").map_err(|why| TextError::file(&path, why))? else {
        return Ok(Err("two tokens have the same id".into()));
    };
    let added = special_tokens::added(dir)?;
    let prefix_space = match dir.join(TOKENIZER_CONFIG) {
        config if config.is_file() => read_json(&config)?["add_prefix_space"] == true,
        _ => false,
    };
    let merges = dir.join(MERGES);
    let lines = match merges.is_file() {
        true => bounded::read_text(&merges, MAX_FILE_BYTES, "a file of a tokenizer")?,
        false if is_gpt2(&tokens) => gpt2_merges(),
        false => return Ok(Err(format!("it needs {MERGES}, which is missing"))),
    };
    let lines = lines.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
    let pairs = lines.map(|line| line.split_once(' ').ok_or(format!("{MERGES} has the line \"{line}\"")));
    let merges = pairs.collect::<Result<Vec<_>, _>>().and_then(|pairs| merge_ids(&tokens, pairs));
    Ok(merges.map(|merges| {
        Described::ByteLevel(ByteLevelParts { tokens, merges, added, prefix_space, ..Default::default() })
    }))
}

/// The tokens by id, of an object with the id of each token. The outer error says that it is no such
/// object, the inner one that two tokens have the same id.
pub(super) fn tokens(vocab: &Value, what: &str) -> Result<Result<Vec<Option<String>>, ()>, String> {
    /// Ids are at most this many times the number of tokens, so that a list by id is no waste.
    const SPARSEST: usize = 64;
    /// No model has more tokens.
    const MOST: usize = 1 << 24;
    let map = vocab.as_object().ok_or(format!("{what} is not a JSON object"))?;
    let mut tokens = Vec::new();
    for (token, id) in map {
        let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
        let id = id.filter(|id| *id < (SPARSEST * map.len().max(1024)).min(MOST));
        let id = id.ok_or(format!("{what} has no usable id for \"{}\"", token.escape_debug()))?;
        if id >= tokens.len() {
            tokens.resize(id + 1, None);
        }
        if tokens[id].replace(token.clone()).is_some() {
            return Ok(Err(()));
        }
    }
    Ok(Ok(tokens))
}

/// The merges as ids.
pub(super) fn merge_ids<'a>(
    tokens: &[Option<String>],
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<[u32; 2]>, String> {
    let ids: FxHashMap<&str, u32> =
        tokens.iter().zip(0..).filter_map(|(token, id)| Some((token.as_deref()?, id))).collect();
    let id = |token: &str| {
        ids.get(token).copied().ok_or(format!("a merge uses \"{token}\", which is not in the vocabulary"))
    };
    pairs.into_iter().map(|(a, b)| Ok([id(a)?, id(b)?])).collect()
}

/// Whether the tokens begin with GPT-2's.
fn is_gpt2(tokens: &[Option<String>]) -> bool {
    let gpt2 = Tokenizer::gpt2().byte_level_parts().ok().flatten().unwrap_or_default();
    tokens.starts_with(&gpt2.tokens)
}

/// The content of GPT-2's `merges.txt`.
fn gpt2_merges() -> String {
    let gpt2 = Tokenizer::gpt2().byte_level_parts().ok().flatten().unwrap_or_default();
    let spelled = |id: u32| gpt2.tokens[id as usize].as_deref().unwrap_or_default();
    gpt2.merges.iter().map(|&[a, b]| format!("{} {}\n", spelled(a), spelled(b))).collect()
}
