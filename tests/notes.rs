//! Runs every command of the README and of the notes.
//!
//! A command is a line in a `console` block that begins with `$ m2g` or with
//! `$ cargo run --release --`. They are run in order, each file in a folder of its
//! own, with a small budget: a training makes one epoch.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::*;

/// The arguments of every `m2g` command of a text.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            let args = line.strip_prefix("$ m2g ").or(line.strip_prefix("$ cargo run --release -- "));
            commands.extend(args.map(|a| a.split_whitespace().map(String::from).collect()));
        }
    }
    commands
}

fn run_all(file: &str) -> usize {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    // Pictures of a digit, for commands that read one.
    let picture = image::GrayImage::from_fn(200, 300, |x, y| {
        image::Luma([if x.abs_diff(100) < 12 && y.abs_diff(150) < 100 { 30 } else { 240 }])
    });
    picture.save(dir.path().join("my-digit.png")).unwrap();
    let all = commands(&text);
    for command in &all {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        if args.starts_with(&["digits", "train"]) && !args.contains(&"--resume") {
            match args.iter().position(|a| *a == "--epochs") {
                Some(i) => args[i + 1] = "1",
                None => args.extend(["--epochs", "1"]),
            }
        }
        ok(dir.path(), &args);
    }
    all.len()
}

#[test]
fn the_readme() {
    assert!(run_all("README.md") >= 5);
}

#[test]
fn every_note() {
    let mut notes: Vec<_> =
        fs::read_dir(root().join("notebooks-notes")).unwrap().map(|e| e.unwrap().file_name()).collect();
    notes.sort();
    let total: usize =
        notes.iter().map(|n| run_all(&format!("notebooks-notes/{}", n.to_str().unwrap()))).sum();
    assert!(total >= 5);
}
