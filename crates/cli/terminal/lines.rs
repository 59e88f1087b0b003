//! Breaks text where a reader would break it: between words, or between fields.

use std::fmt;

use m2g_core::error::is_unsafe_in_terminals;

use super::notes;
use super::program::with_program;
use super::width::{clip, columns, width};

/// The column in which the text after a name starts.
const NAME_COLUMNS: usize = 11;

/// A text of others, such as a name or the output of a program: as it is, except for what would move the cursor.
pub fn visible(text: &str) -> String {
    let escaped = |c: char| match is_unsafe_in_terminals(c) && c != '\n' && c != '\t' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// Breaks a paragraph between words. Every line but the first is indented by `indent` columns. A
/// word that is longer than a line, such as a path, stays whole.
pub fn wrap(text: &str, columns: usize, indent: usize) -> String {
    let words = text.split('\n').map(|line| line.split(' ').filter(|word| !word.is_empty()));
    let paragraphs = words.map(|words| join(words, " ", columns, indent));
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// Breaks lines that are too long, and keeps everything else as it is: the spaces of a text that a
/// model wrote, and its own line breaks.
pub fn fold(text: &str, columns: usize) -> String {
    let fold_line = |line: &str| {
        let (mut lines, mut rest) = (Vec::new(), line);
        while width(rest) > columns {
            let room = head(rest, columns.max(1));
            // After the last space that fits, unless the line begins with all its spaces.
            let last = rest[..room].trim_end_matches(|c| c != ' ').len();
            let blank = rest[..last].trim().is_empty();
            let end = if blank || rest[room..].starts_with(' ') { room } else { last };
            lines.push(rest[..end].trim_end_matches(' '));
            rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
        }
        lines.push(rest);
        lines.join("\n")
    };
    text.split('\n').map(fold_line).collect::<Vec<_>>().join("\n")
}

/// The length in bytes of the start of a text that fits into this many columns; at least one
/// character.
fn head(text: &str, columns: usize) -> usize {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.enumerate()
        .take_while(|&(i, end)| i == 0 || width(&text[..end]) <= columns)
        .last()
        .map_or(0, |(_, end)| end)
}

/// Puts fields beside each other, `gap` apart, and breaks only between fields. Every line but the
/// first is indented.
pub fn flow<S: AsRef<str>>(fields: &[S], gap: &str, columns: usize, indent: usize) -> String {
    let fields = fields.iter().map(AsRef::as_ref).filter(|field| !field.is_empty());
    join(fields, gap, columns, indent)
}

fn join<'a>(parts: impl Iterator<Item = &'a str>, gap: &str, columns: usize, indent: usize) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for part in parts {
        let part = &visible(part);
        if text.is_empty() {
            text.push_str(part);
        } else if used + width(gap) + width(part) <= columns {
            text.push_str(gap);
            text.push_str(part);
            used += width(gap);
        } else {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            text.push_str(part);
            used = indent;
        }
        used += width(part);
    }
    text
}

/// The fields that fit on one line, two spaces apart: those with the largest numbers are left out
/// first.
pub fn fit(fields: &[(u8, String)], columns: usize) -> String {
    let mut kept: Vec<&(u8, String)> = fields.iter().filter(|(_, field)| !field.is_empty()).collect();
    loop {
        let line = kept.iter().map(|(_, field)| field.as_str()).collect::<Vec<_>>().join("  ");
        let last = kept.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
        if width(&line) <= columns || last == 0 {
            return line;
        }
        kept.retain(|(rank, _)| *rank != last);
    }
}

/// A named fact: the name in the first columns, and the text beside it, wrapped.
pub fn entry(name: &str, text: &str, columns: usize) -> String {
    entry_at(NAME_COLUMNS, name, text, columns)
}

/// As [`entry`], with the text from column `start` on. In a narrow terminal it starts earlier, and
/// below the name if a word needs the room.
pub fn entry_at(start: usize, name: &str, text: &str, columns: usize) -> String {
    let widest_word = text.split_whitespace().map(width).max().unwrap_or(0);
    beside(start, name, widest_word, columns, |columns| wrap(text, columns, 0))
}

/// As [`entry_at`], for fields that are not broken, two spaces apart.
pub fn entry_of_fields(start: usize, name: &str, fields: &[String], columns: usize) -> String {
    let widest = fields.iter().map(|field| width(field)).max().unwrap_or(0);
    beside(start, name, widest, columns, |columns| flow(fields, "  ", columns, 0))
}

/// A name and beside it, or below it, the lines of `body`, which takes their width.
fn beside(
    start: usize,
    name: &str,
    widest: usize,
    columns: usize,
    body: impl FnOnce(usize) -> String,
) -> String {
    const INDENT: usize = 2;
    let start = start.min(columns / 3).max(INDENT);
    let start = if start + widest > columns { INDENT } else { start };
    let indent = " ".repeat(start);
    let body = body(columns - start).replace('\n', &format!("\n{indent}"));
    match width(name) < start {
        true => format!("{name}{}{body}", " ".repeat(start - width(name))),
        false => format!("{}\n{indent}{body}", clip(name, columns)),
    }
}

/// A number of things: `1 thread`, `2 threads`.
pub fn counted<N: fmt::Display + PartialEq + From<u8>>(n: N, thing: &str) -> String {
    let plural = if n == N::from(1) { "" } else { "s" };
    format!("{n} {thing}{plural}")
}

/// How often: `once`, `2 times`.
pub fn times<N: fmt::Display + PartialEq + From<u8>>(n: N) -> String {
    if n == N::from(1) { "once".into() } else { format!("{n} times") }
}

/// A share from 0 to 1 as a bar of up to 30 columns.
pub fn bar(share: f64) -> String {
    "#".repeat((30.0 * share.clamp(0.0, 1.0)).round() as usize)
}

/// Words in a row: `a, b or c`.
pub fn listed(words: &[String], before_last: &str) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {before_last} {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Prints a remark to stderr, wrapped, with commands as the user would type them.
pub fn note(text: &str) {
    notes::line(wrap(&with_program(text), columns(), 2));
}

/// Prints a named fact to stderr.
pub fn fact(name: &str, text: &str) {
    notes::line(entry(name, text, columns()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_break_between_words() {
        assert_eq!(wrap("one two three", 8, 2), "one two\n  three");
        assert_eq!(wrap("a /very/long/path b", 6, 0), "a\n/very/long/path\nb");
        assert_eq!(wrap("one\n\ntwo", 20, 0), "one\n\ntwo");
    }

    #[test]
    fn a_text_of_others_stays_whole_and_cannot_move_the_cursor() {
        let text = format!("\"{}\"\n\tb", "long ".repeat(200));
        assert_eq!(visible(&text), text);
        assert_eq!(visible("a\u{1b}[2J\r"), "a\\u{1b}[2J\\r");
        let name = "\u{1b}[31mred";
        let escaped = "\\u{1b}[31mred";
        assert_eq!([wrap(name, 80, 0), flow(&[name], "  ", 80, 0)], [escaped, escaped]);
        assert_eq!(entry("data", name, 80), format!("data       {escaped}"));
    }

    #[test]
    fn long_lines_are_folded_and_spaces_stay() {
        assert_eq!(fold("    let x = 1;\n\none two three", 8), "    let\nx = 1;\n\none two\nthree");
        assert_eq!(fold("abcdefgh ij", 4), "abcd\nefgh\nij");
        assert_eq!(fold("数字数字", 5), "数字\n数字");
        assert_eq!(fold("", 5), "");
    }

    #[test]
    fn fields_stay_whole() {
        assert_eq!(flow(&["loss 1.5", "", "norm 2"], "  ", 16, 4), "loss 1.5  norm 2");
        assert_eq!(flow(&["loss 1.5", "norm 2"], "  ", 15, 4), "loss 1.5\n    norm 2");
    }

    #[test]
    fn the_least_important_fields_go_first() {
        let fields =
            |columns| fit(&[(0, "step 1".into()), (2, "lr 1".into()), (1, "norm 2".into())], columns);
        assert_eq!([fields(20), fields(19), fields(3)], ["step 1  lr 1  norm 2", "step 1  norm 2", "step 1"]);
    }

    #[test]
    fn facts_are_indented() {
        assert_eq!(entry("data", "one two", 40), "data       one two");
        assert_eq!(entry("data", "one two three", 21), "data   one two three");
        assert_eq!(entry_at(6, "a-long-name", "one", 40), "a-long-name\n      one");
    }
}
