//! `m2g gpt prepare`.

use std::fs;
use std::path::Path;

use crate::support::*;

fn text() -> String {
    (0..400).map(|i| format!("Line {i}: the quick brown fox, {} lazy dogs.\n", i * 7 % 13)).collect()
}

fn ids(path: &Path) -> Vec<u16> {
    fs::read(path).unwrap().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
}

#[test]
fn a_text_becomes_two_files_of_character_ids() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), text()).unwrap();
    let json = last_json(&ok(
        dir.path(),
        &["gpt", "prepare", "a.txt", "--tokenizer", "char", "--out", "out", "--json"],
    ));
    let characters: std::collections::BTreeSet<char> = text().chars().collect();
    let n = text().chars().count();
    assert_eq!(json["vocab_size"], characters.len());
    assert_eq!(json["train_tokens"], (n as f64 * 0.9) as u64);
    assert_eq!(json["val_tokens"], n as u64 - (n as f64 * 0.9) as u64);
    assert_eq!(json["folder"], "out");
    // An id is the index of its character among all characters, sorted.
    let order: Vec<char> = characters.into_iter().collect();
    let all = [ids(&dir.path().join("out/train.bin")), ids(&dir.path().join("out/val.bin"))].concat();
    let decoded: String = all.iter().map(|&id| order[usize::from(id)]).collect();
    assert_eq!(decoded, text());
}

#[test]
fn every_tokenizer_prepares_files_and_folders() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("texts/more")).unwrap();
    fs::write(dir.path().join("texts/more/a.txt"), text()).unwrap();
    fs::write(dir.path().join("texts/b.txt"), "Und Größeres: 你好 👋\n").unwrap();
    for (tokenizer, vocab) in [("byte", 256), ("gpt2", 50_257), ("bpe:300", 300)] {
        let args =
            ["gpt", "prepare", "texts", "--tokenizer", tokenizer, "--out", "out", "--overwrite", "--json"];
        let json = last_json(&ok(dir.path(), &args));
        assert_eq!((&json["vocab_size"], &json["tokenizer"]), (&vocab.into(), &tokenizer.into()));
        assert_eq!(json["sources"], serde_json::json!(["texts/b.txt", "texts/more/a.txt"]));
        assert_eq!(json["dtype"], "u16");
        let size = fs::metadata(dir.path().join("out/train.bin")).unwrap().len();
        assert_eq!(json["train_tokens"].as_u64().unwrap() * 2, size);
    }
    // The same text gives the same files.
    let first = fs::read(dir.path().join("out/train.bin")).unwrap();
    ok(dir.path(), &["gpt", "prepare", "texts", "--tokenizer", "bpe:300", "--out", "again"]);
    assert_eq!(fs::read(dir.path().join("again/train.bin")).unwrap(), first);
}

#[test]
fn cleaning_is_reported_on_stderr() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    bytes.extend(text().replace('\n', "\r\n").bytes());
    bytes.push(0xff);
    fs::write(dir.path().join("a.txt"), bytes).unwrap();
    let output = run(dir.path(), &["gpt", "prepare", "a.txt", "--out", "out"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    for sentence in
        ["1 byte-order mark", "400 CRLF line ends were replaced by LF", "1 byte that is not UTF-8"]
    {
        assert_eq!(stderr.matches(sentence).count(), 1, "{sentence}: {stderr}");
    }
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("out: tokenizer char"));
}

#[test]
fn bad_input_gives_one_sentence_and_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("good.txt"), text()).unwrap();
    fs::write(at("empty.txt"), "").unwrap();
    fs::write(at("one.txt"), "a".repeat(1000)).unwrap();
    fs::write(at("short.txt"), "abc").unwrap();
    fs::write(at("binary"), [0xff, 0xd8, 0x00, 0x80].repeat(500)).unwrap();
    fs::create_dir(at("nothing")).unwrap();
    for (args, why) in [
        (&["empty.txt"][..], "empty.txt: the text is empty"),
        (&["one.txt"], "no character other than 'a'"),
        (&["short.txt"], "too short"),
        (&["binary"], "it is not text"),
        (&["missing.txt"], "missing.txt"),
        (&["nothing"], "no text file"),
        (&["-", "good.txt", "-"], "standard input (-) is read only once: give a file for all but one"),
        (&["good.txt", "--tokenizer", "words"], "--tokenizer is 'words'"),
        (&["good.txt", "--tokenizer", "bpe:10"], "--tokenizer is bpe:10"),
        (&["good.txt", "--val-fraction", "1"], "--val-fraction is 1"),
        (&["good.txt", "--val-fraction", "nan"], "--val-fraction is NaN"),
        (&["good.txt", "--val-fraction", "x"], "--val-fraction"),
        (&["good.txt", "--out", "good.txt"], "good.txt"),
        (&["good.txt", "--out", "nothing/../good.txt/x"], "good.txt"),
    ] {
        let out = if args.contains(&"--out") { &[][..] } else { &["--out", "out"] };
        let error = refused(dir.path(), &[&["gpt", "prepare"], args, out].concat());
        assert!(error.contains(why), "{args:?}: {error}");
        assert!(!at("out").exists(), "{args:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 6, "nothing is left behind");
    ok(dir.path(), &["gpt", "prepare", "good.txt", "--out", "out"]);
    let error = refused(dir.path(), &["gpt", "prepare", "good.txt", "--out", "out"]);
    assert!(error.contains("--overwrite"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_folder_for_temporary_files_that_is_missing_is_named_once() {
    let dir = tempfile::tempdir().unwrap();
    let line = "echo hello | TMPDIR=/nope \"$M2G\" gpt prepare - --tokenizer char --out x";
    let output = shell(dir.path(), line);
    let said = one_line(&output.stderr);
    assert!(said.contains("cannot create a temporary file in /nope: "), "{said}");
    assert!(said.contains("set TMPDIR to a folder") && !said.contains(".tmp"), "{said}");
    assert_eq!((output.status.code(), said.matches("/nope").count()), (Some(1), 1), "{said}");
}

/// After Ctrl-C, the exit code is 130 and the existing output is unchanged.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_partial_output() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("small.txt"), text()).unwrap();
    fs::write(dir.path().join("large.txt"), text().repeat(4000)).unwrap();
    ok(dir.path(), &["gpt", "prepare", "small.txt", "--out", "out"]);
    let before = fs::read(dir.path().join("out/meta.json")).unwrap();
    let args = ["gpt", "prepare", "large.txt", "--tokenizer", "gpt2", "--out", "out", "--overwrite"];
    let mut child = Started::new(&mut m2g(dir.path(), &args));
    // The process has started once its temporary folder exists.
    wait_until(|| {
        assert!(child.try_wait().unwrap().is_none(), "the process ended before it could be stopped");
        fs::read_dir(dir.path()).unwrap().count() >= 4
    });
    assert!(signal("-INT", child.id()));
    assert_eq!(child.end().code(), Some(130));
    assert_eq!(fs::read(dir.path().join("out/meta.json")).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

/// As in nanoGPT: a vocabulary of 65, 1,003,854 training and 111,540 validation tokens. Skipped if the
/// text is not on this machine.
#[test]
fn tiny_shakespeare_has_the_token_counts_of_nanogpt() {
    let Ok(folder) = m2g_core::data::catalogue::find("tiny-shakespeare", None) else {
        eprintln!("tiny-shakespeare is not on this machine: skipped");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let input = folder.join("input.txt");
    let args = ["gpt", "prepare", input.to_str().unwrap(), "--tokenizer", "char", "--out", "out", "--json"];
    let json = last_json(&ok(dir.path(), &args));
    assert_eq!([&json["vocab_size"], &json["train_tokens"], &json["val_tokens"]], [65, 1_003_854, 111_540]);
}
