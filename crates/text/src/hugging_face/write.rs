//! Writes the tokenizer of a folder, so that `AutoTokenizer.from_pretrained` gives the same ids.

use std::io::Write;
use std::path::Path;

use m2g_core::{Error, atomic};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value, json};

use super::{MERGES, OURS, TOKENIZER, TOKENIZER_CONFIG, VOCAB};
use crate::tokenizer::{AddedToken, ByteLevelParts, SpecialToken, Tokenizer, TokenizerKind};

/// Writes `tokenizer.json`, `vocab.json`, `merges.txt` and `tokenizer_config.json`. A tokenizer that is
/// not written in this format is written in the format of this project, as `m2g_tokenizer.json`; then a
/// sentence on why comes back. `block_size` is the longest text that the model sees.
///
/// # Errors
/// [`Error::Io`].
pub fn write(dir: &Path, tokenizer: &Tokenizer, block_size: usize) -> Result<Option<String>, Error> {
    let files = tokenizer.byte_level_parts().and_then(|parts| match parts {
        Some(parts) => byte_level(&parts),
        None => characters(tokenizer),
    });
    let files = match files {
        Ok(files) => files,
        Err(why) => {
            let json = serde_json::to_string(tokenizer).map_err(|e| Error::Other(Box::new(e)))?;
            write_text(&dir.join(OURS), &json)?;
            return Ok(Some(format!("{why}: the tokenizer is in {OURS}, which only this program reads")));
        }
    };
    write_text(&dir.join(TOKENIZER), &format!("{:#}\n", files.tokenizer))?;
    write_text(&dir.join(VOCAB), &format!("{}\n", by_id(&files.vocab)))?;
    write_text(&dir.join(MERGES), &format!("#version: 0.2\n{}", files.merges))?;
    let config = config(tokenizer, block_size, files.prefix_space);
    write_text(&dir.join(TOKENIZER_CONFIG), &format!("{config:#}\n"))?;
    Ok(None)
}

/// The contents of the files.
struct Files {
    tokenizer: Value,
    /// The tokens by id, added ones too.
    vocab: Vec<(String, u32)>,
    merges: String,
    prefix_space: bool,
}

/// The files of a tokenizer of bytes.
///
/// # Errors
/// A sentence, if the format cannot express it.
fn byte_level(parts: &ByteLevelParts) -> Result<Files, String> {
    let tokens = parts.tokens.iter().zip(0..).filter_map(|(token, id)| Some((token.clone()?, id)));
    let mut vocab: Vec<(String, u32)> = tokens.collect();
    let spelled = |id: u32| parts.tokens[id as usize].as_deref().unwrap_or_default();
    let pairs: Vec<[&str; 2]> = parts.merges.iter().map(|pair| pair.map(spelled)).collect();
    let step = |prefix_space: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": true, "use_regex": true,
        })
    };
    let unknown = parts.unknown.and_then(|id| {
        let added = parts.added.iter().find(|token| token.id == id).map(|token| token.text.as_str());
        added.or(parts.tokens.get(id as usize)?.as_deref())
    });
    // Hugging Face keeps the id of an added token only if the vocabulary has the token too.
    add_to(&mut vocab, &parts.added)?;
    let model = model(&vocab, json!(pairs), unknown);
    let tokenizer = tokenizer_json(&parts.added, model, step(parts.prefix_space), step(true));
    let merges = pairs.iter().map(|[a, b]| format!("{a} {b}\n")).collect();
    Ok(Files { tokenizer, vocab, merges, prefix_space: parts.prefix_space })
}

/// A vocabulary of characters is a BPE without merges on the whole text.
fn characters(tokenizer: &Tokenizer) -> Result<Files, String> {
    let (mut vocab, mut added) = (Vec::new(), Vec::new());
    for (id, token) in (0..).map_while(|id| Some((id, tokenizer.token(id)?))) {
        let text = String::from_utf8_lossy(&token).into_owned();
        match tokenizer.special_token(id) {
            Some(_) => added.push(AddedToken::special(id, &text)),
            None => vocab.push((text, id)),
        }
    }
    let model = model(&vocab, json!([]), None);
    let tokenizer = tokenizer_json(&added, model, Value::Null, json!({"type": "Fuse"}));
    add_to(&mut vocab, &added)?;
    Ok(Files { tokenizer, vocab, merges: String::new(), prefix_space: false })
}

/// Adds the tokens that are not in the vocabulary.
///
/// # Errors
/// A sentence, if one has the text or the id of another token.
fn add_to(vocab: &mut Vec<(String, u32)>, added: &[AddedToken]) -> Result<(), String> {
    let mut by_text: FxHashMap<String, u32> = vocab.iter().cloned().collect();
    let mut taken: FxHashSet<u32> = by_text.values().copied().collect();
    for AddedToken { id, text, .. } in added {
        match by_text.get(text) {
            Some(same) if same == id => {}
            None if taken.insert(*id) => {
                by_text.insert(text.clone(), *id);
                vocab.push((text.clone(), *id));
            }
            _ => {
                return Err(format!(
                    "its added token \"{}\" has the text or the id of another token, which the format of Hugging \
                     Face cannot express",
                    text.escape_debug()
                ));
            }
        }
    }
    Ok(())
}

fn model(vocab: &[(String, u32)], merges: Value, unknown: Option<&str>) -> Value {
    let vocab: Map<String, Value> = vocab.iter().map(|(token, id)| (token.clone(), (*id).into())).collect();
    json!({
        "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": "",
        "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocab, "merges": merges,
    })
}

fn tokenizer_json(added: &[AddedToken], model: Value, pre_tokenizer: Value, decoder: Value) -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model,
    })
}

/// The content of `tokenizer_config.json`. GPT-2's class would add an end of text to a vocabulary
/// without one, so that only GPT-2's tokenizer names it.
fn config(tokenizer: &Tokenizer, block_size: usize, prefix_space: bool) -> Value {
    let text = |token: SpecialToken| {
        let bytes = tokenizer.token(tokenizer.special_id(token)?)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let end = text(SpecialToken::EndOfText);
    let gpt2 = tokenizer.kind() == TokenizerKind::Gpt2;
    json!({
        "tokenizer_class": if gpt2 { "GPT2Tokenizer" } else { "PreTrainedTokenizerFast" },
        "model_max_length": block_size,
        "clean_up_tokenization_spaces": false,
        "add_prefix_space": prefix_space,
        "bos_token": text(SpecialToken::Beginning).or(end.clone()),
        "pad_token": text(SpecialToken::Padding),
        "unk_token": if gpt2 { end.clone() } else { None },
        "eos_token": end,
    })
}

/// The object of a vocabulary, in the order of the ids.
fn by_id(vocab: &[(String, u32)]) -> String {
    let tokens: Vec<String> =
        vocab.iter().map(|(token, id)| format!("{}: {id}", Value::String(token.clone()))).collect();
    format!("{{{}}}", tokens.join(", "))
}

fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    atomic::write(path, |file| file.write_all(text.as_bytes()))
}
