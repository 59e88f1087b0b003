//! Translation: the best translations of a sentence, the tree of the search, and what decides a word.

use m2g_text::tokenizer::readable;
use m2g_translate::decode::{Fate, Options, Translator};
use serde::Deserialize;
use serde_json::json;

use super::inspect::{check_text, sentence_or_default};
use crate::models::KINDS;
use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;

/// The widest beam.
const MOST_BEAM: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    model: String,
    sentence: Option<String>,
    beam: Option<usize>,
}

/// Translates a sentence, and shows the search as a tree.
pub fn translate(state: &State, request: &Request) -> Answer {
    let wanted: Wanted = request.json()?;
    check_text(wanted.sentence.as_deref())?;
    let model = state.models.open(&wanted.model)?;
    let (model, description) = model.translate()?;
    let tokenizer = &description.tokenizer;
    let beam = wanted.beam.unwrap_or(Options::default().beam);
    if !(1..=MOST_BEAM).contains(&beam) {
        return Err(Refusal::bad(format!("beam is {beam}: it must be from 1 to {MOST_BEAM}")));
    }
    let translator = Translator::new(model, tokenizer, Options { beam, n_best: beam, ..Options::default() })?;
    let sentence = sentence_or_default(wanted.sentence, description)?;
    let source = translator.encode(&sentence)?;
    let (found, tree) = translator.tree(&source)?;
    let token = |id: u32| readable(id, Some(tokenizer));
    let nodes = tree.nodes.iter().map(|node| {
        json!({
            "parent": node.parent, "depth": node.depth, "token": token(node.token), "id": node.token,
            "log_probability": node.log_probability, "score": node.score,
            "fate": match node.fate { Fate::Kept => "kept", Fate::Pruned => "pruned", Fate::Finished => "finished" },
        })
    });
    let translations = found.iter().map(|t| {
        json!({
            "text": t.text, "log_probability": t.log_probability, "score": t.score, "complete": t.is_complete,
        })
    });
    Ok(Reply::Json(json!({
        "sentence": sentence,
        "translations": translations.collect::<Vec<_>>(),
        "tree": {"nodes": nodes.collect::<Vec<_>>(), "best": tree.best()},
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    model: String,
    sentence: String,
    word: String,
}

/// What a word attends to, and what decides between its translations.
pub fn ask(state: &State, request: &Request) -> Answer {
    let Asked { model, sentence, word } = request.json()?;
    check_text(Some(&sentence))?;
    if KINDS.contains(&model.as_str()) {
        return Err(Refusal::bad("an untrained model has nothing to say: choose a translation run"));
    }
    Ok(Reply::Json((state.commands.ask)(&state.models.folder(&model)?, &sentence, &word)?))
}
