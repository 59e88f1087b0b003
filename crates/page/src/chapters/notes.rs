//! The notes as blocks of text, which the page sets as text. One source: the files that the program embeds.

use m2g_gpt::data::OWN_FILES;
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde_json::{Map, Value, json};

use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;

/// The folder of the notes.
const FOLDER: &str = "notebooks-notes/";

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
fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWN_FILES.iter().filter_map(|(file, text)| {
        let name = file.strip_prefix(FOLDER)?.strip_suffix(".md")?;
        (!name.contains('/')).then_some((name, *text))
    })
}

/// Names and titles.
pub fn titles() -> Value {
    let title = |(name, text): (&str, &str)| json!({"name": name, "title": title(text)});
    all().map(title).collect()
}

/// The first heading.
fn title(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default()
}

/// All notes.
pub fn list(_: &State, _: &Request) -> Answer {
    Ok(Reply::Json(json!({"notes": titles()})))
}

/// One note.
pub fn read(_: &State, request: &Request) -> Answer {
    let name = request.part();
    let found = all().find(|(known, _)| *known == name);
    let (name, text) = found.ok_or_else(|| Refusal::missing(format!("there is no note called {name}")))?;
    let blocks = with_live_pictures(name, blocks(text));
    Ok(Reply::Json(json!({"name": name, "title": title(text), "blocks": blocks})))
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

/// The text of spans.
fn plain(spans: &Value) -> String {
    let spans = spans.as_array().into_iter().flatten();
    spans.filter_map(|span| span["text"].as_str()).collect()
}

/// A block that is open, with what is inside so far.
enum Open {
    /// Blocks inside a quote, a list item, or the whole text.
    Blocks(Vec<Value>),
    /// Items of a list.
    Items(Vec<Value>, Option<u64>),
    /// Spans of a paragraph, heading or cell.
    Spans(Vec<Value>),
    /// A code block.
    Code(String, String),
    /// A table: alignments, the rows that are whole, the row that is open.
    Table(Vec<Value>, Vec<Value>, Vec<Value>),
}

/// The blocks of a text in Markdown.
fn blocks(text: &str) -> Vec<Value> {
    let mut open = vec![Open::Blocks(Vec::new())];
    let mut style: Vec<(&'static str, Value)> = Vec::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(tag) => start(tag, &mut open, &mut style),
            Event::End(end) => finish(end, &mut open, &mut style),
            Event::Text(text) => add_text(&text, &mut open, &style, false),
            Event::Code(text) => add_text(&text, &mut open, &style, true),
            Event::SoftBreak | Event::HardBreak => add_text(" ", &mut open, &style, false),
            // Written as it stands: the page sets text as text.
            Event::Html(text) | Event::InlineHtml(text) => add_text(&text, &mut open, &style, false),
            Event::Rule => add_block(json!({"is": "rule"}), &mut open),
            _ => {}
        }
    }
    match open.into_iter().next() {
        Some(Open::Blocks(blocks)) => blocks,
        _ => Vec::new(),
    }
}

fn start(tag: Tag<'_>, open: &mut Vec<Open>, style: &mut Vec<(&'static str, Value)>) {
    match tag {
        Tag::Paragraph | Tag::Heading { .. } | Tag::TableCell => open.push(Open::Spans(Vec::new())),
        Tag::BlockQuote(_) | Tag::Item => open.push(Open::Blocks(Vec::new())),
        Tag::List(start) => open.push(Open::Items(Vec::new(), start)),
        Tag::CodeBlock(kind) => {
            let language = match kind {
                CodeBlockKind::Fenced(language) => language.to_string(),
                CodeBlockKind::Indented => String::new(),
            };
            open.push(Open::Code(language, String::new()));
        }
        Tag::Table(align) => {
            let name = |align: &Alignment| match align {
                Alignment::None => Value::Null,
                Alignment::Left => json!("left"),
                Alignment::Center => json!("center"),
                Alignment::Right => json!("right"),
            };
            open.push(Open::Table(align.iter().map(name).collect(), Vec::new(), Vec::new()));
        }
        Tag::Emphasis => style.push(("em", json!(true))),
        Tag::Strong => style.push(("strong", json!(true))),
        Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => style.push(("href", json!(&*dest_url))),
        _ => {}
    }
}

fn finish(end: TagEnd, open: &mut Vec<Open>, style: &mut Vec<(&'static str, Value)>) {
    match end {
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link | TagEnd::Image => {
            style.pop();
            return;
        }
        // The cells of a row are complete.
        TagEnd::TableHead | TagEnd::TableRow => {
            if let Some(Open::Table(_, rows, row)) = open.last_mut() {
                rows.push(Value::Array(std::mem::take(row)));
            }
            return;
        }
        TagEnd::Paragraph
        | TagEnd::Heading(_)
        | TagEnd::TableCell
        | TagEnd::BlockQuote(_)
        | TagEnd::Item
        | TagEnd::List(_)
        | TagEnd::CodeBlock
        | TagEnd::Table => {}
        _ => return,
    }
    let Some(inside) = (if open.len() > 1 { open.pop() } else { None }) else { return };
    let block = match (end, inside) {
        (TagEnd::Heading(level), Open::Spans(spans)) => {
            json!({"is": "heading", "level": number(level), "spans": spans})
        }
        (TagEnd::TableCell, Open::Spans(spans)) => {
            if let Some(Open::Table(_, _, row)) = open.last_mut() {
                row.push(Value::Array(spans));
            }
            return;
        }
        (_, Open::Spans(spans)) => json!({"is": "paragraph", "spans": spans}),
        (TagEnd::Item, Open::Blocks(blocks)) => {
            if let Some(Open::Items(items, _)) = open.last_mut() {
                items.push(Value::Array(blocks));
            }
            return;
        }
        (_, Open::Blocks(blocks)) => json!({"is": "quote", "blocks": blocks}),
        (_, Open::Items(items, start)) => {
            json!({"is": "list", "ordered": start.is_some(), "start": start.unwrap_or(1), "items": items})
        }
        (_, Open::Code(language, text)) => {
            json!({"is": "code", "lang": language, "text": text.trim_end_matches('\n')})
        }
        (_, Open::Table(align, mut rows, _)) => {
            let head = if rows.is_empty() { Value::Null } else { rows.remove(0) };
            json!({"is": "table", "align": align, "head": head, "rows": rows})
        }
    };
    add_block(block, open);
}

fn number(level: HeadingLevel) -> usize {
    level as usize
}

fn add_block(block: Value, open: &mut [Open]) {
    if let Some(Open::Blocks(blocks)) = open.last_mut() {
        blocks.push(block);
    }
}

/// Adds a span. In a tight list, text stands directly in the item.
fn add_text(text: &str, open: &mut [Open], style: &[(&'static str, Value)], code: bool) {
    let mut span: Map<String, Value> =
        style.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    span.insert("text".into(), json!(text));
    if code {
        span.insert("code".into(), json!(true));
    }
    match open.last_mut() {
        Some(Open::Spans(spans)) => spans.push(Value::Object(span)),
        Some(Open::Code(_, all)) => all.push_str(text),
        Some(Open::Blocks(blocks)) => {
            let tight = |block: &&mut Value| block["is"] == "paragraph" && block["tight"] == json!(true);
            match blocks.last_mut().filter(tight).and_then(|block| block["spans"].as_array_mut()) {
                Some(spans) => spans.push(Value::Object(span)),
                None => blocks.push(json!({"is": "paragraph", "tight": true, "spans": [span]})),
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_and_spans_keep_their_text() {
        let text = "# A *b*\n\nx `y < z` [l](03-a.md)\n\n- one\n- two\n  more\n\n1. n\n\n```rust\nlet a;\n```\n\n\
                    | h | i |\n| --- | ---: |\n| **a** | `b` |\n\n<script>alert(1)</script>\n";
        let blocks = blocks(text);
        assert_eq!(
            blocks[0],
            json!({"is": "heading", "level": 1, "spans": [{"text": "A "}, {"em": true, "text": "b"}]})
        );
        assert_eq!(plain(&blocks[1]["spans"]), "x y < z l");
        assert_eq!(blocks[1]["spans"][3], json!({"href": "03-a.md", "text": "l"}));
        assert_eq!(blocks[2]["items"].as_array().unwrap().len(), 2);
        assert_eq!(plain(&blocks[2]["items"][1][0]["spans"]), "two more");
        assert_eq!(blocks[3]["ordered"], true);
        assert_eq!(blocks[4], json!({"is": "code", "lang": "rust", "text": "let a;"}));
        assert_eq!(blocks[5]["align"], json!([null, "right"]));
        assert_eq!(
            blocks[5]["rows"],
            json!([[[{"strong": true, "text": "a"}], [{"code": true, "text": "b"}]]])
        );
        assert!(plain(&blocks[6]["spans"]).contains("<script>"));
    }

    #[test]
    fn every_note_has_a_title_blocks_and_its_live_pictures() {
        let mut pictures = 0;
        for (name, text) in all() {
            let blocks = with_live_pictures(name, blocks(text));
            assert!(!title(text).is_empty() && blocks.len() > 3, "{name}");
            // Nothing is lost: every word of the text is in a block.
            let shown = Value::Array(blocks.clone()).to_string();
            for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 12) {
                assert!(shown.contains(word), "{name}: {word}");
            }
            pictures += blocks.iter().filter(|block| block["is"] == "live").count();
        }
        assert_eq!(pictures, LIVE.len());
    }
}
