//! Runs every command of the README and of the notes.
//!
//! A command is a line in a `console` block that begins with `$ m2g` or `$ cargo run --release --`.
//! The commands of a file run in order in a temporary folder, with a small budget: a training run
//! takes one epoch or five steps. What downloads is not run. `examples.rs` runs the examples.

use std::fs;
use std::path::Path;

use super::{notes, read};
use crate::support::*;

/// The arguments of every `m2g` command in a text.
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
    // Every other part is in quotes.
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
    // A picture of a 1, for commands that read a picture.
    let picture = image::GrayImage::from_fn(200, 300, |x, y| {
        image::Luma([if x.abs_diff(100) < 12 && y.abs_diff(150) < 100 { 30 } else { 240 }])
    });
    picture.save(dir.path().join("my-digit.png")).unwrap();
    fs::copy(root().join("README.md"), dir.path().join("README.md")).unwrap();
    for (name, line) in
        [("spanish.txt", "El perro vio la casa"), ("mine.txt", "a house"), ("references.txt", "the house")]
    {
        fs::write(dir.path().join(name), format!("{line}\n")).unwrap();
    }
    let all = commands(&text);
    for command in &all {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        match args[..args.len().min(2)] {
            ["digits", "train"] if !args.contains(&"--resume") => {
                with_small_budget(&mut args, "--epochs", "1");
            }
            ["gpt", "train"] => {
                with_small_budget(&mut args, "--max-iters", "5");
                // Two megabytes of tales have a long validation split.
                if !["--data", "--resume", "--init-from"].iter().any(|flag| args.contains(flag)) {
                    args.extend(["--data", "README.md"]);
                }
            }
            ["translate", "train"] => {
                with_small_budget(&mut args, "--max-iters", "2");
                with_small_budget(&mut args, "--eval-translations", "0");
            }
            ["gpt", "ladder"] => {
                with_small_budget(&mut args, "--steps", "5");
                with_small_budget(&mut args, "--data", "README.md");
            }
            // Notes 6 and 7 run the whole experiments.
            ["lab", _] if file.contains("questions") && !args.contains(&"--steps") => continue,
            ["lab", name] => {
                // A short text has a short validation split.
                if !["digits", "translate"].contains(&name) {
                    with_small_budget(&mut args, "--data", "README.md");
                }
                with_small_budget(&mut args, "--steps", "1");
                with_small_budget(&mut args, "--seeds", "1");
                // Each arm translates hundreds of sentences.
                if name == "translate" {
                    with_small_budget(&mut args, "--arms", "no smoothing");
                }
            }
            // Serves until Ctrl-C; the tests of the page start and end it.
            ["data", "get"] | ["open", ..] => continue,
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

/// One test per note, so that they run in parallel.
macro_rules! notes {
    ($($test:ident: $file:literal,)*) => {
        const NOTES: &[&str] = &[$($file),*];
        $(
            #[test]
            fn $test() {
                run_all(concat!("notebooks-notes/", $file));
            }
        )*
    };
}

notes! {
    note_01: "01-from-a-neuron-to-backprop.md",
    note_02: "02-from-digits-to-tokens.md",
    note_03: "03-attention.md",
    note_04: "04-one-core.md",
    note_05: "05-what-if.md",
    note_06: "06-what-if-score.md",
    note_07: "07-what-if-mask.md",
    note_08: "08-what-if-positions.md",
    note_09: "09-what-if-ablation.md",
    note_10: "10-what-if-digits.md",
    note_11: "11-where-to-find-what.md",
    note_12: "12-translation.md",
    note_13: "13-faster.md",
    note_14: "14-quantisation.md",
    note_15: "15-many-machines.md",
    note_contents: "README.md",
    derivation_attention: "derivations/attention.md",
    derivation_backprop: "derivations/backprop.md",
    derivation_layer_norm: "derivations/layer-norm.md",
    derivation_positions: "derivations/positions.md",
    derivation_softmax: "derivations/softmax-and-cross-entropy.md",
    glossary: "glossary.md",
    question_inverted: "questions/inverted-dot-product.md",
    question_mask: "questions/mask-over-the-lower-left.md",
    question_no_different: "questions/no-different.md",
    question_pizza: "questions/pizza-or-oven.md",
    question_shapes: "questions/shapes-of-q-k-v.md",
    question_similarity: "questions/similarity.md",
    question_squared: "questions/squared-dot-product.md",
    rust: "rust.md",
}

#[test]
fn every_note_has_a_test() {
    let names: Vec<String> = notes().iter().map(|note| note.to_str().unwrap().replace('\\', "/")).collect();
    assert_eq!(names, NOTES);
    assert!(names.iter().map(|note| commands(&read(Path::new(note))).len()).sum::<usize>() >= 5);
}

#[test]
fn the_commands_of_the_page_on_pizza_and_oven_run() {
    for language in ["", "es/"] {
        assert!(run_all(&format!("notebooks-notes/{language}questions/pizza-or-oven.md")) >= 5);
    }
}
