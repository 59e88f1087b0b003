//! Inputs that are much too long, or made to disturb the terminal, and how errors repeat them.

use std::fs;
use std::path::Path;

use crate::support::{TINY_GPT, m2g, ok, one_line, piped, refused, shell, with_text};

/// The most characters of an input in an error.
const MAX_EXCERPT: usize = 200;

/// Runs a command that is refused, and checks how it repeats its inputs, which consist of `x`.
fn check(dir: &Path, args: &[&str]) {
    let stderr = refused(dir, args);
    let shown: Vec<&str> = args.iter().map(|arg| &arg[..arg.len().min(40)]).collect();
    let mut longest = 0;
    for run in stderr.split(|c| c != 'x' && c != ' ') {
        longest = longest.max(run.matches('x').count());
    }
    assert!(longest <= MAX_EXCERPT, "{longest} characters of an input in {shown:?}: {stderr:.3000}");
    assert!(stderr.len() < 5000, "{} bytes in {shown:?}: {stderr:.5000}", stderr.len());
    assert!(!stderr.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}: {stderr:?}");
}

#[test]
fn errors_repeat_only_the_start_of_a_long_flag() {
    let dir = with_text();
    let line =
        [&["gpt", "train", "--run", "a", "--max-iters", "2"][..], &TINY_GPT.split(' ').collect::<Vec<_>>()];
    ok(dir.path(), &line.concat());
    let (word, words) = ("x".repeat(50_000), "x ".repeat(25_000));
    let escape = format!("\u{1b}[31m\u{7}\r{}", "x".repeat(10));
    for input in [&word, &words, &escape] {
        let input = input.as_str();
        let flags = |command: &[&'static str], names: &[&str]| {
            // The words differ from the word only where flags are not quoted.
            let names = if input.contains(' ') { &names[..1] } else { names };
            for name in names {
                check(dir.path(), &[command, &[*name, input]].concat());
                if input.len() < 100 {
                    check(dir.path(), &[command, &[&format!("{name}={input}")]].concat());
                }
            }
        };
        for args in [&[input][..], &["gpt", input], &["runs", "show", input], &["gpt", "train", input]] {
            check(dir.path(), args);
        }
        for args in [&["digits", "eval"][..], &["gpt", "eval"], &["gpt", "sample"], &["inspect"], &["params"]]
        {
            check(dir.path(), &[args, &[input]].concat());
        }
        let train =
            ["--learning-rate", "--n-layer", "--data", "--config", "--tokenizer", "--norm", "--threads"];
        flags(&["gpt", "train"], &[&train[..], &["--resume", "--init-from"]].concat());
        flags(&["digits", "train"], &["--hidden", "--cost", "--data", "--preset", "--seed", "--resume"]);
        flags(
            &["gpt", "sample", "a"],
            &["--prompt-file", "--prompt-tokens", "--top-k", "--temperature", "--weights"],
        );
        flags(&["gpt", "sample", "a", "--seed"], &["--prompt"]);
        flags(&["gpt", "eval", "a"], &["--tokens", "--data"]);
        flags(&["gpt", "plot", "a"], &["--out"]);
        flags(&["gpt", "ladder"], &["--rungs", "--steps"]);
        flags(&["inspect", "a"], &["--values", "--layer"]);
        flags(&["lab"], &["--seeds"]);
        flags(&["lab", "score"], &["--arms", "--data"]);
        for args in
            [&["lab"][..], &["data", "get"], &["compare"], &["bench"], &["completions"], &["gpt", "import"]]
        {
            check(dir.path(), &[args, &[input]].concat());
        }
        check(dir.path(), &["gpt", "prepare", input, "--out", "p"]);
        check(dir.path(), &["runs", "rename", "a", &format!("{input}/")]);
        check(dir.path(), &["digits", "predict", "a", input]);
    }
}

#[test]
fn errors_repeat_only_the_start_of_long_contents_of_files() {
    let dir = with_text();
    let line =
        [&["gpt", "train", "--run", "a", "--max-iters", "2"][..], &TINY_GPT.split(' ').collect::<Vec<_>>()];
    ok(dir.path(), &line.concat());
    let experiment =
        "about = \"a\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\nseeds = [1]\n[base]\ndata = \"a.txt\"\n";
    for input in ["x".repeat(50_000), "x ".repeat(25_000), "\u{1b}[31m\u{7}x".into()] {
        let quoted = toml::Value::from(input.as_str()).to_string();
        for content in [
            format!("{quoted} = 1\n"),
            format!("norm = {quoted}\n"),
            format!("data = {quoted}\n"),
            format!("n_layer = {quoted}\n"),
            format!("{}\n", input.trim_end()),
            format!("a = {}\n", input.trim_end()),
            format!("n_layer = 1 # {input}\nb = ="),
        ] {
            fs::write(dir.path().join("c.toml"), content).unwrap();
            check(dir.path(), &["gpt", "train", "--config", "c.toml"]);
            check(dir.path(), &["digits", "train", "--config", "c.toml"]);
        }
        for content in [
            format!("[[arms]]\nname = {quoted}\nabout = \"a\"\nn_layer = \"no\"\n"),
            format!("{quoted} = 1\n[[arms]]\nname = \"a\"\nabout = \"a\"\n"),
            format!("[[arms]]\nname = \"a\"\nabout = \"a\"\n{quoted} = 1\n"),
            input.clone(),
        ] {
            fs::write(dir.path().join("l.toml"), format!("{experiment}{content}")).unwrap();
            check(dir.path(), &["lab", "l.toml"]);
        }
        let quoted = serde_json::Value::from(input.as_str()).to_string();
        for content in [
            input.clone(),
            format!("{{\"tokens\": {quoted}}}"),
            format!("{{\"tokens\": [[{quoted}, 1]]}}"),
            format!("{{{quoted}: [[1, 2]]"),
            format!("{{\"tokens\": [[{}, 1]]}}", "9".repeat(5000)),
        ] {
            fs::write(dir.path().join("t.json"), content).unwrap();
            check(dir.path(), &["gpt", "eval", "a", "--tokens", "t.json"]);
        }
        let folder = dir.path().join("hf");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("model.safetensors"), [&8_u64.to_le_bytes()[..], b"{}      "].concat())
            .unwrap();
        for content in [
            input.clone(),
            format!("{{\"model_type\": {quoted}}}"),
            format!("{{\"model_type\": \"gpt2\", \"n_layer\": {quoted}}}"),
            format!("{{\"model_type\": \"gpt2\", \"activation_function\": {quoted}}}"),
        ] {
            fs::write(folder.join("config.json"), content).unwrap();
            check(dir.path(), &["gpt", "import", "hf", "--run", "i"]);
        }
        let header = format!("{{{quoted}:{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}}}");
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        fs::write(dir.path().join("runs/a/best.safetensors"), bytes).unwrap();
        check(dir.path(), &["gpt", "sample", "a"]);
    }
}

#[test]
fn the_number_of_threads_in_the_environment_is_checked() {
    let dir = with_text();
    let run =
        |value: &str, args: &[&str]| m2g(dir.path(), args).env("RAYON_NUM_THREADS", value).output().unwrap();
    for value in ["-1", "abc", "100000", "99999999999999999999999", "1.5", "1025"] {
        for args in [&["compare"][..], &["runs"], &["gpt", "sample", "a"]] {
            let output = run(value, args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{value} {args:?}: {stderr}");
            let sentence =
                format!("error: RAYON_NUM_THREADS is {value}: it must be a whole number from 1 to 1024");
            assert!(stderr.starts_with(&sentence) && stderr.lines().count() == 1, "{stderr}");
        }
    }
    for value in ["0", "1", "2", ""] {
        assert!(run(value, &["params", "digits"]).status.success(), "{value}");
    }
}

#[cfg(unix)]
#[test]
fn ranges_of_flags_are_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &["gpt", "sample", "a", "--threads"][..],
        &["gpt", "sample", "a", "--samples"],
        &["gpt", "sample", "a", "--prompt-tokens"],
        &["gpt", "train", "--threads"],
        &["gpt", "train", "--ranks-expected"],
        &["translate", "translate", "a", "--threads"],
        &["lab", "score", "--steps"],
        &["bench", "--rounds"],
    ] {
        for value in ["0", "-1", "-9999999999"] {
            let (flag, start) = command.split_last().unwrap();
            let error = refused(dir.path(), &[start, &[&format!("{flag}={value}")]].concat());
            assert!(!error.contains("..") && !error.contains("is not in"), "{flag} {value}: {error}");
        }
    }
    let error = refused(dir.path(), &["gpt", "sample", "a", "--samples", "0"]);
    assert!(error.contains("for '--samples <N>': it must be at least 1"), "{error}");
    let error = refused(dir.path(), &["gpt", "sample", "a", "--threads", "2000"]);
    assert!(error.contains("for '--threads <N>': it must be from 1 to 1024"), "{error}");
}

/// A variable that is not set: m2g digits train --data "$DIR".
#[test]
fn an_empty_input_leaves_no_hole_in_the_sentence() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c.toml"), "data = ''").unwrap();
    for args in [
        &["digits", "train", "--data="][..],
        &["digits", "train", "--config="],
        &["digits", "train", "--config", "c.toml"],
        &["digits", "train", "--run="],
        &["digits", "eval", ""],
        &["translate", "train", "--data="],
        &["translate", "train", "--config="],
        &["translate", "train", "--config", "c.toml"],
        &["translate", "train", "--tokenizer="],
        &["gpt", "train", "--data="],
        &["gpt", "train", "--config="],
        &["gpt", "train", "--tokenizer="],
        &["gpt", "sample", ""],
        &["lab", ""],
        &["lab", "digits", "--data="],
        &["runs", "show", ""],
        &["data", "get", ""],
    ] {
        let error = refused(dir.path(), args);
        for hole in [" :", "is :", "called ;", "called :", "folder :"] {
            assert!(!error.contains(hole), "{args:?}: {error}");
        }
        assert!(error.contains("\"\"") || error.contains("empty"), "{args:?}: {error}");
    }
    let mut command = m2g(dir.path(), &["data", "list"]);
    assert!(command.env("M2G_INSTRUCTION_SET", "").output().unwrap().status.success());
}

#[test]
fn settings_are_read_from_a_pipe_too() {
    let dir = with_text();
    let at = dir.path();
    let settings = b"data = \"a.txt\"\nn_layer = 1\nn_head = 1\nn_embd = 8\nblock_size = 8\nmax_iters = 1\n";
    let output = piped(at, &["gpt", "train", "--config", "/dev/stdin", "--run", "a"], settings);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read_to_string(at.join("runs/a/config.toml")).unwrap().contains("n_embd = 8"));
    let experiment = b"about = \"a?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\nseeds = [1]\n";
    let output = piped(at, &["lab", "/dev/stdin"], experiment);
    assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/stdin is not an experiment: "));
}

#[cfg(target_os = "linux")]
#[test]
fn a_current_folder_that_was_deleted_is_no_fault_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let output = shell(dir.path(), "mkdir x; cd x; rmdir ../x; \"$M2G\" digits train");
    let said = one_line(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: the current folder cannot be used ("), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_are_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = with_text();
    let strange = dir.path().join(OsStr::from_bytes(b"x\xff"));
    fs::create_dir(&strange).unwrap();
    fs::copy(dir.path().join("a.txt"), strange.join("a.txt")).unwrap();
    for train in [
        &["gpt", "train", "--data", "a.txt"][..],
        &["translate", "train", "--data", "a.txt"],
        &["digits", "train", "--data", "."],
        &["lab", "score", "--data", "a.txt"],
    ] {
        let error = refused(&strange, train);
        assert!(error.contains("has a name in it that is not UTF-8"), "{train:?}: {error}");
    }
    let found = ok(&strange, &["doctor", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert!(found["runs"]["folder"].as_str().unwrap().ends_with("x\u{fffd}/runs"), "{found}");
    let output = m2g(dir.path(), &["gpt", "sample"]).arg(OsStr::from_bytes(b"y\xff.gguf")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("error: the argument y\u{fffd}.gguf is not UTF-8: give another name"), "{error}");
}

/// The names of files in a folder are those of whoever made it.
#[cfg(unix)]
#[test]
fn names_of_skipped_files_do_not_reach_the_terminal_raw() {
    let dir = with_text();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::copy(dir.path().join("a.txt"), folder.join("a.txt")).unwrap();
    fs::write(folder.join("\u{1b}[31m.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    let output = m2g(dir.path(), &["gpt", "prepare", "folder", "--out", "out"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("skipped folder/\\u{1b}[31m.png: it is "), "{stderr}");
    assert!(!stderr.contains('\u{1b}') && stderr.lines().all(|line| line.len() <= 80), "{stderr}");
}
