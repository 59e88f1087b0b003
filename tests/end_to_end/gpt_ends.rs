//! Where texts end: documents, the end-of-text token, stop texts.

use std::fs;
use std::path::Path;

use crate::gpt_sample::{char_run, lines, small_run};
use crate::support::*;
use m2g_text::Tokenizer;
use m2g_text::tokenizer::SpecialToken;
use serde_json::Value;

fn ids(folder: &Path) -> Vec<u32> {
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let all = [read("train.bin"), read("val.bin")].concat();
    all.chunks_exact(2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]]))).collect()
}

#[test]
fn documents_are_separated_by_end_of_text_tokens() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("texts")).unwrap();
    for (name, text) in [("a.txt", "One.\n---\nTwo."), ("b.txt", ""), ("c.txt", "Three<|endoftext|>Four.")] {
        fs::write(dir.path().join("texts").join(name), text).unwrap();
    }
    let prepare = |more: &[&str]| {
        let args = ["gpt", "prepare", "texts", "--out", "out", "--overwrite"];
        let output = run(dir.path(), &[&args[..], more].concat());
        // Without the breaks between its lines.
        let stderr = String::from_utf8(output.stderr).unwrap();
        let stderr = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.success(), "{stderr}");
        let tokenizer: Tokenizer =
            serde_json::from_str(&fs::read_to_string(dir.path().join("out/tokenizer.json")).unwrap())
                .unwrap();
        let ids = ids(&dir.path().join("out"));
        let documents = ids.split(|&id| Some(id) == tokenizer.end_of_text()).map(|ids| tokenizer.decode(ids));
        (documents.collect::<Vec<_>>(), stderr)
    };
    let whole = "One.\n---\nTwo.Three<|endoftext|>Four.";
    let files = ["One.\n---\nTwo.", "Three<|endoftext|>Four."];
    for tokenizer in ["gpt2", "bpe:270"] {
        let (documents, stderr) = prepare(&["--tokenizer", tokenizer]);
        assert_eq!(documents, files, "{tokenizer}");
        assert!(
            stderr.contains(
                "<|endoftext|> is in the text once, and was read as plain text: set --special-tokens"
            )
        );
        assert!(stderr.contains("an end-of-text token was put between documents once"), "{stderr}");
    }
    for (more, want) in [
        (&["--tokenizer", "char"][..], &[whole][..]),
        (&["--tokenizer", "gpt2", "--document-separator", "none"], &[whole]),
        (&["--tokenizer", "byte", "--document-separator", "files"], &files),
        (
            &["--tokenizer", "char", "--document-separator", r"\n---\n"],
            &["One.", "Two.", "Three<|endoftext|>Four."],
        ),
        (&["--tokenizer", "char", "--special-tokens"], &["One.\n---\nTwo.Three", "Four."]),
        (&["--tokenizer", "gpt2", "--special-tokens"], &["One.\n---\nTwo.", "Three", "Four."]),
    ] {
        assert_eq!(prepare(more).0, want, "{more:?}");
    }
    assert!(
        refused(dir.path(), &["gpt", "prepare", "texts", "--out", "x", "--document-separator", ""])
            .contains("auto")
    );
}

/// A model that has learned where its documents end says so.
#[test]
fn a_trained_model_ends_its_texts() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.txt"), "abc;".repeat(400)).unwrap();
    let model =
        ["--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "8", "--learning-rate", "0.02"];
    let train =
        ["gpt", "train", "--data", "t.txt", "--document-separator", ";", "--max-iters", "150", "--run", "a"];
    ok(dir.path(), &[&train[..], &model].concat());
    let sample = |more: &[&str]| {
        let args = ["gpt", "sample", "a", "--tokens", "12", "--greedy", "--json", "--prompt", "a"];
        lines(&ok(dir.path(), &[&args[..], more].concat())).remove(0)
    };
    let json = sample(&[]);
    assert_eq!(
        (&json["text"], &json["stop_reason"], &json["stop"]),
        (&"bc".into(), &"end-of-text".into(), &Value::Null)
    );
    assert_eq!(json["tokens"].as_array().unwrap().len(), 3, "b, c and the end-of-text token");
    let json = sample(&["--ignore-end-of-text"]);
    assert_eq!(json["stop_reason"], "length");
    assert!(json["text"].as_str().unwrap().starts_with("bc<|endoftext|>abc"), "{json}");
    // Without a prompt, it begins a text; the run can be measured and resumed with its own tokens.
    assert_eq!(ok(dir.path(), &["gpt", "sample", "a", "--greedy"]), "abc\n");
    ok(dir.path(), &["gpt", "train", "--resume", "a", "--max-iters", "151"]);
    let eval = |more: &[&str]| ok(dir.path(), &[&["gpt", "eval", "a", "--json"], more].concat());
    assert_eq!(eval(&[]), eval(&["--data", "t.txt"]));
}

#[test]
fn a_stop_text_ends_a_sample_before_it() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let sample = |more: &[&str]| {
        let args = ["gpt", "sample", "a", "--tokens", "80", "--seed", "3", "--json", "--prompt", "ab"];
        lines(&ok(dir.path(), &[&args[..], more].concat())).remove(0)
    };
    let whole = sample(&[]);
    assert_eq!((&whole["stop_reason"], &whole["stop"]), (&"length".into(), &Value::Null));
    let whole = whole["text"].as_str().unwrap().to_string();
    let characters: Vec<char> = whole.chars().collect();
    // Any two neighbours, at the start and later.
    for i in [0, 1, 7, 20] {
        let stop: String = characters[i..i + 2].iter().collect();
        let escaped = stop.replace('\n', "\\n");
        let json = sample(&["--stop", "zzz", "--stop", &escaped]);
        assert_eq!(json["text"], whole[..whole.find(&stop).unwrap()], "{stop:?}");
        assert_eq!((&json["stop_reason"], &json["stop"]), (&"stop".into(), &stop.clone().into()));
        // As text: the prompt, and nothing of the stop text.
        let text = ok(
            dir.path(),
            &["gpt", "sample", "a", "--tokens", "80", "--seed", "3", "--prompt", "ab", "--stop", &escaped],
        );
        assert_eq!(text, format!("ab{}\n", json["text"].as_str().unwrap()));
    }
    assert_eq!(sample(&["--stop", "zzz"])["text"], whole.as_str(), "held back until the end, not lost");
    assert!(refused(dir.path(), &["gpt", "sample", "a", "--stop", ""]).contains("--stop"));
    small_run(dir.path(), "ids", None, 9);
    let said = refused(dir.path(), &["gpt", "sample", "ids", "--stop", "a"]);
    assert!(said.contains("has no tokenizer, so --stop"), "{said}");
}

#[test]
fn a_stop_text_may_be_spread_over_bytes() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.txt"), "abé;".repeat(400)).unwrap();
    let model = "gpt train --data t.txt --tokenizer byte --max-iters 150 --run b --n-layer 1 --n-head 2 --n-embd 16 \
                 --block-size 8 --learning-rate 0.02";
    ok(dir.path(), &model.split_whitespace().collect::<Vec<_>>());
    let sample = |more: &[&str]| {
        let args = ["gpt", "sample", "b", "--tokens", "12", "--greedy", "--json", "--prompt", "a"];
        lines(&ok(dir.path(), &[&args[..], more].concat())).remove(0)
    };
    let whole = sample(&[]);
    assert!(whole["text"].as_str().unwrap().starts_with("bé;abé;"), "{whole}");
    let json = sample(&["--stop", "é"]);
    assert_eq!(
        (&json["text"], &json["stop"], &json["stop_reason"]),
        (&"b".into(), &"é".into(), &"stop".into())
    );
    // The first byte of another character is no stop.
    assert_eq!(sample(&["--stop", "è"])["stop_reason"], "length");
}

#[test]
fn a_spelled_special_token_in_a_prompt_is_text_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = Tokenizer::byte().with_special_tokens(&[SpecialToken::EndOfText]).unwrap();
    small_run(dir.path(), "e", Some(tokenizer), 257);
    let args = ["gpt", "sample", "e", "--tokens", "2", "--json", "--prompt", "a<|endoftext|>"];
    let output = run(dir.path(), &args);
    let json = lines(&String::from_utf8(output.stdout).unwrap()).remove(0);
    assert_eq!(json["prompt_tokens"].as_array().unwrap().len(), 14);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("<|endoftext|> in the prompt is read as plain text")
    );
    let json = lines(&ok(dir.path(), &[&args[..], &["--special-tokens"]].concat())).remove(0);
    assert_eq!(json["prompt_tokens"], serde_json::json!([97, 256]));
    char_run(dir.path());
    let said = refused(dir.path(), &["gpt", "sample", "a", "--special-tokens", "--prompt", "<|endoftext|>"]);
    assert!(said.contains("no end-of-text token"), "{said}");
}
