//! `m2g gpt sample` and `m2g gpt ladder`.

use std::io::Read;
use std::path::Path;

use crate::support::*;
use m2g_core::train::{Model, Save};
use m2g_gpt::training::{self, Description};
use m2g_gpt::{Config, Gpt};
use m2g_text::Tokenizer;
use serde_json::Value;

/// A run of a small model with large weights, so that its output varies.
pub fn small_run(dir: &Path, name: &str, tokenizer: Option<Tokenizer>, vocab_size: usize) {
    let config =
        Config { n_layer: 2, n_head: 2, n_embd: 16, block_size: 16, tie_weights: false, ..Config::default() };
    let model = config.model(vocab_size);
    let mut gpt = Gpt::<f32>::new(model.clone(), 1).unwrap();
    for p in gpt.params_mut().iter_mut().filter(|p| p.decay) {
        p.value.data_mut().iter_mut().for_each(|w| *w *= 10.0);
    }
    let description = Description { config, model, tokenizer, data: String::new() };
    training::create(Save::New(&dir.join("runs").join(name)), &description, &gpt).unwrap();
}

pub fn char_run(dir: &Path) {
    let tokenizer = Tokenizer::char("\n abcdefgh\u{e4}\u{1f600}");
    let v = tokenizer.vocab_size();
    small_run(dir, "a", Some(tokenizer), v);
}

pub fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_model_continues_a_text() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    // The seed, unless `more` has one.
    let sample = |more: &[&str]| {
        let seed = if more.contains(&"--seed") { &[][..] } else { &["--seed", "1"] };
        ok(dir.path(), &[&["gpt", "sample", "a", "--tokens", "100"], seed, more].concat())
    };
    let text = sample(&["--prompt", "abc \u{e4}"]);
    assert!(text.starts_with("abc \u{e4}") && text.chars().count() == 5 + 100 + 1, "{text:?}");
    assert_eq!(text, sample(&["--prompt", "abc \u{e4}", "--no-cache"]), "the cache changes nothing");
    assert_eq!(text, sample(&["--prompt", "abc \u{e4}", "--threads", "1"]));
    assert_eq!(
        text,
        sample(&["--prompt", "abc \u{e4}", "--slide", "8", "--last"]),
        "half of 16; best is last"
    );
    assert_ne!(text, sample(&["--prompt", "abc \u{e4}", "--seed", "2"]));
    assert_ne!(text, sample(&["--prompt", "abc \u{e4}", "--slide", "1"]));
    std::fs::write(dir.path().join("prompt.txt"), "abc \u{e4}").unwrap();
    assert_eq!(text, sample(&["--prompt-file", "prompt.txt"]));
    assert_eq!(sample(&["--greedy"]), sample(&["--top-k", "1"]));
    assert_eq!(sample(&["--greedy"]), sample(&["--greedy", "--seed", "7"]));
    assert_eq!(sample(&["--prompt", ""]), sample(&[]), "an empty prompt is no prompt");

    // One object per sample and a final one. A sample does not depend on the others.
    let json = lines(&sample(&["--prompt", "abc \u{e4}", "--samples", "3", "--json"]));
    assert_eq!(json.len(), 4);
    assert_eq!(json[0]["prompt"], "abc \u{e4}");
    assert_eq!(format!("abc \u{e4}{}\n", json[0]["text"].as_str().unwrap()), text);
    assert_eq!(json[0]["tokens"].as_array().unwrap().len(), 100);
    assert_ne!(json[0]["text"], json[1]["text"]);
    assert_eq!((&json[3]["event"], &json[3]["tokens"]), (&Value::from("done"), &Value::from(300)));
    assert!(
        json[3]["seconds"].as_f64().unwrap() > 0.0 && json[3]["tokens_per_second"].as_f64().unwrap() > 0.0
    );

    // The same prompt as tokens; then zero tokens to generate.
    let ids: Vec<String> =
        json[0]["prompt_tokens"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(text, sample(&["--prompt-tokens", &ids.join(",")]));
    assert_eq!(ok(dir.path(), &["gpt", "sample", "a", "--tokens", "0", "--prompt", "ab"]), "ab\n");
}

#[test]
fn the_cache_changes_nothing_with_compressed_weights() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let sample = |more: &[&str]| {
        ok(dir.path(), &[&["gpt", "sample", "a", "--tokens", "100", "--seed", "1"], more].concat())
    };
    let texts = ["f32", "bf16", "int8"].map(|format| {
        let text = sample(&["--weights", format]);
        assert_eq!(text, sample(&["--weights", format, "--no-cache"]), "{format}");
        assert_eq!(text, sample(&["--weights", format, "--threads", "1"]), "{format}");
        text
    });
    assert_eq!(texts[0], sample(&[]), "f32 is the default");
    assert_ne!(texts[0], texts[2]);
}

#[test]
fn tokens_of_partial_characters_become_whole_characters() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path(), "b", Some(Tokenizer::byte()), 256);
    let args = ["gpt", "sample", "b", "--prompt", "\u{1f600}", "--tokens", "60", "--seed", "1"];
    let text = ok(dir.path(), &args);
    let json = lines(&ok(dir.path(), &[&args[..], &["--json"]].concat()));
    let ids: Vec<u32> =
        json[0]["tokens"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
    assert_eq!(text, format!("\u{1f600}{}\n", Tokenizer::byte().decode(&ids)));
}

#[test]
fn a_model_without_a_tokenizer_reads_and_writes_ids() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path(), "c", None, 9);
    let text = ok(dir.path(), &["gpt", "sample", "c", "--prompt-tokens", "3,1", "--tokens", "4"]);
    assert!(text.starts_with("3 1 ") && text.split_whitespace().count() == 6, "{text}");
    assert!(refused(dir.path(), &["gpt", "sample", "c", "--prompt", "a"]).contains("--prompt-tokens"));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let mut child = start(&mut m2g(dir.path(), &["gpt", "sample", "a", "--tokens", "100000000"]));
    let mut start = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn invalid_arguments_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    std::fs::write(dir.path().join("latin1.txt"), b"ab\xe4").unwrap();
    for (flags, word) in [
        (&["--prompt", "axyz"][..], "'x', 'y', 'z'"),
        (&["--prompt-tokens", "1,99"], "--prompt-tokens has 99, but the ids of this model are 0 to 11"),
        (&["--samples", "0"], "it must be at least 1"),
        (&["--prompt-file", "none.txt"], "cannot read none.txt"),
        (&["--prompt-file", "latin1.txt"], "latin1.txt: it is not text: 33.3 % of its bytes are not UTF-8"),
        (&["--temperature", "0"], "temperature is 0"),
        (&["--temperature", "-1"], "temperature is -1"),
        (&["--top-k", "0"], "--top-k is 0"),
        (&["--top-p", "0"], "--top-p is 0"),
        (&["--top-p", "1.1"], "--top-p is 1.1"),
        (&["--slide", "0"], "slide is 0"),
        (&["--slide", "17"], "slide is 17 with block_size 16: it must be"),
        (&["--weights", "int4"], "possible values: f32, bf16, int8"),
        (&["--greedy", "--top-k", "3"], "cannot be used with"),
        (&["--prompt", "a", "--prompt-tokens", "1"], "cannot be used with"),
    ] {
        let said = refused(dir.path(), &[&["gpt", "sample", "a"], flags].concat());
        assert!(said.contains(word), "{said}");
    }
    assert!(refused(dir.path(), &["gpt", "sample", "nowhere"]).contains("there is no run"));
}

#[test]
fn the_ladder_prints_its_losses_next_to_the_lectures() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text.txt"), "to be, or not to be: that is the question\n".repeat(40))
        .unwrap();
    let args = ["gpt", "ladder", "--data", "text.txt", "--steps", "30"];
    let rungs = ["bigram", "one-head", "multi-head", "feed-forward", "residual", "layer-norm"];
    let json = lines(&ok(dir.path(), &[&args[..], &["--json"]].concat()));
    assert_eq!(json.len(), 7);
    for (line, rung) in json.iter().zip(rungs) {
        assert_eq!((&line["event"], &line["rung"]), (&Value::from("rung"), &Value::from(rung)));
        assert!(line["val_loss_estimate"].is_f64());
        // The lecture has another text and more steps.
        assert!(line["comparable"] == false && line["lecture"].is_null() && line["difference"].is_null());
    }
    assert_eq!(json[6]["event"], "done");
    let table = ok(dir.path(), &[&args[..], &["--rungs", "multi-head,bigram"]].concat());
    let first: Vec<&str> = table.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(first, ["rung", "multi-head", "bigram"]);

    let refuse = |args: &[&str]| refused(dir.path(), &[&["gpt", "ladder"], args].concat());
    assert!(refuse(&["--data", "text.txt", "--rungs", "bigramm"]).contains("did you mean bigram?"));
    assert!(refuse(&["--data", "text.txt", "--steps", "0"]).contains("0"));
    assert!(refuse(&["--data", "none.txt"]).contains("none.txt"));
    std::fs::write(dir.path().join("tiny.txt"), "to be, or not to be: that is the question\n").unwrap();
    let tiny = refuse(&["--data", "tiny.txt"]);
    assert!(
        tiny.contains("tiny.txt: its validation split has 5 tokens, but the rung bigram needs 9"),
        "{tiny}"
    );
}
