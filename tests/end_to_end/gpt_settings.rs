//! Settings of a GPT that contradict each other, or those of the run that it starts from or resumes.

use std::fs;
use std::path::Path;

use crate::support::*;

/// Trains a small GPT for ten steps, with these flags.
fn train(dir: &Path, flags: &str) -> (bool, String) {
    let line =
        format!("\"$M2G\" gpt train {TINY_GPT} --max-iters 10 --eval-interval 10 --warmup-iters 1 {flags}");
    let output = shell(dir, &line);
    let stderr = one_line(&output.stderr);
    (output.status.success(), stderr)
}

fn resume(dir: &Path, flags: &str) -> (bool, String) {
    let output = shell(dir, &format!("\"$M2G\" gpt train --resume {flags}"));
    let stderr = one_line(&output.stderr);
    (output.status.success(), stderr)
}

#[test]
fn a_tokenizer_that_would_not_be_used_is_refused() {
    let dir = with_text();
    let at = dir.path();
    assert!(train(at, "--run base").0);
    ok(at, &["gpt", "prepare", "a.txt", "--out", "folder"]);
    for (flags, owner) in [("--init-from base", "/runs/base"), ("--data folder", "/folder")] {
        // A later --data would be given twice.
        let flags = match flags.contains("--data") {
            true => TINY_GPT.replace("a.txt", "folder"),
            false => format!("{TINY_GPT} {flags}"),
        };
        let line = |more: &str| shell(at, &format!("\"$M2G\" gpt train {flags} --max-iters 1 {more}"));
        let refused = line("--tokenizer byte --run x");
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && stderr.contains("error: --tokenizer is byte, but "), "{stderr}");
        assert!(stderr.contains(&format!("{owner} has the tokenizer char")), "{stderr}");
        assert!(line("--tokenizer char --run y --overwrite").status.success());
    }
    assert!(!at.join("runs/x").exists());
    // A run has the tokenizer of its data on record.
    ok(at, &["gpt", "prepare", "a.txt", "--tokenizer", "byte", "--out", "bytes"]);
    let flags = TINY_GPT.replace("a.txt", "bytes");
    assert!(shell(at, &format!("\"$M2G\" gpt train {flags} --max-iters 1 --run z")).status.success());
    let config = fs::read_to_string(at.join("runs/z/config.toml")).unwrap();
    assert!(config.contains("tokenizer = \"byte\""), "{config}");
}

#[test]
fn flags_that_do_not_act_are_refused() {
    let dir = with_text();
    let (done, said) = train(dir.path(), "--positions-base 50 --run a");
    assert!(!done && said.contains("error: --positions-base is 50: it acts only with"), "{said}");
    assert!(said.ends_with("or give --positions sinusoidal"), "{said}");
    let (done, said) = train(dir.path(), "--lr 1e-5 --min-lr 1e-4 --run a");
    assert!(
        !done && said.contains("error: --min-lr is 0.0001: ") && said.contains("--learning-rate"),
        "{said}"
    );
    // The default adapts.
    assert!(train(dir.path(), "--lr 1e-5 --run a").0);
    let config = fs::read_to_string(dir.path().join("runs/a/config.toml")).unwrap();
    assert!(config.contains("min_lr = 1e-5") || config.contains("min_lr = 0.00001"), "{config}");
}

#[test]
fn a_resumed_run_keeps_the_settings_of_its_checkpoint() {
    let dir = with_text();
    let at = dir.path();
    assert!(train(at, "--run a").0);
    let (done, said) = resume(at, "a --max-iters 5");
    assert!(!done && said.contains("runs/a already has 10 steps: give more with --max-iters N"), "{said}");
    let (done, said) = resume(at, "a --seed 3");
    assert!(
        !done && said.contains("--seed cannot change when a run is resumed, since the checkpoints"),
        "{said}"
    );
    assert!(said.contains("start a new run with --run NAME"), "{said}");

    let file = at.join("runs/a/config.toml");
    let config = fs::read_to_string(&file).unwrap();
    let (done, said) = resume(at, "a --max-iters 12");
    assert!(done && !said.contains("was changed"), "{said}");
    fs::write(
        &file,
        config.replace("\nseed = 1\n", "\nseed = 7\n").replace("max_iters = 10", "max_iters = 12"),
    )
    .unwrap();
    let (done, said) = resume(at, "a --max-iters 14");
    assert!(done && said.contains("was changed, which has no effect"), "{said}");
    assert!(said.contains("its settings: seed is 7 there, and stays 1; to change them"), "{said}");
}

#[test]
fn an_imported_model_of_any_tokenizer_is_not_resumed() {
    let dir = with_text();
    let at = dir.path();
    assert!(train(at, "--run a").0);
    ok(at, &["gpt", "export", "a", "a.gguf"]);
    ok(at, &["gpt", "import", "a.gguf", "--run", "im"]);
    let (done, said) = resume(at, "im");
    assert!(
        !done && said.contains("runs/im holds an imported model, which has no training to resume"),
        "{said}"
    );
}

#[test]
fn a_run_that_diverged_is_named_by_compare() {
    let dir = with_text();
    let (done, said) = train(dir.path(), "--lr 1e30 --run a");
    assert!(!done && said.contains("training has diverged"), "{said}");
    let error = refused(dir.path(), &["compare", "a", "a"]);
    assert!(error.contains("runs/a cannot be compared: its training has diverged"), "{error}");
}

#[test]
fn default_settings_are_not_called_changed() {
    let dir = tempfile::tempdir().unwrap();
    ok(dir.path(), &["gpt", "train", "--max-iters", "1", "--run", "a"]);
    let shown = last_json(&ok(dir.path(), &["runs", "show", "a", "--json"]));
    assert_eq!(shown["changed_settings"], serde_json::json!(["max_iters"]));
}

/// A full disk, which a limit on the size of files stands in for.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_grow_ends_training_with_advice() {
    let dir = with_text();
    let at = dir.path();
    let flags = format!("{TINY_GPT} --max-iters 1000000 --log-interval 1 --eval-interval 1000000 --run a");
    // Blocks of 512 bytes: room for the checkpoints, but not for the metrics of many steps.
    let output = shell(at, &format!("trap '' XFSZ; ulimit -f 400; exec \"$M2G\" gpt train {flags}"));
    let said = one_line(&output.stderr);
    assert!(!output.status.success() && said.contains("metrics.jsonl"), "{said}");
    assert!(said.contains("; the run is saved up to step "), "{said}");
    assert!(said.contains("then go on with") && said.contains("gpt train --resume runs/a"), "{said}");
}
