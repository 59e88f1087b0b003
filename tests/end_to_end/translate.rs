//! `m2g translate`: prepare, train, eval, translate, score.

use std::fs;
use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// The flags of a model that trains in a second.
const SMALL: &str = "--encoder-layers 1 --decoder-layers 1 --d-model 32 --d-ff 64 --n-head 2 --batch-tokens 512 --warmup-iters 5 --eval-interval 10 --eval-translations 5";

fn train(dir: &Path, args: &[&str]) -> String {
    ok(dir, &[&["translate", "train"], &SMALL.split(' ').collect::<Vec<_>>()[..], args].concat())
}

#[test]
fn a_model_is_trained_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let text = train(dir, &["--data", "dates", "--run", "d", "--max-iters", "20"]);
    assert!(text.contains("validation loss") && text.contains("translation"), "{text}");
    // Resumed, with one more evaluation.
    ok(dir, &["translate", "train", "--resume", "d", "--max-iters", "30"]);
    let shown = ok(dir, &["runs", "show", "d"]);
    assert!(shown.contains("a translation model") && shown.contains("30 in "), "{shown}");

    fs::write(dir.join("es.txt"), "3 de mayo de 2021\n  \n1 de enero de 1999\n").unwrap();
    fs::write(dir.join("iso.txt"), "2021-05-03\n\n1999-01-01\n").unwrap();
    let lines = ok(dir, &["translate", "translate", "d", "es.txt"]);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert_eq!(lines.lines().nth(1), Some(""), "a line of white space stays empty");
    for other in [&["--batch", "1"][..], &["--no-cache"], &["--threads", "1"]] {
        assert_eq!(ok(dir, &[&["translate", "translate", "d", "es.txt"], other].concat()), lines);
    }
    let stdin = piped(dir, &["translate", "translate", "d"], b"3 de mayo de 2021\n");
    assert_eq!(String::from_utf8(stdin.stdout).unwrap().lines().next(), lines.lines().next());
    let best = ok(dir, &["translate", "translate", "d", "es.txt", "--n-best", "3", "--json"]);
    let first: Value = serde_json::from_str(best.lines().next().unwrap()).unwrap();
    assert_eq!((first["translations"].as_array().unwrap().len(), &first["line"]), (3, &1.into()));
    assert_eq!(first["translations"][0]["text"], lines.lines().next().unwrap());

    let scores = ok(dir, &["translate", "score", "d", "es.txt", "iso.txt"]);
    let tokens: Vec<&str> = scores.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!(tokens, ["11", "1", "11"]);
    let eval: Value = serde_json::from_str(&ok(
        dir,
        &["translate", "eval", "d", "--source", "es.txt", "--target", "iso.txt", "--beam", "1", "--json"],
    ))
    .unwrap();
    assert!(eval["loss"].as_f64().unwrap() > 0.0 && eval["sentences"] == 3, "{eval}");
    // Numbers may be negative, so that the message names their range.
    let negative = refused(dir, &["translate", "translate", "d", "es.txt", "--alpha", "-1"]);
    assert!(negative.contains("--alpha is -1: it must be from 0 to 10"), "{negative}");
    let folder = refused(dir, &["translate", "translate", "d", "."]);
    assert!(folder.contains("it is a folder: give one file"), "{folder}");
    // The loss and the scores agree.
    let sum: f64 = scores
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(mean, n)| mean.parse::<f64>().unwrap() * n.parse::<f64>().unwrap())
        .sum();
    assert!((eval["loss"].as_f64().unwrap() + sum / 23.0).abs() < 1e-3, "{eval} {sum}");
}

#[test]
fn pairs_are_prepared_and_faults_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let lines = |n: usize, word: &str| (0..n).map(|i| format!("{word} {i}\n")).collect::<String>();
    fs::write(dir.join("a.de"), lines(60, "Satz") + "\n").unwrap();
    fs::write(dir.join("a.en"), lines(60, "sentence") + "empty\n").unwrap();
    let prepare = ["translate", "prepare", "a.de", "a.en", "--tokenizer", "bpe:270", "--out", "pairs"];
    let output = run(dir, &prepare);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(stdout.contains("270 tokens in the vocabulary, 54 training and 6 validation pairs"), "{stdout}");
    assert!(stderr.contains("dropped: a sentence is empty"), "{stderr}");
    assert!(refused(dir, &prepare).contains("--overwrite"));
    ok(dir, &[&prepare[..], &["--overwrite", "--json"]].concat());
    train(dir, &["--data", "pairs", "--run", "p", "--max-iters", "3"]);
    // Every pair is longer than a batch.
    let small = SMALL.replace("512", "2");
    let small: Vec<&str> = small.split(' ').collect();
    let args = ["translate", "train", "--data", "pairs", "--run", "q", "--max-iters", "1"];
    let stderr = one_line(&run(dir, &[&args[..], &small].concat()).stderr);
    assert!(stderr.contains("each of up to 2 tokens with padding, or of one longer pair; "), "{stderr}");
    // The text is too short for the default vocabulary.
    let output = run(dir, &["translate", "prepare", "a.de", "a.en", "--out", "small"]);
    let stderr = one_line(&output.stderr);
    assert!(stderr.contains("tokens, not 8000: the text has no more pairs to merge"), "{stderr}");

    let gone = dir.join("gone");
    fs::rename(dir.join("pairs"), &gone).unwrap();
    let eval = refused(dir, &["translate", "eval", "p"]);
    assert!(eval.contains("is gone: put it back") && eval.contains("--source and --target"), "{eval}");
    let resumed = refused(dir, &["translate", "train", "--resume", "p", "--max-iters", "4"]);
    assert!(resumed.contains("is gone: put it back, or name its new place with --data"), "{resumed}");
    fs::rename(&gone, dir.join("pairs")).unwrap();

    let words = refused(dir, &["translate", "prepare", "a.de", "a.en", "--tokenizer", "word", "--out", "w"]);
    assert!(words.contains("a tenth of all") && words.contains("or give --val pairs"), "{words}");
    fs::write(dir.join("two.tsv"), "uno\tone\ndos\ttwo\n").unwrap();
    let two = ok(dir, &["translate", "prepare", "two.tsv", "--out", "two"]);
    assert!(two.contains("1 training and 1 validation pair\n"), "{two}");
    fs::write(dir.join("one.tsv"), "uno\tone\n").unwrap();
    let one = refused(dir, &["translate", "prepare", "one.tsv", "--out", "one"]);
    assert!(one.contains("no validation pairs: give at least one"), "{one}");
    fs::create_dir(dir.join("folder")).unwrap();
    fs::write(dir.join("folder/a.tsv"), "uno\tone\n").unwrap();
    let folder = refused(dir, &["translate", "prepare", "folder", "--out", "x"]);
    assert!(folder.contains("folder: it is a folder: give one file"), "{folder}");

    fs::write(dir.join("short.en"), lines(59, "sentence")).unwrap();
    let short = refused(dir, &["translate", "prepare", "a.de", "short.en", "--out", "x"]);
    assert!(short.contains("short.en: it has 59 lines, but") && !dir.join("x").exists(), "{short}");
    let missing = refused(dir, &["translate", "train", "--data", "nothing"]);
    assert!(missing.contains("nothing: there is no such file or folder"), "{missing}");
    let bytes = refused(dir, &["translate", "train", "--resume", "p", "--d-model", "64"]);
    assert!(bytes.contains("--d-model cannot change"), "{bytes}");

    // Without its data, a model of words knows nothing of the usual sentence.
    let word = "alpha beta\tgamma delta\n".repeat(3);
    fs::write(dir.join("words.tsv"), word).unwrap();
    let report = ["--data", "words.tsv", "--tokenizer", "word", "--run", "w", "--max-iters", "1"];
    train(dir, &report);
    fs::remove_file(dir.join("words.tsv")).unwrap();
    let inspected = refused(dir, &["inspect", "w"]);
    assert!(inspected.contains("give a sentence with --prompt"), "{inspected}");

    // A prepared folder brings its tokenizer.
    let other = refused(dir, &["translate", "train", "--data", "pairs", "--tokenizer", "word"]);
    assert!(
        other.contains("--tokenizer is word, but ") && other.contains("has the tokenizer bpe:270"),
        "{other}"
    );
    train(dir, &["--data", "pairs", "--tokenizer", "bpe:270", "--run", "same", "--max-iters", "1"]);
    train(dir, &["--data", "pairs", "--config", "tiny", "--run", "own", "--max-iters", "1"]);
    for run in ["p", "same", "own"] {
        assert!(ok(dir, &["runs", "show", run]).contains("bpe:270"), "{run}");
    }

    // A sentence that is too long loses only itself.
    fs::write(dir.join("long.de"), format!("Satz 1\n{}\nSatz 2\n", "x ".repeat(5000))).unwrap();
    let output = run(dir, &["translate", "translate", "p", "long.de"]);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!((output.status.code(), stdout.lines().count()), (Some(1), 3), "{stderr}");
    assert!(stderr.contains("line 2 is left empty: a sentence is ") && stdout.lines().nth(1) == Some(""));
    let output = run(dir, &["translate", "translate", "p", "long.de", "--json"]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(1), 3));
    assert!(lines[1]["error"].as_str().unwrap().contains("max_length"), "{}", lines[1]);
    assert!(lines[1]["translations"].as_array().unwrap().is_empty() && lines[0].get("error").is_none());
    fs::write(dir.join("blank.de"), "\n").unwrap();
    let blank = refused(dir, &["translate", "translate", "p", "blank.de", "--beam-tree", "x.svg"]);
    assert!(blank.contains("but the line is empty: give a sentence"), "{blank}");
    let score = refused(dir, &["translate", "score", "p", "long.de", "a.en"]);
    assert!(score.contains("a.en has 61 lines, but long.de has 3"), "{score}");
    let long = refused(dir, &["translate", "eval", "p", "--source", "long.de", "--target", "long.de"]);
    assert!(long.contains("long.de: line 2 has "), "{long}");
    fs::write(dir.join("none.de"), "").unwrap();
    for args in [
        &["score", "p", "none.de", "none.de"][..],
        &["eval", "p", "--source", "none.de", "--target", "none.de"],
    ] {
        assert!(refused(dir, &[&["translate"], args].concat()).contains("none.de has no lines"));
    }
    for args in [&["score", "p", "-", "-"][..], &["eval", "p", "--source", "-", "--target", "-"]] {
        let twice = refused(dir, &[&["translate"], args].concat());
        assert!(twice.contains("standard input (-) is read only once"), "{twice}");
    }
    let wide = refused(dir, &["translate", "translate", "p", "a.de", "--beam", "2", "--n-best", "3"]);
    assert!(wide.contains("--n-best is 3") && wide.contains("--beam"), "{wide}");
    let kind = refused(dir, &["gpt", "sample", "p"]);
    assert!(kind.contains("a model of kind translate, not gpt: use it with the commands of"), "{kind}");
}
