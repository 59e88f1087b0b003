//! The prompt of `m2g gpt sample`: files as people have them, pipes, prompts longer than the window.

use std::fs;
use std::path::Path;

use crate::gpt_sample::{char_run, lines, small_run};
use crate::support::*;
use m2g_core::checkpoint::Checkpoint;
use m2g_text::Tokenizer;

fn sample(dir: &Path, more: &[&str]) -> String {
    ok(dir, &[&["gpt", "sample", "a", "--tokens", "30", "--seed", "5"], more].concat())
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn a_prompt_file_is_cleaned_as_training_text_is() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let want = sample(dir.path(), &["--prompt", "ab\ncd\n"]);
    // "ab\r\ncd\n"
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03KL\xe2\xe5JN\xe1\x02\0o i\xc9\x07\0\0\0";
    for bytes in [b"\xef\xbb\xbfab\r\ncd\r\n".to_vec(), b"ab\ncd\n".to_vec(), gzip.to_vec()] {
        fs::write(dir.path().join("p.txt"), bytes).unwrap();
        assert_eq!(sample(dir.path(), &["--prompt-file", "p.txt"]), want);
    }
}

#[test]
fn what_is_not_text_is_refused_with_the_same_sentence_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    fs::create_dir(dir.path().join("folder")).unwrap();
    let tokens: Vec<u8> = [0_u16, 1, 43, 1, 0].iter().flat_map(|id| id.to_le_bytes()).collect();
    for (name, bytes, why) in [
        ("le.txt", utf16("abc def\n", u16::to_le_bytes), "UTF-16 text"),
        ("be.txt", utf16("abc def\n", u16::to_be_bytes), "UTF-16 text"),
        ("bom.txt", utf16("\u{feff}abc", u16::to_le_bytes), "UTF-16 text"),
        ("a.zip", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), "a zip archive"),
        ("a.npy", b"\x93NUMPY\x01\0v\0{'descr': '<f4'}".to_vec(), "a numpy array"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "a PNG picture"),
        ("ids.bin", tokens, "binary data; token ids are read from a folder"),
        ("latin1.txt", b"Gr\xfc\xdfe".to_vec(), "% of its bytes are not UTF-8"),
    ] {
        fs::write(dir.path().join(name), &bytes).unwrap();
        let said = refused(dir.path(), &["gpt", "sample", "a", "--prompt-file", name]);
        let sentence =
            said.trim().strip_prefix(&format!("error: {name}: ")).unwrap_or_else(|| panic!("{said}"));
        assert!(sentence.contains(why), "{said}");
        for args in [
            &["gpt", "train", "--run", "x", "--data", name][..],
            &["gpt", "prepare", name, "--out", "new"],
            &["gpt", "ladder", "--data", name],
        ] {
            assert!(refused(dir.path(), args).contains(sentence), "{args:?}");
        }
        // In a folder, it is skipped for the same reason.
        let inside = dir.path().join("folder").join(name);
        fs::write(&inside, &bytes).unwrap();
        fs::write(dir.path().join("folder/good.txt"), "some good text\n".repeat(20)).unwrap();
        let output = run(dir.path(), &["gpt", "prepare", "folder", "--out", "out", "--overwrite"]);
        let stderr = one_line(&output.stderr);
        assert!(
            output.status.success() && stderr.contains(&format!("skipped folder/{name}: {sentence}")),
            "{stderr}"
        );
        fs::remove_file(inside).unwrap();
    }
    assert!(refused(dir.path(), &["gpt", "sample", "a", "--prompt-file", "folder"]).contains("is a folder"));
    // One wrong byte in a long prompt is too few for a text of another encoding, but still wrong.
    fs::write(dir.path().join("one.txt"), [&b"ab".repeat(300)[..], b"\xe4"].concat()).unwrap();
    let said = refused(dir.path(), &["gpt", "sample", "a", "--prompt-file", "one.txt"]);
    assert!(said.contains("one.txt: it is not UTF-8 text: 1 of its 601 bytes are invalid"), "{said}");
}

#[test]
fn a_prompt_can_be_piped_in() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    let want = sample(dir.path(), &["--prompt", "abc "]);
    let args = ["gpt", "sample", "a", "--tokens", "30", "--seed", "5"];
    for more in [&[][..], &["--prompt-file", "-"]] {
        for text in ["abc \n", "abc ", "\u{feff}abc \r\n"] {
            let output = piped(dir.path(), &[&args[..], more].concat(), text.as_bytes());
            assert_eq!(String::from_utf8(output.stdout).unwrap(), want, "{more:?} {text:?}");
        }
        // Nothing on stdin is no prompt.
        let output = piped(dir.path(), &[&args[..], more].concat(), b"");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), sample(dir.path(), &[]));
    }
    // A flag wins over a pipe.
    let output = piped(dir.path(), &[&args[..], &["--prompt", "abc "]].concat(), b"xyz");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), want);
    let output = piped(dir.path(), &args, b"PK\x03\x04\0\0");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("error: standard input: it is not text but a zip")
    );
}

#[test]
fn training_text_can_be_piped_in() {
    let dir = tempfile::tempdir().unwrap();
    let text = "to be, or not to be: that is the question\n".repeat(40);
    fs::write(dir.path().join("text.txt"), &text).unwrap();
    let settings =
        ["--n-layer", "1", "--n-embd", "16", "--block-size", "8", "--max-iters", "2", "--threads", "1"];
    let train = |more: &[&str], text: &[u8]| {
        let output = piped(dir.path(), &[&["gpt", "train"], &settings[..], more].concat(), text);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (done, stderr) = train(&["--data", "-", "--run", "piped"], text.as_bytes());
    assert!(done && stderr.contains("from standard input"), "{stderr}");
    let (done, stderr) = train(&["--data", "text.txt", "--run", "file"], b"");
    assert!(done, "{stderr}");
    assert!(weights(&dir.path().join("runs/piped")) == weights(&dir.path().join("runs/file")));
    // The text is gone, and can be given again.
    let resume = ["gpt", "train", "--resume", "piped", "--max-iters", "3"];
    assert!(
        refused(dir.path(), &resume)
            .contains("standard input: the text was piped in and is gone: set --data to")
    );
    let output = piped(dir.path(), &[&resume[..], &["--data", "-"]].concat(), text.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ok(dir.path(), &["gpt", "train", "--resume", "piped", "--max-iters", "4", "--data", "text.txt"]);
    assert!(!train(&["--data", "-", "--run", "x"], b"").0, "an empty text");
    let prepare = |input: &str, out: &str, text: &str| {
        let output = piped(dir.path(), &["gpt", "prepare", input, "--out", out], text.as_bytes());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(dir.path().join(out).join("train.bin")).unwrap()
    };
    assert!(prepare("-", "a", &text) == prepare("text.txt", "b", ""));
}

#[test]
fn a_long_prompt_is_cut_to_the_window_and_the_user_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    // The window has 16 tokens.
    let long = "ab cd ef gh ".repeat(20);
    let args =
        ["gpt", "sample", "a", "--tokens", "12", "--seed", "5", "--json", "--samples", "2", "--prompt"];
    let output = run(dir.path(), &[&args[..], &[&long]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("the prompt has 240 tokens, but the model reads 16").count(), 1, "{stderr}");
    let cropped = &long[long.len() - 16..];
    let texts = |stdout: &str| lines(stdout).iter().map(|line| line["text"].clone()).collect::<Vec<_>>();
    let same = ok(dir.path(), &[&args[..], &[cropped]].concat());
    assert_eq!(texts(&String::from_utf8(output.stdout).unwrap()), texts(&same), "nanoGPT's crop");
}

#[test]
fn a_model_with_nan_is_named_as_broken() {
    let dir = tempfile::tempdir().unwrap();
    char_run(dir.path());
    for file in ["best.safetensors", "last.safetensors"] {
        let path = dir.path().join("runs/a").join(file);
        let mut checkpoint = Checkpoint::<f32>::load(&path).unwrap();
        // One position that a short prompt never reaches.
        let positions = checkpoint.tensors.get_mut("wpe.weight").unwrap().data_mut();
        *positions.last_mut().unwrap() = f32::NAN;
        checkpoint.save(&path).unwrap();
    }
    fs::write(dir.path().join("t.txt"), "abc def gh".repeat(50)).unwrap();
    for args in [
        &["gpt", "sample", "a"][..],
        &["gpt", "sample", "a", "--last", "--greedy"],
        &["gpt", "chat", "a"],
        &["gpt", "eval", "a", "--data", "t.txt"],
        &["gpt", "export", "a", "out"],
        &["gpt", "train", "--init-from", "a", "--data", "t.txt", "--run", "b"],
    ] {
        let said = refused(dir.path(), args);
        assert!(
            said.contains("safetensors") && said.contains("the model is broken: wpe.weight holds NaN"),
            "{said}"
        );
    }
    // Its parameters can still be looked at.
    ok(dir.path(), &["params", "a"]);
}

#[test]
fn two_samples_differ_and_tell_the_seed_that_repeats_them() {
    let dir = tempfile::tempdir().unwrap();
    small_run(dir.path(), "b", Some(Tokenizer::byte()), 256);
    let sample = |more: &[&str]| {
        let output = run(dir.path(), &[&["gpt", "sample", "b", "--tokens", "40"], more].concat());
        (output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let ((a, stderr), (b, _)) = (sample(&[]), sample(&[]));
    assert_ne!(a, b);
    let seed = stderr.split("--seed ").nth(1).unwrap().split_whitespace().next().unwrap();
    let (again, stderr) = sample(&["--seed", seed]);
    assert!(again == a && !stderr.contains("--seed"), "{stderr}");
    assert!(!sample(&["--greedy"]).1.contains("--seed"), "it has no influence");
    let json = lines(&String::from_utf8(sample(&["--json"]).0).unwrap());
    let seed = json[0]["seed"].to_string();
    assert_eq!(lines(&String::from_utf8(sample(&["--json", "--seed", &seed]).0).unwrap())[0], json[0]);
}
