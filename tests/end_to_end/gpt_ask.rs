//! `m2g gpt ask`, and the tokenizer of words.

use std::fs;
use std::path::Path;

use crate::support::*;
use serde_json::Value;

const SENTENCE: &str = "La pizza salió del horno y sabía bien";

/// A small model of words, trained for a moment on the Spanish tales.
fn trained(dir: &Path) {
    let flags = "gpt train --run t --data tales-es --tokenizer word --n-layer 2 --n-head 2 --n-embd 16 --block-size 32 \
                 --batch-size 8 --max-iters 20 --eval-interval 20 --learning-rate 0.01 --warmup-iters 2";
    ok(dir, &flags.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn questions_to_a_gpt_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    trained(dir);
    let ask = ["gpt", "ask", "t", SENTENCE, "--word", "sabía"];
    let text = ok(dir, &ask);
    for part in [
        "sabía attends to (mean of 4 heads;",
        "rollout",
        "layer 1 head 1:",
        "What does \"bien\" depend on?",
        "pizza -> niña",
        "without pizza",
        "horno -> mercado",
        "without horno",
    ] {
        assert!(text.replace('\n', " ").contains(part), "{part}: {text}");
    }
    // Each token is a word.
    assert!(!text.contains("begins so"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    let changes = ["--replace", "La pizza=María", "--blank", "horno", "--against", "bien,la", "--json"];
    let json = last_json(&ok(dir, &[&ask[..], &changes].concat()));
    assert_eq!(json["following"], serde_json::json!(["bien"]));
    assert_eq!(json["compared"], serde_json::json!(["bien", "la"]));
    let tests = json["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 3);
    assert_eq!(tests[1]["sentence"], "María salió del horno y sabía bien");
    assert_eq!(tests[2]["sentence"], "La pizza salió del y sabía bien");
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(number(&tests[0]["effect"]), 0.0);
    for test in tests {
        // One token for the word: its loss is that of its probability.
        assert!((number(&test["loss"]) + number(&test["next"]["bien"]).ln()).abs() < 1e-4, "{test}");
        let effect = number(&test["loss"]) - number(&tests[0]["loss"]);
        assert!((number(&test["effect"]) - effect).abs() < 1e-9, "{test}");
    }
    // Weights: up to the word itself, and the rest goes to the start of the text.
    for weights in [&json["attention"]["mean"], &json["rollout"]] {
        let weights: Vec<f64> = serde_json::from_value(weights.clone()).unwrap();
        assert!(
            weights.len() == 8 && weights[7] == 0.0 && weights[..7].iter().all(|w| *w > 0.0),
            "{weights:?}"
        );
        assert!(weights.iter().sum::<f64>() < 1.0, "{weights:?}");
    }
    assert_eq!(json["attention"]["heads"].as_array().unwrap().len(), 4);
    // Of equal words each has its own name, which a flag takes for the same change.
    let twice =
        ["gpt", "ask", "t", "La pizza salió del horno y la pizza sabía bien", "--word", "sabía", "--json"];
    let found = last_json(&ok(dir, &twice));
    let tests = &found["tests"].as_array().unwrap()[1..];
    assert!(tests.iter().any(|test| test["change"] == "without pizza#2"), "{found}");
    for test in tests {
        let change = test["change"].as_str().unwrap();
        let (flag, value) = match change.split_once(" -> ") {
            Some((word, other)) => ("--replace", format!("{word}={other}")),
            None => ("--blank", change.strip_prefix("without ").unwrap().to_string()),
        };
        let again = last_json(&ok(dir, &[&twice[..], &[flag, &value]].concat()));
        assert_eq!(again["tests"][1]["sentence"], test["sentence"], "{change}");
        assert_eq!(again["tests"][1]["change"], change);
    }
    // The last word has none after it; the first none before it.
    let last = ok(dir, &["gpt", "ask", "t", SENTENCE, "--word", "bien"]);
    assert!(last.contains("What comes after bien?"), "{last}");
    ok(dir, &["gpt", "ask", "t", SENTENCE, "--word", "La"]);
    // Other tokenizers.
    let small = ["--n-layer", "1", "--n-embd", "16", "--n-head", "1", "--max-iters", "2"];
    for tokenizer in ["char", "bpe:512"] {
        let run =
            ["gpt", "train", "--run", "u", "--overwrite", "--data", "tales-es", "--tokenizer", tokenizer];
        ok(dir, &[&run[..], &small].concat());
        let text = ok(dir, &["gpt", "ask", "u", SENTENCE, "--word", "sabía"]).replace('\n', " ");
        assert!(text.contains("each word, or of one that begins so,"), "{tokenizer}: {text}");
    }
    for (args, word) in [
        (&["--word", "piza"][..], "--word is piza, which is not in the sentence; did you mean pizza?"),
        (&["--replace", "bien=mal"], "changes a word after sabía: give an earlier one, or sabía itself"),
        (
            &["--word", "La", "--blank", "La"],
            "\"without La\" leaves no word before pizza: give another change",
        ),
        (&["--replace", "pan=queso"], "--replace names pan, which is not in the sentence"),
        (&["--replace", "pizza=piza"], "no token for \"piza\""),
        (&["--against", "bien,"], "--against has an empty word"),
    ] {
        let mut all = ask[..if args[0] == "--word" { 4 } else { 6 }].to_vec();
        all.extend(args);
        let said = refused(dir, &all).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(word), "{args:?}: {said}");
    }
    assert!(refused(dir, &["gpt", "ask", "t", " ", "--word", "x"]).contains("the sentence is empty"));
    // As many tokens as the model reads: there is no room for a longer sentence.
    for (tokenizer, size) in [("char", "38"), ("word", "9")] {
        let run =
            ["gpt", "train", "--run", "v", "--overwrite", "--data", "tales-es", "--tokenizer", tokenizer];
        ok(dir, &[&run[..], &small, &["--block-size", size]].concat());
        ok(dir, &["gpt", "ask", "v", SENTENCE, "--word", "bien"]);
        if tokenizer == "char" {
            let said = refused(dir, &["gpt", "ask", "v", SENTENCE, "--word", "bien", "--against", "lejos"]);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            let want =
                "--against has lejos, which would be tokens 39 to 44 of the sentence, but the model reads 38";
            assert!(said.contains(want), "{said}");
            // Nor is there any for a word that may come next.
            let nothing = ["gpt", "ask", "v", SENTENCE, "--word", "bien", "--replace", "pizza=horno"];
            let said = ok(dir, &nothing);
            let want =
                "The model finds no whole word likely after bien: give words to compare with --against.";
            assert!(said.replace("\n  ", " ").ends_with(&format!("{want}\n")), "{said}");
            let said = last_json(&ok(dir, &[&nothing[..], &["--json"]].concat()));
            assert_eq!(
                (&said["tests"][1]["loss"], &said["tests"][1]["effect"]),
                (&Value::Null, &Value::Null)
            );
            assert_eq!(said["compared"], serde_json::json!([]));
        }
    }
    let long = "la pizza ".repeat(30);
    let said = refused(dir, &["gpt", "ask", "t", &long, "--word", "pizza"]);
    assert!(said.contains("but the model reads 32"), "{said}");
}

#[test]
fn a_tokenizer_of_words_is_prepared_saved_and_used_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let text: String = (0..300).map(|i| format!("The cat saw {} mice.\nThe end.\n", i % 10)).collect();
    fs::write(dir.join("cats.txt"), &text).unwrap();
    let said = ok(dir, &["gpt", "prepare", "cats.txt", "--tokenizer", "word", "--out", "words"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("tokenizer word, 17 tokens in the vocabulary"), "{said}");
    let small =
        ["--n-layer", "1", "--n-embd", "16", "--n-head", "1", "--block-size", "16", "--max-iters", "60"];
    let train = ["gpt", "train", "--data", "words", "--run", "cats", "--learning-rate", "0.03"];
    ok(dir, &[&train[..], &small].concat());
    // The same text, not prepared, has the same tokens: the run goes on with it.
    ok(dir, &["gpt", "train", "--resume", "cats", "--data", "cats.txt", "--max-iters", "61"]);
    ok(dir, &["gpt", "eval", "cats", "--data", "cats.txt"]);
    let sample = ok(dir, &["gpt", "sample", "cats", "--prompt", "cat saw", "--tokens", "40", "--seed", "1"]);
    assert!(sample.starts_with(" cat saw "), "{sample}");
    // Only words of the text, with natural spaces.
    assert!(!sample.contains(" .") && !sample.contains("  "), "{sample}");
    let words = ["The", "cat", "saw", "mice", "end"];
    assert!(
        sample.split(|c: char| !c.is_alphabetic()).all(|w| w.is_empty() || words.contains(&w)),
        "{sample}"
    );
    for args in
        [&["gpt", "sample", "cats", "--prompt", "The dog"][..], &["inspect", "cats", "--prompt", "The dog"]]
    {
        let said = refused(dir, args).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("no token for \"dog\": it knows only the 17 words and signs"), "{said}");
    }
    let chat = piped(dir, &["gpt", "chat", "cats", "--tokens", "5", "--seed", "1"], b"The cat\nThe dog\n");
    let said = String::from_utf8_lossy(&chat.stderr);
    assert!(chat.status.code() == Some(1) && said.contains("no token for \"dog\""), "{said}");
    // The tokenizer of whole words goes with an exported model, in our own format.
    ok(dir, &["gpt", "export", "cats", "exported"]);
    assert!(dir.join("exported/m2g_tokenizer.json").is_file());
    ok(dir, &["gpt", "import", "exported", "--run", "again"]);
    let again = ok(dir, &["gpt", "sample", "again", "--prompt", "cat saw", "--tokens", "40", "--seed", "1"]);
    assert_eq!(again, sample);
    // Tales need no file; a text whose words cannot be split is refused.
    ok(dir, &["gpt", "prepare", "tales-es", "--tokenizer", "word", "--out", "tales"]);
    fs::write(dir.join("one.txt"), format!("a {}", "b".repeat(500))).unwrap();
    let said = refused(dir, &["gpt", "prepare", "one.txt", "--tokenizer", "word", "--out", "one"]);
    assert!(said.contains("no white space"), "{said}");
}

/// The attention of each layer and head has as many numbers as the text has pairs of tokens.
#[test]
#[cfg(target_os = "linux")]
fn a_text_whose_attention_does_not_fit_into_the_memory_is_refused_with_the_figures() {
    let dir = with_text();
    let dir = dir.path();
    let flags = format!("gpt train {TINY_GPT} --tokenizer char --positions sinusoidal --max-iters 1 --run t");
    ok(dir, &flags.split(' ').collect::<Vec<_>>());
    let best = dir.join("runs/t/best.safetensors");
    let mut checkpoint = m2g_core::checkpoint::Checkpoint::<f32>::load(&best).unwrap();
    checkpoint.metadata["config"]["model"]["block_size"] = (1 << 20).into();
    checkpoint.save(&best).unwrap();
    fs::write(dir.join("long.txt"), "times ".repeat(5000)).unwrap();
    let line = "ulimit -v 3000000; exec \"$M2G\" gpt ask t \"$(cat long.txt)\" --word times";
    let output = shell(dir, line);
    let said = one_line(&output.stderr);
    assert!(said.contains("looking into this text needs about "), "{said}");
    assert!(output.status.code() == Some(1) && said.ends_with("are available: give a shorter one"), "{said}");
}
