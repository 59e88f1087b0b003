//! Markdown as blocks of text, which the page sets as text.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use serde_json::{Map, Value, json};

/// The text of spans.
pub fn plain(spans: &Value) -> String {
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

/// The blocks of a text in Markdown. Links and pictures keep their addresses, as `href` and `src`.
pub fn blocks(text: &str) -> Vec<Value> {
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
        Tag::Link { dest_url, .. } => style.push(("href", json!(&*dest_url))),
        Tag::Image { dest_url, .. } => style.push(("src", json!(&*dest_url))),
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
            json!({"is": "heading", "level": level as usize, "spans": spans})
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
        let text = "# A *b*\n\nx `y < z` [l](03-a.md) ![p](q.svg)\n\n- one\n- two\n  more\n\n1. n\n\n```rust\nlet a;\n```\n\n\
                    | h | i |\n| --- | ---: |\n| **a** | `b` |\n\n<script>alert(1)</script>\n";
        let blocks = blocks(text);
        assert_eq!(
            blocks[0],
            json!({"is": "heading", "level": 1, "spans": [{"text": "A "}, {"em": true, "text": "b"}]})
        );
        assert_eq!(plain(&blocks[1]["spans"]), "x y < z l p");
        assert_eq!(blocks[1]["spans"][3], json!({"href": "03-a.md", "text": "l"}));
        assert_eq!(blocks[1]["spans"][5], json!({"src": "q.svg", "text": "p"}));
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
}
