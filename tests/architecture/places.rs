//! Checks that the note "where to find what" names existing files and items, and that no document has
//! a broken link.

use std::path::Path;

use crate::TREE;
use crate::source::{Tree, tokens};

const NOTE: &str = "notebooks-notes/11-where-to-find-what.md";

/// The parts of a table cell in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a file defines an item with this name, or with the last part of a name `Type::name`.
/// Items defined by a macro count too, since they use the same keywords.
fn defines(tree: &Tree, path: &str, name: &str) -> bool {
    const KEYWORDS: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "const", "static"];
    let name = name.rsplit("::").next().unwrap();
    let tokens = tree.get(path).map(|file| tokens(&file.text)).unwrap_or_default();
    tokens.windows(2).any(|pair| KEYWORDS.contains(&pair[0].1.as_str()) && pair[1].1 == name)
}

/// The rows that name a missing file or item.
fn violations(note: &str, tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for row in note.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<&str> = row.split('|').collect();
        let [_, _, paths, names, _] = cells[..] else { panic!("a row needs three cells: {row}") };
        let (paths, names) = (quoted(paths), quoted(names));
        assert!(!paths.is_empty() && !names.is_empty(), "{row}");
        for path in paths.iter().filter(|path| !tree.contains_key(**path)) {
            found.push(format!("{path} does not exist: {row}"));
        }
        for name in names.iter().filter(|name| !paths.iter().any(|path| defines(tree, path, name))) {
            found.push(format!("{name} is not defined in {paths:?}: {row}"));
        }
    }
    found
}

#[test]
fn the_twenty_answers_exist() {
    let note = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(NOTE)).unwrap();
    assert_eq!(note.lines().filter(|line| line.starts_with("| ")).count(), 2 + 20);
    let found = violations(&note, &TREE);
    assert!(found.is_empty(), "{NOTE}:\n{}", found.join("\n"));
}

#[test]
fn a_row_with_a_missing_file_or_item_is_detected() {
    let head = "| question | file | name |\n| --- | --- | --- |\n";
    let found = |row: &str| violations(&format!("{head}{row}"), &TREE).len();
    assert_eq!(found("| Where? | `crates/digits/src/backprop.rs` | `backprop` |"), 0);
    assert_eq!(found("| Where? | `crates/digits/src/backprop.rs` | `sideways` |"), 1);
    assert_eq!(found("| Where? | `crates/core/src/planted.rs` | `Tape` |"), 2);
}

/// Texts are compared byte by byte, and shell scripts are run.
#[test]
fn a_checkout_has_the_same_line_ends_on_every_system() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let attributes = std::fs::read_to_string(root.join(".gitattributes")).unwrap();
    assert!(attributes.lines().any(|line| line == "* text=auto eol=lf"), "{attributes}");
}

/// The folders with documents.
const DOCUMENTS: [&str; 11] = [
    "",
    "benches",
    "benches/peers",
    "datasets",
    "notebooks-notes",
    "notebooks-notes/derivations",
    "notebooks-notes/es",
    "notebooks-notes/es/derivations",
    "notebooks-notes/es/questions",
    "notebooks-notes/exercises",
    "notebooks-notes/questions",
];

#[test]
fn every_link_in_a_document_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for folder in DOCUMENTS.map(|folder| root.join(folder)) {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
                links += 1;
                let exists = link.starts_with("http") || folder.join(link).exists();
                assert!(exists, "{}: {link} does not exist", path.display());
            }
        }
    }
    assert!(links > 20, "{links}");
}
