//! The width of the terminal, and of a text in it, in columns.

use std::env;

use terminal_size::{Width, terminal_size};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width without a terminal, as in a pipe.
const DEFAULT_COLUMNS: usize = 80;
/// Wider lines are hard to read.
const MAX_COLUMNS: usize = 120;
/// Tables need some room.
const MIN_COLUMNS: usize = 20;

/// The columns to use: those of `$COLUMNS` if set, of the terminal if there is one, or else 80.
/// At most 120 and at least 20.
pub fn columns() -> usize {
    let set = env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok()).filter(|&n| n > 0);
    let terminal = || terminal_size().map(|(Width(columns), _)| usize::from(columns)).filter(|&n| n > 0);
    set.or_else(terminal).unwrap_or(DEFAULT_COLUMNS).clamp(MIN_COLUMNS, MAX_COLUMNS)
}

/// The columns that a text takes: two for each wide character, as in Chinese.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `max` columns: the middle of a longer one becomes `…`.
pub fn clip(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.into();
    }
    let room = max.saturating_sub(1);
    let start = room.div_ceil(2);
    let head = take(text.chars(), start);
    let tail: Vec<char> = take(text.chars().rev(), room - start);
    head.into_iter().chain(['…']).chain(tail.into_iter().rev()).collect()
}

/// The first characters that fit into `max` columns.
fn take(chars: impl Iterator<Item = char>, max: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= max
        })
        .collect()
}

/// The text, padded with spaces to `columns`.
pub fn pad(text: &str, columns: usize, right: bool) -> String {
    let space = " ".repeat(columns.saturating_sub(width(text)));
    if right { space + text } else { format!("{text}{space}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(clip("short", 5), "short");
        assert_eq!(clip("a-long-name-1", 9), "a-lo…me-1");
        assert_eq!(clip("数字数字数字", 7), "数…字");
        assert_eq!([clip("abc", 1), clip("abc", 2)], ["…", "a…"]);
    }

    #[test]
    fn wide_characters_are_padded_by_columns() {
        assert_eq!(pad("数", 4, false), "数  ");
        assert_eq!(pad("7", 3, true), "  7");
    }
}
