//! The notes: every command runs, every block of code is a program, every output, picture and notebook
//! is what the program makes, and the Spanish notes say what the English ones say.
//!
//! | file | holds |
//! | --- | --- |
//! | `mod.rs` | the list of the notes, and their parts |
//! | `commands.rs` | runs the commands of the README and of the notes |
//! | `examples.rs` | the code of the notes and what it prints, the pictures, the notebooks |
//! | `languages.rs` | headings, commands and figures in English and Spanish; the minutes of reading |

mod commands;
mod examples;
mod languages;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// The folder of the notes.
fn folder() -> PathBuf {
    root().join("notebooks-notes")
}

/// Folders of pages beside the notes themselves.
const PAGES: [&str; 3] = ["", "derivations", "questions"];

/// The English notes and pages, as paths below [`folder`], sorted.
fn notes() -> Vec<PathBuf> {
    let mut notes = Vec::new();
    for page in PAGES {
        for entry in fs::read_dir(folder().join(page)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                notes.push(Path::new(page).join(path.file_name().unwrap()));
            }
        }
    }
    notes.sort();
    notes
}

fn read(note: &Path) -> String {
    fs::read_to_string(folder().join(note)).unwrap()
}

/// A part of a Markdown file.
enum Part {
    /// A line of text.
    Text(String),
    /// A block of code: its language and its lines.
    Block(String, String),
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut block: Option<(String, Vec<&str>)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), block.take()) {
            (Some(rest), Some((language, lines))) => {
                assert_eq!(rest, "", "text behind the end of a block of code");
                parts.push(Part::Block(language, lines.join("\n")));
            }
            (Some(language), None) => block = Some((language.into(), Vec::new())),
            (None, Some((language, mut lines))) => {
                lines.push(line);
                block = Some((language, lines));
            }
            (None, None) => parts.push(Part::Text(line.into())),
        }
    }
    assert!(block.is_none(), "a block of code does not end");
    parts
}

/// The blocks in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let blocks = parts(text).into_iter().filter_map(|part| match part {
        Part::Block(name, lines) if name == language => Some(lines),
        _ => None,
    });
    blocks.collect()
}

/// The lines outside of blocks.
fn prose(text: &str) -> Vec<String> {
    let lines = parts(text).into_iter().filter_map(|part| match part {
        Part::Text(line) => Some(line),
        Part::Block(..) => None,
    });
    lines.collect()
}

/// The name of the example that a note runs; the one that makes pictures does not count.
fn example_of(text: &str) -> Option<String> {
    let commands = blocks(text, "console").join("\n");
    let mut names = commands.lines().filter_map(|line| line.split("--example ").nth(1));
    names.find(|name| !name.starts_with("make")).map(String::from)
}
