//! `m2g gpt train`.

use std::fs;
use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// A small model that trains in a second.
const TINY: &str = "--n-layer 2 --n-head 2 --n-embd 16 --block-size 16 --batch-size 4 --max-iters 30 --eval-interval 10 --log-interval 5";

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["gpt", "train", "--data", "a.txt"][..], &TINY.split(' ').collect::<Vec<_>>(), more].concat()
}

fn config(run: &Path) -> toml::Table {
    toml::from_str(&fs::read_to_string(run.join("config.toml")).unwrap()).unwrap()
}

#[test]
fn json_has_an_object_per_logged_step_per_evaluation_and_a_final_one() {
    let dir = with_text();
    let stdout = ok(dir.path(), &train(&["--json", "--eval-iters", "2"]));
    let lines: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|l| l["event"] == event).collect::<Vec<_>>();
    let steps: Vec<u64> = of("step").iter().map(|l| l["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 5, 10, 15, 20, 25, 30]);
    for line in of("step") {
        for key in ["loss", "lr", "grad_norm", "tokens_per_second", "gflops", "share_of_peak"] {
            assert!(line[key].as_f64().unwrap() > 0.0, "{key}: {line}");
        }
    }
    assert_eq!(of("eval").len(), 3);
    for line in of("eval") {
        for key in ["train_loss", "val_loss", "train_loss_estimate", "val_loss_estimate", "seconds"] {
            assert!(line[key].as_f64().unwrap() > 0.0, "{key}: {line}");
        }
    }
    let done = last_json(&stdout);
    assert_eq!((&done["event"], &done["steps"]), (&"done".into(), &30.into()));
    assert_eq!(done["val_loss"], of("eval")[2]["val_loss"]);
    assert!(done["best_val_loss"].as_f64() <= done["val_loss"].as_f64());
    assert!(done["tokens_per_second"].as_f64().unwrap() > 0.0 && done["seconds"].is_f64());
    assert_eq!(done["run"], "runs/gpt");
    for file in ["config.toml", "metrics.jsonl", "last.safetensors", "best.safetensors"] {
        assert!(dir.path().join("runs/gpt").join(file).is_file(), "{file}");
    }
    assert_eq!(config(&dir.path().join("runs/gpt"))["n_embd"].as_integer(), Some(16));
}

#[test]
fn a_run_reports_its_progress_and_ends_with_a_sample() {
    let dir = with_text();
    let output = run(dir.path(), &train(&["--run", "a"]));
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    for part in ["parameters", "decayed", "ln V", "GFLOP/s", "tokens/s", "norm", "a.txt", "runs/a"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert!(stdout.contains("validation loss"), "{stdout}");
    // The sample consists of characters of the training text.
    let sample = stdout.split_once("a sample:\n").unwrap().1;
    let known = text(400);
    assert!(sample.len() > 100 && sample.chars().all(|c| known.contains(c)), "{sample}");
}

#[test]
fn what_a_model_of_tales_writes_is_held_to_their_grammar() {
    let dir = with_text();
    let train = "gpt train --tokenizer char --n-layer 1 --n-head 1 --n-embd 8 --block-size 8 --max-iters 2 \
                 --eval-interval 1000 --eval-iters 1 --overwrite --run a";
    let train: Vec<&str> = train.split_whitespace().collect();
    let said = one_line(ok(dir.path(), &train).as_bytes());
    for part in ["a sample: ", " % are words of the tales; of ", " % follow their grammar"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Of another text, nobody knows the grammar.
    let said = ok(dir.path(), &[&train[..], &["--data", "a.txt"]].concat());
    assert!(said.contains("a sample:") && !said.contains("grammar"), "{said}");
}

/// In the first step, projections that start at 0 pass no gradient back: that is no fault.
#[test]
fn blocks_that_start_as_nothing_are_not_warned_of() {
    let dir = with_text();
    let output = run(dir.path(), &train(&["--zero-init-proj"]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !stderr.contains("gradient"), "{stderr}");
}

#[test]
fn one_seed_gives_the_same_bits_for_any_threads_and_evaluations() {
    let dir = with_text();
    let mut all = Vec::new();
    for (i, more) in [["--threads", "1"], ["--threads", "2"], ["--eval-interval", "7"]].iter().enumerate() {
        let run = format!("r{i}");
        let mut args = train(&["--run", &run, "--dropout", "0.1", "--eval-iters", "1"]);
        if let Some(at) = args.iter().position(|arg| *arg == more[0]) {
            args.drain(at..at + 2);
        }
        args.extend(more);
        ok(dir.path(), &args);
        all.push(weights(&dir.path().join("runs").join(&run)));
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
}

/// Killed on its way from its first checkpoint, and on its way from one that Ctrl-C left in the middle.
#[cfg(unix)]
#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let dir = with_text();
    let args = |run: &'static str| {
        let mut args = train(&["--run", run, "--dropout", "0.1", "--gradient-accumulation-steps", "2"]);
        let at = args.iter().position(|arg| *arg == "--max-iters").unwrap();
        args[at + 1] = "3000";
        args
    };
    ok(dir.path(), &args("whole"));
    let run_folder = dir.path().join("runs/killed");
    let resume = ["gpt", "train", "--resume", "killed"];
    for (args, name, code) in
        [(&args("killed")[..], "-KILL", None), (&resume, "-INT", Some(130)), (&resume, "-KILL", None)]
    {
        let mut child = start(&mut m2g(dir.path(), args));
        child.log_more(&run_folder, 60);
        assert!(signal(name, child.id()));
        assert_eq!(child.output().status.code(), code);
    }
    ok(dir.path(), &resume);
    assert!(weights(&run_folder) == weights(&dir.path().join("runs/whole")));
    // A line per logged step, each fifth and the first, and one per evaluation: each exactly once.
    let steps = |run: &str, evaluations: bool| -> Vec<u64> {
        let text = fs::read_to_string(dir.path().join("runs").join(run).join("metrics.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let chosen = lines.filter(|line| line["val_loss"].is_f64() == evaluations);
        chosen.map(|line| line["step"].as_u64().unwrap()).collect()
    };
    for run in ["whole", "killed"] {
        assert_eq!(steps(run, true), (1..=300).map(|i| 10 * i).collect::<Vec<_>>());
        assert_eq!(steps(run, false), [1].into_iter().chain((1..=600).map(|i| 5 * i)).collect::<Vec<_>>());
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_prints_the_command_to_resume() {
    let dir = with_text();
    let mut args = train(&["--run", "my run"]);
    let at = args.iter().position(|arg| *arg == "--max-iters").unwrap();
    args[at + 1] = "1000000";
    let mut child = start(&mut m2g(dir.path(), &args));
    child.log_more(&dir.path().join("runs/my run"), 5);
    assert!(signal("-INT", child.id()));
    let output = child.output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("gpt train --resume 'runs/my run'"), "{stderr}");
}

#[test]
fn a_finished_run_can_be_trained_further_and_is_not_lost() {
    let dir = with_text();
    ok(dir.path(), &train(&["--run", "a"]));
    let before = weights(&dir.path().join("runs/a"));
    assert!(refused(dir.path(), &train(&["--run", "a"])).contains("--overwrite"));
    assert!(refused(dir.path(), &["gpt", "train", "--resume", "a"]).contains("--max-iters N"));
    let error = refused(dir.path(), &["gpt", "train", "--resume", "a", "--learning-rate", "1"]);
    assert!(error.contains("--learning-rate cannot change"), "{error}");
    assert!(weights(&dir.path().join("runs/a")) == before);
    let more = ok(dir.path(), &["gpt", "train", "--resume", "a", "--max-iters", "40", "--json"]);
    assert_eq!(last_json(&more)["steps"], 40);

    fs::write(dir.path().join("a.txt"), text(400).replace("is", "was")).unwrap();
    let error = refused(dir.path(), &["gpt", "train", "--resume", "a", "--max-iters", "50"]);
    assert!(error.contains("another vocabulary") && error.contains("'w'"), "{error}");
    fs::write(dir.path().join("a.txt"), text(400).replace("is", "si")).unwrap();
    let error = refused(dir.path(), &["gpt", "train", "--resume", "a", "--max-iters", "50"]);
    assert!(error.contains("other data"), "{error}");
}

#[test]
fn settings_come_from_the_configuration_and_then_from_flags() {
    let dir = with_text();
    fs::write(dir.path().join("mine.toml"), "n_layer = 1\nlearning_rate = 1\ndata = \"a.txt\"\n").unwrap();
    ok(
        dir.path(),
        &[
            "gpt",
            "train",
            "--config",
            "mine.toml",
            "--n-embd",
            "8",
            "--n-head",
            "2",
            "--max-iters",
            "2",
            "--block-size",
            "8",
            "--bias",
            "--tie-weights=false",
            "--run",
            "a",
        ],
    );
    let config = config(&dir.path().join("runs/a"));
    assert_eq!((config["n_layer"].as_integer(), config["n_embd"].as_integer()), (Some(1), Some(8)));
    assert_eq!(config["learning_rate"].as_float(), Some(1.0));
    assert_eq!((config["bias"].as_bool(), config["tie_weights"].as_bool()), (Some(true), Some(false)));

    for (toml, expected) in [
        ("max_itres = 3\n", "unknown setting max_itres; did you mean max_iters?"),
        ("zzz = 3\n", "unknown setting zzz; the settings are"),
        ("n_layer = \"many\"\n", "n_layer is \"many\""),
        ("n_layer = -2\n", "mine.toml"),
        ("learning_rate = nan\n", "learning_rate is nan: it must be a finite number"),
        ("n_layer = \n", "mine.toml is not valid TOML"),
    ] {
        fs::write(dir.path().join("mine.toml"), toml).unwrap();
        let error = refused(dir.path(), &train(&["--config", "mine.toml", "--run", "b"]));
        assert!(error.contains(expected), "{toml}: {error}");
        assert!(!dir.path().join("runs/b").exists());
    }
    let error = refused(dir.path(), &["gpt", "train", "--config", "shakespeare-char-cpus"]);
    assert!(error.contains("did you mean shakespeare-char-cpu?"), "{error}");
}

#[test]
fn configurations_are_found_by_name_and_by_file() {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("configs")).unwrap() {
        let path = entry.unwrap().path();
        // Skip the folder of experiments.
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let file = path.to_str().unwrap();
        if let Some(size) = name.strip_prefix("translate-") {
            for config in [size, file] {
                let args = ["translate", "train", "--config", config, "--data", "nowhere.tsv"];
                assert!(refused(dir.path(), &args).contains("nowhere.tsv"), "{config}");
            }
            continue;
        }
        for config in [name.as_str(), file] {
            // Each gets as far as the data, or the run that it starts from, and reports that it is missing.
            let args = ["gpt", "train", "--config", config, "--data", "nowhere.txt"];
            let error = refused(dir.path(), &args);
            let expected =
                if name == "finetune-gpt2" { "there is no run in runs/gpt2" } else { "nowhere.txt" };
            assert!(error.contains(expected), "{config}: {error}");
        }
    }
    let error = refused(dir.path(), &["gpt", "train", "--config", "gpt2-124m"]);
    for part in
        ["gpt2-124m trains on the folder openwebtext, which is not here", "--out openwebtext`", "--data"]
    {
        assert!(error.contains(part), "{error}");
    }
    // In a folder of datasets, the one that the configuration names is used.
    fs::create_dir_all(dir.path().join("sets/tiny-shakespeare")).unwrap();
    fs::create_dir_all(dir.path().join("sets/other")).unwrap();
    fs::write(dir.path().join("sets/tiny-shakespeare/input.txt"), text(400)).unwrap();
    fs::write(dir.path().join("sets/other/b.txt"), "not this one").unwrap();
    let more = ["--config", "shakespeare-char-cpu", "--run", "s"];
    let args =
        [&["gpt", "train", "--data", "sets"][..], &TINY.split(' ').collect::<Vec<_>>(), &more].concat();
    ok(dir.path(), &args);
    let data = config(&dir.path().join("runs/s"))["data"].as_str().unwrap().to_string();
    assert!(data.ends_with("sets/tiny-shakespeare"), "{data}");
}

#[test]
fn fine_tuning_keeps_shape_and_tokenizer() {
    let dir = with_text();
    ok(dir.path(), &train(&["--run", "a"]));
    // A text with fewer characters keeps the vocabulary of the run.
    fs::write(dir.path().join("b.txt"), text(400).replace('9', "8")).unwrap();
    let tune = ["gpt", "train", "--init-from", "a", "--data", "b.txt", "--max-iters", "5", "--run", "b"];
    let done = last_json(&ok(dir.path(), &[&tune[..], &["--json"]].concat()));
    assert_eq!(done["steps"], 5);
    assert_eq!(config(&dir.path().join("runs/b"))["n_embd"].as_integer(), Some(16));
    ok(dir.path(), &["gpt", "train", "--resume", "b", "--max-iters", "7"]);

    let other = |more: &[&str]| refused(dir.path(), &[&tune[..8], &["--run", "c"], more].concat());
    assert!(other(&["--n-embd", "32"]).contains("--n-embd is 32"));
    fs::write(dir.path().join("b.txt"), text(400) + "Grüße!").unwrap();
    let error = other(&[]);
    assert!(error.contains("another vocabulary") && error.contains("'ü'"), "{error}");
    ok(dir.path(), &["gpt", "prepare", "b.txt", "--tokenizer", "byte", "--out", "bytes"]);
    let args = ["gpt", "train", "--init-from", "a", "--data", "bytes", "--run", "c"];
    assert!(refused(dir.path(), &args).contains("another vocabulary"));
    assert!(!dir.path().join("runs/c").exists());
}

#[test]
fn bad_texts_are_rejected_or_cleaned_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.txt");
    for (content, expected) in [
        (&b""[..], "empty"),
        (b"short", "short"),
        (b"only a few words", "--block-size is 16: a window"),
        ("a".repeat(500).as_bytes(), "one token"),
        (&b"Gr\xfc\xdfe ".repeat(100), "UTF-8"),
        (b"\xff\xfea\0b\0", "UTF-16"),
    ] {
        fs::write(&file, content).unwrap();
        let error = refused(dir.path(), &train(&["--run", "a"]));
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!dir.path().join("runs/a").exists(), "no run is created");
    }
    fs::remove_file(&file).unwrap();
    assert!(refused(dir.path(), &train(&[])).contains("a.txt"));

    fs::write(&file, [b"\xef\xbb\xbf", text(400).replace('\n', "\r\n").as_bytes(), b"\xff"].concat())
        .unwrap();
    let output = run(dir.path(), &train(&["--run", "a"]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    for report in ["BOM", "400 CRLF line ends", "not UTF-8"] {
        assert!(stderr.contains(report), "{report}: {stderr}");
    }
}

#[test]
fn invalid_flags_are_rejected() {
    let dir = with_text();
    for (flags, expected) in [
        (["--n-embd", "15"], "--n-embd is 15 with n_head 2"),
        (["--batch-size", "0"], "--batch-size is 0"),
        (["--learning-rate", "nan"], "--learning-rate is NaN"),
        (["--learning-rate", "fast"], "--learning-rate"),
        (["--dropout", "-0.5"], "--dropout is -0.5"),
        (["--tokenizer", "words"], "--tokenizer is words"),
        (["--positions", "sinusoid"], "'sinusoidal'"),
        (["--max-itres", "3"], "'--max-iters'"),
        (["--threads", "0"], "--threads"),
        (["--block-size", "100000"], "--block-size is 100000: a window"),
        (["--init-from", "nowhere"], "there is no run in runs/nowhere"),
        (["--resume", "nowhere"], "runs/nowhere"),
        (["--data", "tiny-shakespear"], "did you mean tiny-shakespeare?"),
    ] {
        let mut args = train(&[]);
        if let Some(at) = args.iter().position(|arg| *arg == flags[0]) {
            args.drain(at..at + 2);
        }
        if flags[0] == "--resume" {
            args.truncate(2);
        } else {
            args.extend(["--run", "b"]);
        }
        args.extend(flags);
        let error = refused(dir.path(), &args);
        assert!(error.contains(expected), "{flags:?}: {error}");
        assert!(!dir.path().join("runs/b").exists(), "{flags:?}");
    }
}
