//! The notes in both languages, with live pictures in their places. One source: the files of the notes.

use m2g_packed::Files;
use serde_json::{Value, json};

use crate::markdown::{blocks, plain};
use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;

/// The path below the folder of the notes and the text of every note; those in Spanish are in `es`.
static NOTES: Files = Files::new(include_bytes!(concat!(env!("OUT_DIR"), "/notes")));
/// The folder of the Spanish notes.
const SPANISH: &str = "es/";
/// The note with the learning path, which is the first.
const PATH: &str = "README";

/// The live picture of a note: the chapter of the page that belongs to it, and the part of the heading before it.
const LIVE: [(&str, &str, &str); 12] = [
    ("01-from-a-neuron-to-backprop", "", "neuron"),
    ("01-from-a-neuron-to-backprop", "backprop", "train"),
    ("02-from-digits-to-tokens", "", "tokens"),
    ("03-attention", "", "gpt"),
    ("04-one-core", "", "core"),
    ("05-what-if", "", "what-if"),
    ("06-what-if-score", "", "what-if"),
    ("07-what-if-mask", "", "what-if"),
    ("08-what-if-positions", "", "gpt"),
    ("09-what-if-ablation", "", "runs"),
    ("10-what-if-digits", "", "digits"),
    ("12-translation", "", "translation"),
];

/// The notes in order, each with its name and text.
fn all(spanish: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let notes = NOTES.iter().filter_map(move |(file, text)| {
        let name = file.strip_suffix(".md")?;
        match name.strip_prefix(SPANISH) {
            Some(name) => spanish.then_some((name, text)),
            None => (!spanish).then_some((name, text)),
        }
    });
    let (first, others): (Vec<_>, Vec<_>) = notes.partition(|(name, _)| *name == PATH);
    first.into_iter().chain(others)
}

/// Whether a request is for the Spanish notes.
fn spanish(request: &Request) -> bool {
    request.text("lang") == Some("es")
}

/// The first heading, without the marks of code.
fn title(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default().replace('`', "")
}

/// Names and titles of all notes.
pub fn list(_: &State, request: &Request) -> Answer {
    let title = |(name, text): (&str, &str)| json!({"name": name, "title": title(text)});
    Ok(Reply::Json(json!({"notes": all(spanish(request)).map(title).collect::<Value>()})))
}

/// One note.
pub fn read(_: &State, request: &Request) -> Answer {
    let (name, spanish) = (&request.part[..], spanish(request));
    let found = all(spanish).find(|(known, _)| *known == name);
    let (name, text) = found.ok_or_else(|| Refusal::missing(format!("there is no note called {name}")))?;
    Ok(Reply::Json(json!({"name": name, "title": title(text), "blocks": shown(name, text, spanish)})))
}

/// The blocks of a note as the page shows them.
fn shown(name: &str, text: &str, spanish: bool) -> Vec<Value> {
    let mut blocks = with_live_pictures(name, blocks(text));
    let folder = format!("{}{name}", if spanish { SPANISH } else { "" });
    blocks.iter_mut().for_each(|block| resolve(block, &folder));
    blocks
}

/// Resolves the links inside a block of a note: to another note in its language, to a picture, to a page elsewhere.
/// What the page does not show, such as a file of the sources, stays text.
fn resolve(value: &mut Value, note: &str) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|value| resolve(value, note)),
        Value::Object(fields) => {
            if let Some(src) = fields.get("src").and_then(Value::as_str) {
                fields["src"] = json!(path(note, src));
            }
            let link =
                fields.get("href").and_then(Value::as_str).filter(|href| !href.starts_with("https://"));
            if let Some(target) = link.map(|href| path(note, href)) {
                fields.remove("href");
                let same_language = target.starts_with(SPANISH) == note.starts_with(SPANISH);
                if same_language && NOTES.iter().any(|(file, _)| *file == target) {
                    let name = target.strip_prefix(SPANISH).unwrap_or(&target);
                    fields.insert("note".into(), json!(name.strip_suffix(".md")));
                }
            }
            fields.values_mut().for_each(|value| resolve(value, note));
        }
        _ => {}
    }
}

/// The path that a link of a note leads to, below the folder of the notes.
fn path(note: &str, link: &str) -> String {
    let mut parts: Vec<&str> = note.split('/').collect();
    parts.pop();
    let link = link.split('#').next().unwrap_or_default();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Puts each live picture behind its heading: the first heading that contains its word.
fn with_live_pictures(name: &str, blocks: Vec<Value>) -> Vec<Value> {
    let mut open: Vec<(&str, &str)> =
        LIVE.iter().filter(|(note, ..)| *note == name).map(|(_, word, chapter)| (*word, *chapter)).collect();
    let mut all = Vec::new();
    for block in blocks {
        let heading = (block["is"] == "heading").then(|| plain(&block["spans"]).to_lowercase());
        all.push(block);
        let Some(heading) = heading else { continue };
        if let Some(i) = open.iter().position(|(word, _)| heading.contains(word)) {
            let (_, chapter) = open.remove(i);
            all.push(json!({"is": "live", "chapter": chapter}));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_note_has_a_title_blocks_and_its_live_pictures() {
        for spanish in [false, true] {
            check(spanish);
        }
    }

    fn check(spanish: bool) {
        let mut pictures = 0;
        for (name, text) in all(spanish) {
            let blocks = shown(name, text, spanish);
            assert!(!title(text).is_empty() && blocks.len() > 3, "{name}");
            // Nothing is lost: every word of the text is in a block.
            let shown = Value::Array(blocks.clone()).to_string();
            for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 12) {
                assert!(shown.contains(word), "{name}: {word}");
            }
            pictures += blocks.iter().filter(|block| block["is"] == "live").count();
        }
        assert_eq!(pictures, LIVE.len(), "Spanish: {spanish}");
        assert_eq!(all(spanish).next().unwrap().0, PATH);
    }

    #[test]
    fn links_lead_to_notes_and_pictures() {
        let (_, text) = all(true).find(|(name, _)| *name == "questions/similarity").unwrap();
        let shown = json!(shown("questions/similarity", text, true)).to_string();
        assert!(shown.contains("\"note\":\"06-what-if-score\""), "{shown}");
        for (from, link, to) in [
            ("03-attention", "pictures/a.svg", "pictures/a.svg"),
            ("es/questions/b", "../pictures/a.svg#x", "es/pictures/a.svg"),
            ("es/README", "../README.md", "README.md"),
            ("README", "../../x", "x"),
        ] {
            assert_eq!(path(from, link), to);
        }
        for (name, text) in all(false).chain(all(true)) {
            for picture in text.split("](").skip(1).filter_map(|link| link.split_once(".svg)")) {
                let file = picture.0.rsplit('/').next().unwrap();
                assert!(crate::assets::find(&format!("/pictures/{file}.svg")).is_ok(), "{name}: {file}");
            }
        }
    }
}
