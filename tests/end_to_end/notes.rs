//! Runs every command of the README and of the notes.
//!
//! A command is a line in a `console` block that begins with `$ m2g` or with
//! `$ cargo run --release --`. The commands of a file run in order, in a folder of their own, with a
//! small budget: a training run takes one epoch or five steps.

use std::fs;

use crate::support::*;

/// The arguments of every `m2g` command of a text.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            let args = line.strip_prefix("$ m2g ").or(line.strip_prefix("$ cargo run --release -- "));
            commands.extend(args.map(words));
        }
    }
    commands
}

/// The words of a command line; double quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    // Every second part is in quotes.
    for (i, part) in line.split('"').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(String::from)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

/// Sets the flag that limits the length of a training run.
fn with_small_budget<'a>(args: &mut Vec<&'a str>, flag: &'a str, budget: &'a str) {
    match args.iter().position(|a| *a == flag) {
        Some(i) => args[i + 1] = budget,
        None => args.extend([flag, budget]),
    }
}

fn run_all(file: &str) -> usize {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    // A picture of a 1, for commands that read one.
    let picture = image::GrayImage::from_fn(200, 300, |x, y| {
        image::Luma([if x.abs_diff(100) < 12 && y.abs_diff(150) < 100 { 30 } else { 240 }])
    });
    picture.save(dir.path().join("my-digit.png")).unwrap();
    fs::copy(root().join("README.md"), dir.path().join("README.md")).unwrap();
    let all = commands(&text);
    for command in &all {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        match args[..args.len().min(2)] {
            ["digits", "train"] if !args.contains(&"--resume") => {
                with_small_budget(&mut args, "--epochs", "1");
            }
            ["gpt", "train"] => with_small_budget(&mut args, "--max-iters", "5"),
            ["gpt", "ladder"] => with_small_budget(&mut args, "--steps", "5"),
            ["lab", name] => {
                // A short text has a short validation split.
                if name != "digits" {
                    with_small_budget(&mut args, "--data", "README.md");
                }
                with_small_budget(&mut args, "--steps", "1");
                with_small_budget(&mut args, "--seeds", "1");
            }
            _ => {}
        }
        ok(dir.path(), &args);
    }
    all.len()
}

#[test]
fn the_commands_of_the_readme_run() {
    assert!(run_all("README.md") >= 5);
}

#[test]
fn the_commands_of_every_note_run() {
    let mut notes: Vec<_> =
        fs::read_dir(root().join("notebooks-notes")).unwrap().map(|e| e.unwrap().file_name()).collect();
    notes.sort();
    let total: usize =
        notes.iter().map(|n| run_all(&format!("notebooks-notes/{}", n.to_str().unwrap()))).sum();
    assert!(total >= 5);
}
