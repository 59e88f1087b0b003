//! Notes as Jupyter notebooks for the evcxr kernel: the text of a note in Markdown cells, each block of
//! Rust in a code cell that calls the function it defines, and the output that stands below it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

/// The notes that are notebooks as well.
const NOTES: [&str; 3] = ["01-from-a-neuron-to-backprop", "02-from-digits-to-tokens", "03-attention"];

/// The crates that their code uses.
const CRATES: [&str; 3] = ["core", "digits", "text"];

/// Each notebook: its path below notebooks-notes, and its content.
pub fn all(notes: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut all = Vec::new();
    for folder in ["", "es"] {
        for name in NOTES {
            let path = Path::new(folder).join(name);
            let text = fs::read_to_string(notes.join(&path).with_extension("md"))?;
            let up = if folder.is_empty() { ".." } else { "../.." };
            all.push((path.with_extension("ipynb"), notebook(&text, up)));
        }
    }
    Ok(all)
}

/// A part of a note.
enum Part<'a> {
    Text(String),
    Rust(String),
    Output(&'a str),
}

/// The text, blocks of Rust and blocks of output of a note, in order.
fn parts(note: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = note;
    while let Some(at) = rest.find("```rust\n") {
        parts.push(Part::Text(rest[..at].trim().into()));
        let code = &rest[at + "```rust\n".len()..];
        let (code, after) = code.split_once("\n```").unwrap_or((code, ""));
        parts.push(Part::Rust(code.into()));
        rest = after;
        if let Some(output) = rest.trim_start().strip_prefix("```output\n") {
            let (output, after) = output.split_once("\n```").unwrap_or((output, ""));
            parts.push(Part::Output(output));
            rest = after;
        }
    }
    parts.push(Part::Text(rest.trim().into()));
    parts
}

/// A block of code without the head of the file and `main`, and with calls of the functions that need
/// nothing.
fn cell(code: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut calls = Vec::new();
    let mut in_main = false;
    for line in code.lines().skip_while(|line| line.is_empty() || line.starts_with("//!")) {
        in_main |= line.starts_with("fn main()");
        if !in_main {
            lines.push(line.into());
            if let Some((name, result)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once("()")) {
                calls.push(format!("{name}(){};", if result.contains("Result") { "?" } else { "" }));
            }
        }
        in_main &= line != "}";
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.extend(calls);
    lines.join("\n")
}

fn notebook(note: &str, up: &str) -> String {
    let mut cells: Vec<Value> = Vec::new();
    let id = |n: usize| format!("cell-{n}");
    for part in parts(note) {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => cells.push(json!({
                "cell_type": "markdown", "id": id(cells.len()), "metadata": {}, "source": source(&text),
            })),
            Part::Rust(code) => {
                let first = !cells.iter().any(|cell| cell["cell_type"] == "code");
                if first {
                    let depend = |name| format!(":dep m2g-{name} = {{ path = \"{up}/crates/{name}\" }}\n");
                    let depend: String = CRATES.map(depend).concat();
                    cells.push(code_cell(id(cells.len()), depend.trim_end()));
                }
                cells.push(code_cell(id(cells.len()), &cell(&code)));
            }
            Part::Output(text) => {
                let text = format!("{text}\n");
                let output = json!({"name": "stdout", "output_type": "stream", "text": source(&text)});
                if let Some(last) = cells.last_mut() {
                    last["outputs"] = json!([output]);
                }
            }
        }
    }
    let kernel = json!({"display_name": "Rust", "language": "rust", "name": "rust"});
    let notebook = json!({
        "cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "rust"}},
        "nbformat": 4, "nbformat_minor": 5,
    });
    format!("{notebook:#}\n")
}

fn code_cell(id: String, code: &str) -> Value {
    json!({
        "cell_type": "code", "execution_count": null, "id": id, "metadata": {}, "outputs": [],
        "source": source(code),
    })
}

/// Lines, as a notebook stores them.
fn source(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}
