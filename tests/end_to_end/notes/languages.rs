//! The Spanish notes have the structure of the English ones: the same headings, commands, code, pictures
//! and figures.

use std::fs;
use std::path::Path;

use super::{Part, folder, notes, parts, read};

/// What two languages must have in common, in order.
#[derive(Debug, PartialEq)]
enum Line {
    /// A heading, by its level, and the figures in the text since the one before, sorted.
    Heading(usize, Vec<String>),
    /// A block of commands, code or output.
    Block(String, String),
    /// A picture.
    Picture(String),
}

/// Every number in a text: digits, perhaps with a point. `1,000` in English and `1\u{a0}000` in Spanish
/// are the number 1000.
fn figures(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |i: usize| letters.get(i).is_some_and(char::is_ascii_digit);
    let groups = |i: usize| {
        matches!(letters[i], ',' | '\u{a0}') && (1..=3).all(|k| is_digit(i + k)) && !is_digit(i + 4)
    };
    let mut figures = vec![String::new()];
    for (i, &letter) in letters.iter().enumerate() {
        let inside = i > 0 && is_digit(i - 1);
        let last = figures.len() - 1;
        match letter {
            '0'..='9' => figures[last].push(letter),
            '.' if inside && is_digit(i + 1) => figures[last].push('.'),
            _ if inside && groups(i) => {}
            _ => figures.push(String::new()),
        }
    }
    figures.retain(|figure| !figure.is_empty());
    figures
}

/// A line without the targets of its links, which name files.
fn without_links(line: &str) -> String {
    let mut parts = line.split("](");
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        text.push(' ');
        text.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    text
}

fn structure(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut seen = Vec::new();
    let end = |seen: &mut Vec<String>, lines: &mut Vec<Line>, level| {
        seen.sort();
        lines.push(Line::Heading(level, std::mem::take(seen)));
    };
    for part in parts(text) {
        match part {
            Part::Block(language, code) if language == "text" => seen.extend(figures(&code)),
            Part::Block(language, code) => lines.push(Line::Block(language, code)),
            Part::Text(line) if line.starts_with('#') => {
                let level = line.chars().take_while(|c| *c == '#').count();
                end(&mut seen, &mut lines, level);
                seen.extend(figures(&line));
            }
            Part::Text(line) if line.starts_with("![") => {
                let path = line.rsplit("](").next().unwrap_or_default().trim_end_matches(')');
                lines.push(Line::Picture(path.into()));
            }
            Part::Text(line) => seen.extend(figures(&without_links(&line))),
        }
    }
    end(&mut seen, &mut lines, 0);
    lines
}

#[test]
fn spanish_notes_have_the_headings_commands_and_figures_of_the_english_ones() {
    for note in notes() {
        let spanish = Path::new("es").join(&note);
        assert!(folder().join(&spanish).exists(), "{} is missing", spanish.display());
        let (english, spanish) = (structure(&read(&note)), structure(&read(&spanish)));
        for (english, spanish) in english.iter().zip(&spanish) {
            assert_eq!(english, spanish, "{}", note.display());
        }
        assert_eq!(english.len(), spanish.len(), "{}", note.display());
    }
}

#[test]
fn no_spanish_note_is_without_an_english_one() {
    for page in super::PAGES {
        let place = folder().join("es").join(page);
        for path in fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()) {
            let english = folder().join(page).join(path.file_name().unwrap());
            assert!(english.exists(), "{}", path.display());
        }
    }
}

#[test]
fn figures_are_found_in_both_languages() {
    let english = figures("1,000 steps, 95.24 %, N(0, 1), 2026-11-25, [784, 30, 10] and 23,860.");
    let spanish = figures("1\u{a0}000 pasos, 95.24 %, N(0, 1), 2026-11-25, [784, 30, 10] y 23\u{a0}860.");
    assert_eq!(english, spanish);
    assert_eq!(english, ["1000", "95.24", "0", "1", "2026", "11", "25", "784", "30", "10", "23860"]);
    assert_ne!(figures("3 seeds"), figures("2 semillas"));
    let note = "# A\n\nAfter 3 steps.\n\n```console\n$ m2g lab\n```\n";
    assert_eq!(structure(note), structure(&note.replace("After", "Tras").replace("steps", "pasos")));
    assert_ne!(structure(note), structure(&note.replace('3', "4")));
    assert_ne!(structure(note), structure(&note.replace("lab", "learn")));
}

/// Words that a learner reads in a minute, with the code, the tables and the pictures.
const WORDS_PER_MINUTE: usize = 120;

#[test]
fn every_note_says_how_long_it_takes_to_read() {
    let contents = read(Path::new("README.md"));
    let mut total = 0;
    for note in notes().into_iter().filter(|note| note != Path::new("README.md")) {
        let text = read(&note);
        let said = text.split("Reading time: ").nth(1).and_then(|rest| rest.split(' ').next());
        let said: usize =
            said.and_then(|said| said.parse().ok()).unwrap_or_else(|| panic!("{}", note.display()));
        let counted = text.split_whitespace().count() / WORDS_PER_MINUTE;
        assert!(said.abs_diff(counted) <= 1 + counted / 4, "{}: {counted} minutes", note.display());
        let row = contents.lines().find(|line| line.contains(&format!("]({})", note.display())));
        let listed = row.is_none_or(|row| !row.starts_with('|') || row.contains(&format!("| {said} |")));
        assert!(listed, "{}: the README says another number of minutes", note.display());
        total += said;
    }
    assert!(contents.contains(&format!("about {total} minutes")), "all notes take {total} minutes");
}
