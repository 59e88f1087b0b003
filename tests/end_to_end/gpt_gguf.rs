//! `m2g gpt export FILE.gguf`, `import FILE.gguf` and `sample FILE.gguf`.

use std::fs;
use std::path::Path;

use crate::gpt_sample::char_run;
use crate::support::{last_json, ok, one_line, piped, refused, root, run};

fn fixture(name: &str) -> String {
    root().join("crates/gpt/tests/gguf").join(name).display().to_string()
}

/// The text that a model writes, greedily.
fn text(at: &Path, model: &str, more: &[&str]) -> String {
    ok(at, &[&["gpt", "sample", model, "--greedy", "--tokens", "40", "--prompt", "the "], more].concat())
}

#[test]
fn a_file_is_imported_sampled_and_exported_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    for name in ["gpt2", "mpt", "gptneox"] {
        let file = fixture(&format!("{name}.gguf"));
        ok(at, &["gpt", "import", &file, "--run", name]);
        assert_eq!(text(at, &file, &[]), text(at, name, &[]), "{name}");
        assert_eq!(text(at, &file, &[]), text(at, &file, &["--no-cache"]), "{name}");
        let out = format!("{name}.GGUF");
        ok(at, &["gpt", "export", name, &out]);
        assert!(fs::read(at.join(out)).unwrap() == fs::read(file).unwrap(), "{name}");
    }
    // A file that ends otherwise is known by its first bytes.
    fs::copy(fixture("mpt.gguf"), at.join("model.bin")).unwrap();
    ok(at, &["gpt", "import", "model.bin", "--run", "again"]);
    assert_eq!(text(at, "again", &[]), text(at, "mpt", &[]));
}

#[test]
fn quantised_files_are_smaller_and_cost_little() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    ok(at, &["gpt", "import", &fixture("gpt2.gguf"), "--run", "a"]);
    fs::write(at.join("rows.json"), r#"{"tokens": [[1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]]}"#).unwrap();
    let loss = |run: &str| {
        last_json(&ok(at, &["gpt", "eval", run, "--tokens", "rows.json", "--json"]))["loss"].as_f64().unwrap()
    };
    let exact = loss("a");
    let mut last = u64::MAX;
    for (format, tolerance) in [("f32", 0.0), ("f16", 0.01), ("q8_0", 0.1), ("q4_0", 0.2)] {
        let file = format!("{format}.gguf");
        let flag = if format == "q4_0" { "--quantize" } else { "--quantise" };
        ok(at, &["gpt", "export", "a", &file, flag, format]);
        ok(at, &["gpt", "import", &file, "--run", format]);
        let rounded = loss(format);
        assert!((rounded - exact).abs() <= tolerance, "{format}: {rounded} for {exact}");
        assert_eq!(rounded == exact, format == "f32", "{format}: {rounded}");
        let size = fs::metadata(at.join(&file)).unwrap().len();
        assert!(size < last, "{format}: {size}");
        last = size;
        // As stored, in another format, and on one thread.
        let written = text(at, &file, &[]);
        assert_eq!(written, text(at, &file, &["--threads", "1"]), "{format}");
        assert!(text(at, &file, &["--weights", "int8"]).starts_with("the "));
    }
    // The rounding of a run: in 4 bits that of all matrices, of which a file keeps the embedding and the head in 8.
    for (format, is_that_of_the_file) in [("q8_0", true), ("q4_0", false)] {
        let args = ["gpt", "eval", "a", "--tokens", "rows.json", "--weights", format, "--json"];
        let rounded = last_json(&ok(at, &args))["loss"].as_f64().unwrap();
        assert!(rounded != exact && (rounded - exact).abs() < 0.2, "{format}: {rounded} for {exact}");
        let distance = (rounded - loss(format)).abs();
        assert_eq!(distance < 1e-5, is_that_of_the_file, "{format}: {rounded} for {}", loss(format));
    }
}

#[test]
fn files_are_replaced_only_if_they_are_exports() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    char_run(at);
    ok(at, &["gpt", "export", "a", "a.gguf"]);
    assert!(refused(at, &["gpt", "export", "a", "a.gguf"]).contains("replace it with --overwrite"));
    ok(at, &["gpt", "export", "a", "a.gguf", "--overwrite"]);
    fs::write(at.join("diary.gguf"), "dear diary").unwrap();
    let error = refused(at, &["gpt", "export", "a", "diary.gguf", "--overwrite"]);
    assert!(error.contains("not replaced"), "{error}");
    assert_eq!(fs::read(at.join("diary.gguf")).unwrap(), b"dear diary");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    char_run(at);
    let says = |args: &[&str], what: &str| {
        let error = refused(at, args);
        assert!(error.contains(what), "{error}");
    };
    says(&["gpt", "export", "a", "a.gguf", "--quantise", "q8_0"], "n_embd = 16 in Q8_0");
    says(&["gpt", "export", "a", "folder", "--quantise", "f16"], "--quantise belongs to a GGUF file");
    says(&["gpt", "export", "a", "nowhere/a.gguf"], "there is no folder nowhere");
    says(&["gpt", "sample", "no.gguf", "--prompt", "a"], "no.gguf");
    fs::write(at.join("no.gguf"), "GGUF").unwrap();
    says(&["gpt", "sample", "no.gguf", "--prompt", "a"], "it is cut off");
    says(&["gpt", "import", "no.gguf", "--run", "x"], "it is cut off");
    #[cfg(unix)]
    {
        let import = ["gpt", "import", "/dev/stdin", "--run", "x"];
        let said = one_line(&piped(at, &import, &fs::read(fixture("mpt.gguf")).unwrap()).stderr);
        assert!(said.contains("/dev/stdin is a pipe or a device, not a file: save the model"), "{said}");
    }
    says(&["gpt", "sample", &fixture("mpt.gguf"), "--last", "--prompt", "a"], "--last belongs to a run");
    assert!(!at.join("runs/x").exists() && !at.join("a.gguf").exists());
    let output = run(at, &["gpt", "export", "a", "a.gguf", "--quantise", "q5_0"]);
    assert_eq!(output.status.code(), Some(2));
    // A model as wide as its vocabulary is large has no room for a token that is never drawn.
    let shape =
        ["--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "8", "--batch-size", "2"];
    fs::write(at.join("t.txt"), "the quick brown fox jumps over the lazy dog\n".repeat(20)).unwrap();
    let train = ["gpt", "train", "--data", "t.txt", "--max-iters", "1", "--run", "narrow"];
    ok(at, &[&train, &shape[..]].concat());
    let output = run(at, &["gpt", "export", "narrow", "narrow.gguf"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("has no end-of-text token, so llama.cpp takes token 11"), "{said}");
}
