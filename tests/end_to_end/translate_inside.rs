//! A look inside a translation model: inspect, ask, alignments, the tree of a search, compare.

use std::fs;
use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// A model of one layer each, trained for a second on the grammar. It says little but "the".
fn trained(dir: &Path) {
    let flags = "translate train --run t --encoder-layers 1 --decoder-layers 2 --d-model 32 --d-ff 48 --n-head 2 \
                 --batch-tokens 512 --warmup-iters 5 --eval-interval 100 --eval-translations 0 --max-iters 30 \
                 --learning-rate 0.01";
    ok(dir, &flags.split(' ').collect::<Vec<_>>());
}

const SENTENCE: &str = "La pizza salió del horno y sabía bien";

#[test]
fn the_inside_of_a_translation_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    trained(dir);
    shapes_of_all_three_kinds_of_attention(dir);
    questions_are_answered(dir);
    words_are_aligned_and_the_search_is_drawn(dir);
}

fn shapes_of_all_three_kinds_of_attention(dir: &Path) {
    let inspect = |args: &[&str]| ok(dir, &[&["inspect", "t", "--prompt", SENTENCE], args].concat());
    let text = inspect(&["--layer", "all"]);
    for part in [
        "(V, C) -> (B, S, C)",
        "(V, C) -> (B, T, C)",
        "(B, H, S, D) (B, H, S, D) -> (B, H, S, S)",
        "(B, H, T, D) (B, H, T, D) -> (B, H, T, T)",
        "(B, H, T, D) (B, H, S, D) -> (B, H, T, S)",
        "(B, S, C) (2 C, C) (2 C) -> (B, S, 2 C)",
        "(B, T, C) (V, C) -> (B, T, V)",
        "encoder.0.attn, head 1",
        "decoder.1.cross_attn, head 0",
        "translation: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = last_json(&inspect(&["--attention", "--json"]));
    let heads = json["heads"].as_array().unwrap();
    // One encoder layer, and two of self-attention and of cross-attention in the decoder, with two heads each.
    assert_eq!(heads.len(), 2 * 5);
    let (s, t) = (
        json["groups"][2]["keys"].as_array().unwrap().len(),
        json["groups"][2]["queries"].as_array().unwrap().len(),
    );
    for (kind, rows, columns) in
        [("encoder self-attention", s, s), ("decoder self-attention", t, t), ("cross-attention", t, s)]
    {
        for head in heads.iter().filter(|head| head["kind"] == kind) {
            let weights: Vec<Vec<f64>> = serde_json::from_value(head["weights"].clone()).unwrap();
            assert_eq!((weights.len(), weights[0].len()), (rows, columns), "{kind}");
            assert!(weights.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-5), "{kind}");
        }
    }
    for name in ["a.html", "a.svg", "a.png"] {
        inspect(&["--attention", "--out", name]);
        assert!(fs::read(dir.join(name)).unwrap().len() > 1000, "{name}");
    }
    let page = fs::read_to_string(dir.join("a.html")).unwrap();
    assert!(page.contains("cross-attention") && page.contains("decoder self-attention"));
    // The rows of the decoder are named by its own tokens.
    assert!(inspect(&["--values", "decoder.0.cross_attn.weights"]).contains("<|beg"));
    ok(dir, &["inspect", "t", "--positions", "--out", "p.svg"]);
    for (args, word) in [
        (&["--prompt", " "][..], "--prompt is empty"),
        (&["--layer", "3"], "the layers 0 to 2"),
        (&["--head", "2"], "the heads 0 to 1"),
    ] {
        let said = refused(dir, &[&["inspect", "t"], args].concat());
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

fn questions_are_answered(dir: &Path) {
    let ask = ["translate", "ask", "t", SENTENCE, "--word", "sabía"];
    let compared = [&ask[..], &["--against", "tasted,knew"]].concat();
    let text = ok(dir, &compared);
    for part in ["sabía attends to", "pizza -> niña", "without pizza", "horno -> mercado", "without horno"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json = last_json(&ok(
        dir,
        &[&compared[..], &["--replace", "La pizza=María", "--blank", "y", "--json"]].concat(),
    ));
    let tests = json["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 3);
    assert_eq!(tests[1]["source"], "María salió del horno y sabía bien");
    assert_eq!(tests[2]["source"], "La pizza salió del horno sabía bien");
    let p = |test: &Value, which: &str, word: &str| test[which][word].as_f64().unwrap();
    for test in tests {
        for which in ["both", "only_source", "only_words"] {
            let [tasted, knew] = ["tasted", "knew"].map(|word| p(test, which, word));
            assert!(tasted > 0.0 && knew > 0.0 && tasted + knew < 1.0, "{test}");
        }
    }
    // Nothing has changed: all three are the same.
    assert_eq!(tests[0]["both"], tests[0]["only_source"]);
    assert_eq!(tests[0]["both"], tests[0]["only_words"]);
    let mean = json["encoder_attention"]["mean"].as_array().unwrap();
    let sum: f64 = mean.iter().map(|w| w.as_f64().unwrap()).sum();
    assert!(mean.len() == 8 && sum > 0.2 && sum <= 1.0 + 1e-6, "{mean:?}");
    // Without --against, the words are found.
    let found = last_json(&ok(dir, &[&ask[..], &["--json"]].concat()));
    let compared: Vec<&str> =
        found["compared"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    // Which words they are, a test of the crate asks: this model writes one word over and over.
    assert!(compared.len() == 2 && compared[0] != compared[1], "{found}");

    // A word that the sentence has twice is left out everywhere, or where its number says.
    let twice = "La pizza salió del horno y la pizza sabía bien";
    let ask_twice = |args: &[&str]| ok(dir, &[&["translate", "ask", "t", twice], args].concat());
    let json =
        last_json(&ask_twice(&["--word", "sabía", "--blank", "pizza", "--blank", "pizza#2", "--json"]));
    let sources: Vec<&str> =
        json["tests"].as_array().unwrap().iter().map(|t| t["source"].as_str().unwrap()).collect();
    assert_eq!(
        sources[1..],
        ["La salió del horno y la sabía bien", "La pizza salió del horno y la sabía bien"]
    );
    let text = ask_twice(&["--word", "pizza#2"]);
    assert!(text.contains("pizza (number 2 of 2) attends to") && !text.contains("without pizza"), "{text}");

    for (args, word) in [
        (&["--word", "piza"][..], "--word is piza, which is not in the sentence; did you mean pizza?"),
        (
            &["--replace", "pan=queso"],
            "--replace names pan, which is not in the sentence: its words are La, pizza",
        ),
        (&["--word", "pizza#2"], "the sentence has pizza once: give a number from 1 to 1"),
        (&["--replace", "pizza"], "give a word, =, and the word"),
        (&["--blank", ""], "--blank is empty"),
        (&["--against", "tasted,"], "--against has an empty word"),
        (&["--against", "tasted,tasted"], "--against compares tasted with itself: give another word"),
    ] {
        let given: Vec<&str> = if args[0] == "--word" { ask[..4].to_vec() } else { ask.to_vec() };
        let said = refused(dir, &[&given[..], args].concat()).replace('\n', " ");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

fn words_are_aligned_and_the_search_is_drawn(dir: &Path) {
    fs::write(dir.join("one.txt"), format!("{SENTENCE}\n")).unwrap();
    let translate = ["translate", "translate", "t", "one.txt"];
    let plain = ok(dir, &translate);
    let text = ok(dir, &[&translate[..], &["--alignments"]].concat());
    let (translation, links) = text.trim_end().split_once(" ||| ").unwrap();
    assert_eq!(translation, plain.trim_end());
    let links: Vec<(usize, usize)> = links
        .split(' ')
        .map(|link| link.split_once('-').unwrap())
        .map(|(i, j)| (i.parse().unwrap(), j.parse().unwrap()))
        .collect();
    assert!(links.is_sorted() && links.iter().all(|(i, _)| *i < 8), "{links:?}");
    let mut targets: Vec<usize> = links.iter().map(|(_, j)| *j).collect();
    targets.sort_unstable();
    assert!(targets.into_iter().eq(0..translation.split_whitespace().count()), "each word has a link");
    let json = last_json(&ok(dir, &[&translate[..], &["--alignments", "--json"]].concat()));
    assert_eq!(json["translations"][0]["alignment"].as_array().unwrap().len(), links.len());

    for name in ["tree.svg", "tree.png", "tree.txt"] {
        assert_eq!(ok(dir, &[&translate[..], &["--beam-tree", name]].concat()), plain);
    }
    let tree = fs::read_to_string(dir.join("tree.txt")).unwrap();
    assert!(tree.starts_with(&format!("{SENTENCE}: beam 4, alpha 0.6\n")) && tree.contains("x "), "{tree}");
    let drawing = fs::read_to_string(dir.join("tree.svg")).unwrap();
    assert!(drawing.contains("pruned") && drawing.contains("score"));
    fs::write(dir.join("two.txt"), "El perro\nLa casa\n").unwrap();
    let said = refused(dir, &["translate", "translate", "t", "two.txt", "--beam-tree", "x.svg"]);
    assert!(said.contains("one sentence, but there are 2") && !dir.join("x.svg").exists(), "{said}");
    let said = refused(dir, &[&translate[..], &["--beam-tree", "x.pdf"]].concat());
    assert!(said.contains("must end in .svg, .png or .txt"), "{said}");
}

#[test]
fn translation_shares_the_core_with_the_other_models() {
    let dir = tempfile::tempdir().unwrap();
    for other in ["digits", "gpt"] {
        let compared = last_json(&ok(dir.path(), &["compare", other, "translate", "--json"]));
        let shared = |name: &str| {
            compared["functions"].as_array().unwrap().iter().any(|f| f["name"] == name && f["shared"] == true)
        };
        let all = match other {
            "digits" => &["linear", "Tape::backward"][..],
            _ => &[
                "linear",
                "embedding",
                "masked_softmax",
                "SelfAttention::forward",
                "adamw",
                "Tape::backward",
            ],
        };
        for name in all {
            assert!(shared(name), "{other} {name}");
        }
    }
}
