//! `m2g bleu`.

use std::fs;

use crate::support::*;
use serde_json::Value;

/// The sentences and scores of sacreBLEU that the crate's tests use too.
fn fixtures() -> std::path::PathBuf {
    root().join("crates/translate/tests/bleu")
}

#[test]
fn scores_are_those_of_sacrebleu() {
    let dir = fixtures();
    let hypotheses = fs::read(dir.join("hyp.txt")).unwrap();
    let score = |args: &[&str]| -> Value {
        let output = piped(&dir, &[&["bleu", "--json"], args].concat(), &hypotheses);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let expected: Value = serde_json::from_slice(&fs::read(dir.join("expected.json")).unwrap()).unwrap();
    let want = |signature: &str| {
        let cases = expected["cases"].as_array().unwrap();
        let case = cases.iter().find(|case| case["signature"] == signature && case["hyp"].is_string());
        case.unwrap()["score"].as_f64().unwrap()
    };
    for args in [
        &["ref.txt"][..],
        &["ref.txt", "ref2.txt"],
        &["ref.txt", "--lowercase"],
        &["ref.txt", "--tokenize", "none"],
    ] {
        let got = score(args);
        for (metric, known) in [("bleu", true), ("chrf", args.len() == 1 || args[1] == "--lowercase")] {
            let signature = got[metric]["signature"].as_str().unwrap();
            let close = |want: f64| (got[metric]["score"].as_f64().unwrap() - want).abs() < 1e-9;
            assert!(!known || close(want(signature)), "{signature}: {got}");
        }
    }
    let text = piped(&dir, &["bleu", "ref.txt"], &hypotheses);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with("BLEU     79.25 nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0\n"));
    assert!(text.contains("95.2/84.4/76.0/68.3 %, brevity penalty 0.986"), "{text}");
    assert!(
        text.contains("\nchrF2    87.15 nrefs") && text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn two_systems_are_compared() {
    let dir = fixtures();
    let hypotheses = fs::read(dir.join("hyp.txt")).unwrap();
    let compare = |baseline: &str| -> Value {
        let args = ["bleu", "ref.txt", "--baseline", baseline, "--json"];
        serde_json::from_slice(&piped(&dir, &args, &hypotheses).stdout).unwrap()
    };
    let worse = &compare("ref.txt")["bleu"]["difference"];
    assert!(worse["high"].as_f64().unwrap() < 0.0 && worse["p"].as_f64().unwrap() < 0.01, "{worse}");
    assert_eq!(compare("hyp.txt")["bleu"]["difference"]["difference"], 0.0);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("ref.txt", "one\ntwo\n");
    write("short.txt", "one\n");
    write("empty.txt", "");
    let error = |args: &[&str]| refused(dir.path(), &[&["bleu"], args].concat());
    let short = error(&["ref.txt", "--hypotheses", "short.txt"]);
    assert!(short.contains("short.txt has 1 line, but ref.txt has 2"), "{short}");
    let two = error(&["ref.txt", "short.txt", "--hypotheses", "ref.txt"]);
    assert!(two.contains("ref.txt has 2 lines, but short.txt has 1"), "{two}");
    assert!(error(&["empty.txt", "--hypotheses", "empty.txt"]).contains("there is nothing to score"));
    assert!(error(&["none.txt", "--hypotheses", "short.txt"]).contains("none.txt"));
    assert!(error(&["ref.txt", "--hypotheses", "ref.txt", "--tokenize", "14a"]).contains("13a"));
}

/// A byte-order mark is text to sacreBLEU, which reads nothing but UTF-8.
#[test]
fn a_text_is_scored_as_sacrebleu_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).unwrap();
    write("ref.txt", b"the cat sat on the mat\n");
    write("bom.txt", b"\xef\xbb\xbfthe cat sat on the mat\n");
    write("latin1.txt", &[&b"the cat sat on the m\xe4t"[..], &b" and slept".repeat(20), b"\n"].concat());
    for (hypotheses, reference, bleu, chrf, notes) in [
        ("bom.txt", "ref.txt", 75.98, 98.62, 1),
        ("ref.txt", "bom.txt", 75.98, 94.71, 1),
        ("bom.txt", "bom.txt", 100.0, 100.0, 2),
        ("ref.txt", "ref.txt", 100.0, 100.0, 0),
    ] {
        let output = run(dir.path(), &["bleu", reference, "--hypotheses", hypotheses, "--json"]);
        let scores: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (metric, want) in [("bleu", bleu), ("chrf", chrf)] {
            let score = scores[metric]["score"].as_f64().unwrap();
            assert!((score - want).abs() < 0.005, "{hypotheses} {reference} {metric}: {score}");
        }
        let noted = one_line(&output.stderr).matches("bom.txt begins with a byte-order mark").count();
        assert_eq!(noted, notes);
    }
    let error = refused(dir.path(), &["bleu", "ref.txt", "--hypotheses", "latin1.txt"]);
    assert!(error.contains("latin1.txt has text that is not UTF-8 (1 byte)"), "{error}");
}

#[test]
fn standard_input_is_read_for_one_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ref.txt"), "one\n").unwrap();
    for args in [&["-"][..], &["-", "--hypotheses", "-"], &["ref.txt", "--baseline", "-"], &["-", "-"]] {
        let error = refused(dir.path(), &[&["bleu"], args].concat());
        assert!(error.contains("standard input (-) is read only once"), "{error}");
    }
    assert!(piped(dir.path(), &["bleu", "-", "--hypotheses", "ref.txt"], b"one\n").status.success());
}
