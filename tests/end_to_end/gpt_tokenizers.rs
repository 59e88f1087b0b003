//! Tokenizers and checkpoints of other programs: imported, kept, exported, and used for other texts.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{last_json, ok, one_line, refused, root, run};

fn fixture(name: &str) -> String {
    root().join("crates/gpt/tests").join(name).display().to_string()
}

/// A short text with the given words.
fn text(words: &str) -> String {
    (0..200).map(|i| format!("{i}: {words}, {} times.\n", i * 7 % 13)).collect()
}

/// Trains a tiny model for a few steps.
fn train(dir: &Path, args: &[&str]) {
    let tiny = ["gpt", "train", "--max-iters", "3", "--batch-size", "2", "--threads", "1"];
    ok(dir, &[&tiny[..], args].concat());
}

const SHAPE: [&str; 8] = ["--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--block-size", "16"];

fn loss(dir: &Path, args: &[&str]) -> f64 {
    let json = last_json(&ok(dir, &[&["gpt", "eval", "--json"], args].concat()));
    json["loss"].as_f64().unwrap()
}

/// The ids of a prompt.
fn ids(dir: &Path, run: &str, prompt: &str) -> Vec<u64> {
    let args = ["gpt", "sample", run, "--prompt", prompt, "--tokens", "1", "--json"];
    let out = ok(dir, &args);
    let json: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    json["prompt_tokens"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

#[test]
fn a_run_measures_and_prepares_other_texts_with_its_own_tokenizer() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::write(at.join("a.txt"), text("the quick brown fox jumps over the lazy dog")).unwrap();
    fs::write(at.join("b.txt"), text("lazy foxes jump")).unwrap();
    fs::write(at.join("c.txt"), text("größer")).unwrap();
    for tokenizer in ["char", "bpe:270"] {
        train(
            at,
            &[&SHAPE[..], &["--data", "a.txt", "--tokenizer", tokenizer, "--run", "base", "--overwrite"]]
                .concat(),
        );
        let (own, other) = (loss(at, &["base"]), loss(at, &["base", "--data", "b.txt"]));
        assert!(own != other && other > 0.0, "{tokenizer}");

        // The same text, prepared with the run's tokenizer.
        let prepared =
            ["gpt", "prepare", "b.txt", "--tokenizer", "base", "--out", "b", "--overwrite", "--json"];
        let meta = last_json(&ok(at, &prepared));
        assert_eq!(meta["tokenizer"].as_str().unwrap(), tokenizer);
        assert_eq!(loss(at, &["base", "--data", "b"]), other, "{tokenizer}");
        for data in ["b", "b.txt"] {
            train(at, &["--init-from", "base", "--data", data, "--run", "tuned", "--overwrite"]);
            assert!(loss(at, &["tuned"]) > 0.0 && loss(at, &["tuned", "--data", "a.txt"]) > 0.0);
        }
    }
    // A tokenizer of characters names those that it lacks; one of byte pairs knows all.
    assert!(loss(at, &["base", "--data", "c.txt"]) > 0.0);
    train(at, &[&SHAPE[..], &["--data", "a.txt", "--run", "char"]].concat());
    for args in [
        &["gpt", "eval", "char", "--data", "c.txt"][..],
        &["gpt", "prepare", "c.txt", "--tokenizer", "./runs/char", "--out", "c"],
    ] {
        let error = refused(at, args);
        assert!(error.contains("c.txt: the tokenizer has no token for 'ö', 'ß'"), "{error}");
    }
    // A prepared folder brings its own, which may be another.
    assert!(
        refused(at, &["gpt", "eval", "char", "--data", "b"])
            .contains("b has another vocabulary (270 tokens of bpe:270)")
    );
    let error = refused(at, &["gpt", "prepare", "a.txt", "--tokenizer", "nobody", "--out", "x"]);
    assert!(error.contains("--tokenizer is 'nobody'") && error.contains("or a run that exists"), "{error}");
    // Its text was moved away.
    fs::rename(at.join("a.txt"), at.join("moved.txt")).unwrap();
    let error = refused(at, &["gpt", "eval", "char"]);
    assert!(error.contains("a.txt, which the run was trained on, is gone: put it back"), "{error}");
    let error = refused(at, &["gpt", "train", "--resume", "char", "--max-iters", "4"]);
    assert!(error.contains("is gone: put it back, or name its new place with --data"), "{error}");
    ok(at, &["gpt", "train", "--resume", "char", "--max-iters", "4", "--data", "moved.txt"]);
}

#[test]
fn eval_advises_no_flag_that_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::write(at.join("a.txt"), text("one<|endoftext|>two")).unwrap();
    train(at, &[&SHAPE[..], &["--data", "a.txt", "--run", "a"]].concat());
    let said = one_line(&run(at, &["gpt", "eval", "a"]).stderr);
    assert!(said.contains("was read as plain text") && !said.contains("special"), "{said}");
}

#[test]
fn an_own_byte_pair_encoding_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    ok(at, &["gpt", "import", &fixture("own-bpe"), "--run", "theirs"]);
    let want = [430, 365, 489, 26, 429, 375, 75];
    assert_eq!(ids(at, "theirs", "First Citizen: speak"), want);
    ok(at, &["gpt", "export", "theirs", "out"]);
    ok(at, &["gpt", "import", "out", "--run", "again"]);
    for (prompt, n) in [("First Citizen: speak", 7), ("Größe 你好 \u{1f600}\n\n  x", 21)] {
        let found = ids(at, "again", prompt);
        assert_eq!(found, ids(at, "theirs", prompt));
        assert!(found.len() >= n - 7, "{found:?}");
    }
    for file in
        ["tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "generation_config.json"]
    {
        assert!(at.join("out").join(file).is_file(), "{file}");
    }
    fs::write(at.join("a.txt"), text("First Citizen: speak")).unwrap();
    assert!(loss(at, &["theirs", "--data", "a.txt"]) > 0.0);
    train(at, &["--init-from", "theirs", "--data", "a.txt", "--run", "tuned"]);
    assert_eq!(ids(at, "tuned", "First Citizen: speak"), want);
}

/// GPT-2's vocabulary in a model with 50,304 rows, with and without its files.
#[test]
fn gpt2_filled_up_to_50304_tokens_keeps_its_tokenizer() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let data = at.join("data");
    fs::create_dir(&data).unwrap();
    let tokens: Vec<u8> = (0..400_u16).flat_map(u16::to_le_bytes).collect();
    ["train.bin", "val.bin"].iter().for_each(|name| fs::write(data.join(name), &tokens).unwrap());
    let args = ["--data", "data", "--tokenizer", "gpt2", "--vocab-size", "50304", "--run", "padded"];
    train(at, &[&SHAPE[..], &args].concat());
    ok(at, &["gpt", "export", "padded", "out"]);
    for without in ["tokenizer.json", "vocab.json"] {
        ok(at, &["gpt", "import", "out", "--run", "again", "--overwrite"]);
        assert_eq!(ids(at, "again", "Hello world"), [15496, 995]);
        fs::remove_file(at.join("out").join(without)).unwrap();
    }
    let output = run(at, &["gpt", "import", "out", "--run", "again", "--overwrite"]);
    assert!(one_line(&output.stderr).contains("50304 tokens are taken to be those of GPT-2"));
    assert_eq!(ids(at, "again", "Hello world"), [15496, 995]);
    // Random weights would choose one of the 47 other rows once in a thousand tokens.
    let sample = "gpt sample again --tokens 6000 --top-k 50304 --temperature 9 --seed 1 --json";
    let out = ok(at, &sample.split(' ').collect::<Vec<_>>());
    let json: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert!(json["tokens"].as_array().unwrap().iter().all(|id| id.as_u64().unwrap() < 50257));
}

#[test]
fn what_cannot_be_expressed_is_said_at_import() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let copy = at.join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(PathBuf::from(fixture("own-bpe")).join(name), copy.join(name)).unwrap();
    }
    let import = || {
        let output = run(at, &["gpt", "import", "copy", "--run", "x", "--overwrite"]);
        assert!(output.status.success());
        one_line(&output.stderr)
    };
    fs::write(copy.join("tokenizer.json"), r#"{"model": {"type": "WordPiece", "vocab": {"a": 0}}}"#).unwrap();
    let said = import();
    assert!(
        said.contains("reads only token ids: tokenizer.json: a tokenizer of WordPiece cannot be expressed"),
        "{said}"
    );
    assert!(refused(at, &["gpt", "sample", "x", "--prompt", "a"]).contains("has no tokenizer"));
    ok(at, &["gpt", "sample", "x", "--prompt-tokens", "1,2", "--tokens", "3"]);
    fs::write(copy.join("tokenizer.json"), "{").unwrap();
    assert!(
        refused(at, &["gpt", "import", "copy", "--run", "x", "--overwrite"])
            .contains("tokenizer.json: it is not JSON")
    );
    // Another dropout of the attention is no reason to refuse.
    let config = fs::read_to_string(copy.join("config.json")).unwrap();
    fs::write(copy.join("config.json"), config.replace("\"attn_pdrop\": 0.1", "\"attn_pdrop\": 0.0"))
        .unwrap();
    fs::remove_file(copy.join("tokenizer.json")).unwrap();
    assert!(import().contains("note: attn_pdrop is 0 and resid_pdrop 0.1"));
}

#[test]
fn a_checkpoint_of_nanogpt_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let nano = |name: &str| format!("{}/{name}", fixture("nanogpt"));
    ok(at, &["gpt", "import", &nano("ckpt.pt"), "--meta", &nano("meta.pkl"), "--run", "nano"]);
    let found = loss(at, &["nano", "--tokens", &nano("expected.json")]);
    assert!((found - 4.104_240_417_480_469).abs() < 1e-5, "{found}");
    assert_eq!(ids(at, "nano", "\n !&'"), [0, 1, 2, 3, 4]);
    ok(at, &["gpt", "export", "nano", "out"]);
    ok(at, &["gpt", "import", "out", "--run", "again"]);
    assert_eq!(ids(at, "again", "\n !&'"), [0, 1, 2, 3, 4]);
    assert_eq!(loss(at, &["again", "--tokens", &nano("expected.json")]), found);

    // nanoGPT's folder of data, its own tokenizer, and a model from its checkpoint.
    fs::create_dir(at.join("data")).unwrap();
    let tokens =
        |ids: std::ops::Range<u16>| ids.flat_map(|i| (i * 17 % 62).to_le_bytes()).collect::<Vec<u8>>();
    fs::write(at.join("data/train.bin"), tokens(0..900)).unwrap();
    fs::write(at.join("data/val.bin"), tokens(0..100)).unwrap();
    fs::copy(nano("meta.pkl"), at.join("data/meta.pkl")).unwrap();
    train(at, &[&SHAPE[..], &["--data", "data", "--run", "new"]].concat());
    assert_eq!(ids(at, "new", "\n !"), [0, 1, 2]);
    train(at, &["--init-from", "nano", "--data", "data", "--run", "tuned"]);
    let own = loss(at, &["nano", "--data", "data"]);

    // Without the vocabulary, the same ids.
    fs::remove_file(at.join("data/meta.pkl")).unwrap();
    assert_eq!(loss(at, &["nano", "--data", "data"]), own);
    ok(at, &["gpt", "import", &nano("ckpt.pt"), "--run", "ids"]);
    assert_eq!(loss(at, &["ids", "--data", "data"]), own);
    let bare = [&SHAPE[..], &["--data", "data", "--run", "bare"]].concat();
    let error = refused(at, &[&["gpt", "train"], &bare[..]].concat());
    assert!(error.contains("set --vocab-size to the number of tokens"), "{error}");
    train(at, &[&bare[..], &["--vocab-size", "62"]].concat());
    assert!(loss(at, &["bare"]) > 0.0);
    assert!(
        ok(at, &["gpt", "sample", "bare", "--tokens", "3"])
            .split_whitespace()
            .all(|id| id.parse::<u32>().is_ok())
    );
    ok(at, &["gpt", "train", "--resume", "bare", "--max-iters", "5"]);
    let error = refused(at, &[&["gpt", "train", "--vocab-size", "61", "--overwrite"], &bare[..]].concat());
    assert!(
        error.contains("train.bin: token number ")
            && error.contains(" is 61, but the vocabulary has 61 tokens"),
        "{error}"
    );
    fs::remove_file(at.join("data/val.bin")).unwrap();
    let error = refused(at, &[&["gpt", "train", "--vocab-size", "62", "--overwrite"], &bare[..]].concat());
    assert!(error.contains("it has train.bin but no val.bin"), "{error}");
}

#[test]
fn files_that_are_no_checkpoints_give_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::write(at.join("evil.pt"), b"PK").unwrap();
    assert!(
        refused(at, &["gpt", "import", "evil.pt", "--run", "x"])
            .contains("evil.pt cannot be used: it is cut off")
    );
    fs::write(at.join("evil.pkl"), b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.").unwrap();
    let ckpt = format!("{}/ckpt.pt", fixture("nanogpt"));
    let error = refused(at, &["gpt", "import", &ckpt, "--meta", "evil.pkl", "--run", "x"]);
    assert!(error.contains("evil.pkl: its pickle names posix.system"), "{error}");
    let gguf = format!("{}/gpt2.gguf", fixture("gguf"));
    for other in [&fixture("own-bpe"), &gguf] {
        let error = refused(at, &["gpt", "import", other, "--meta", "evil.pkl", "--run", "x"]);
        assert!(error.contains("--meta belongs to a checkpoint of nanoGPT"), "{error}");
    }
    for name in ["model.safetensors", "config.json"] {
        let file = format!("{}/{name}", fixture("own-bpe"));
        let error = refused(at, &["gpt", "import", &file, "--run", "x"]);
        assert!(error.contains("it is a file: give the folder with config.json"), "{error}");
    }
    for missing in ["missing.gguf", "missing.pt", "missing.safetensors"] {
        let error = refused(at, &["gpt", "import", missing, "--run", "x"]);
        assert!(error.contains(&format!("cannot open {missing}: ")), "{error}");
    }
    assert!(!at.join("runs").exists());
}
