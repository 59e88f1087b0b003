//! `vocab.json` and `merges.txt`, GPT-2's files.

use std::path::Path;

use m2g_core::bounded;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use super::described::{Described, MAX_FILE_BYTES, read_json};
use super::{MERGES, TOKENIZER_CONFIG, VOCAB, added_tokens};
use crate::error::TextError;
use crate::tokenizer::{AddedToken, ByteLevelParts, Tokenizer};

/// Reads both files, and the added tokens beside them.
///
/// # Errors
/// [`TextError`] if a file is damaged. The inner result says what cannot be expressed.
pub(super) fn read(dir: &Path) -> Result<Result<Described, String>, TextError> {
    let path = dir.join(VOCAB);
    let Ok(tokens) = tokens(&read_json(&path)?, "it").map_err(|why| TextError::file(&path, why))? else {
        return Ok(Err(format!("{VOCAB}: two tokens have the same id")));
    };
    let mut added = Vec::new();
    added_tokens::add_those_beside(dir, &mut added)?;
    if let Err(why) = added_tokens::check_ids(&tokens, &added) {
        return Ok(Err(why));
    }
    let prefix_space = match dir.join(TOKENIZER_CONFIG) {
        config if config.is_file() => read_json(&config)?["add_prefix_space"] == true,
        _ => false,
    };
    let merges = dir.join(MERGES);
    let text = match merges.is_file() {
        true => bounded::read_text(&merges, MAX_FILE_BYTES, "a file of a tokenizer")?,
        false if is_gpt2(&tokens) => gpt2_merges(),
        false => return Ok(Err(format!("{VOCAB}: it needs {MERGES}, which is missing"))),
    };
    // Some editors put a byte-order mark before the first line.
    let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines();
    let lines = lines.filter(|line| !line.starts_with("#version") && !line.is_empty());
    let no_pair = |line: &str| format!("it has the line \"{}\", which is no pair", line.escape_debug());
    let pairs = lines.map(|line| line.split_once(' ').ok_or_else(|| no_pair(line)));
    let merges = pairs.collect::<Result<Vec<_>, _>>().and_then(|pairs| merge_ids(&tokens, pairs));
    let merges = merges.and_then(|merges| match without_merge(&tokens, &merges, &added) {
        0 => Ok(merges),
        n => Err(format!(
            "it seems cut off, because no merge makes {n} of the tokens in {VOCAB}: get the whole file"
        )),
    });
    Ok(merges.map_err(|why| format!("{MERGES}: {why}")).map(|merges| {
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

/// The merges as ids. Of equal ones, the last counts in Hugging Face.
pub(super) fn merge_ids<'a>(
    tokens: &[Option<String>],
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<[u32; 2]>, String> {
    let ids: FxHashMap<&str, u32> =
        tokens.iter().zip(0..).filter_map(|(token, id)| Some((token.as_deref()?, id))).collect();
    let id = |token: &str| {
        let unknown = || format!("a merge uses \"{}\", which is not in the vocabulary", token.escape_debug());
        ids.get(token).copied().ok_or_else(unknown)
    };
    let pairs = pairs.into_iter().map(|(a, b)| Ok([id(a)?, id(b)?]));
    let merges: Vec<[u32; 2]> = pairs.collect::<Result<_, String>>()?;
    let last: FxHashMap<[u32; 2], usize> = merges.iter().copied().zip(0..).collect();
    Ok(merges
        .into_iter()
        .zip(0..)
        .filter(|(pair, place)| last[pair] == *place)
        .map(|(pair, _)| pair)
        .collect())
}

/// How many tokens are two tokens in a row, as if merged, but no merge makes them. Added tokens are not
/// merged, and neither are those that look like special ones: `<s>`, `[PAD]`.
fn without_merge(tokens: &[Option<String>], merges: &[[u32; 2]], added: &[AddedToken]) -> usize {
    /// Longer tokens are not looked at: there are many ways to split them.
    const LONGEST_BYTES: usize = 64;
    let known: FxHashSet<&str> = tokens.iter().flatten().map(String::as_str).collect();
    let spelled = |id: u32| tokens[id as usize].as_deref().unwrap_or_default();
    let mut made: FxHashSet<String> = merges.iter().map(|pair| pair.map(spelled).concat()).collect();
    made.extend(added.iter().map(|token| token.text.clone()));
    let is_special = |text: &str| text.starts_with(['<', '[']) && text.ends_with(['>', ']']);
    let is_pair = |text: &str| {
        let mut splits = text.char_indices().skip(1).map(|(at, _)| text.split_at(at));
        splits.any(|(a, b)| known.contains(a) && known.contains(b))
    };
    let lost = known.iter().filter(|text| text.len() <= LONGEST_BYTES && !made.contains(**text));
    lost.filter(|text| !is_special(text) && is_pair(text)).count()
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
