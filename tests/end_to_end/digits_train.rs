//! `m2g digits train`.

use std::fs;

use crate::support::*;

#[test]
fn the_first_run_learns_mnist_without_network_or_flags() {
    let dir = tempfile::tempdir().unwrap();
    let stdout = ok(dir.path(), &["digits", "train", "--epochs", "2", "--json"]);
    let lines: Vec<serde_json::Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 3, "one object per epoch and a final one");
    assert_eq!(
        [&lines[0]["event"], &lines[1]["epoch"]],
        [&serde_json::json!("epoch"), &serde_json::json!(2)]
    );
    let done = &lines[2];
    assert_eq!(done["event"], "done");
    assert_eq!(done["epochs"], 2);
    assert!(done["test_accuracy"].as_f64().unwrap() > 0.93, "{done}");
    assert!(done["validation_accuracy"].as_f64().unwrap() > 0.93 && done["seconds"].is_f64());
    for file in ["config.toml", "metrics.jsonl", "last.safetensors", "best.safetensors"] {
        assert!(dir.path().join("runs/digits").join(file).is_file(), "{file}");
    }

    // A second run gets a new name.
    ok(dir.path(), &["digits", "train", "--epochs", "1"]);
    assert!(dir.path().join("runs/digits-2/config.toml").is_file());
}

#[test]
fn one_seed_gives_the_same_bits_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 3000, 300);
    let data = data.to_str().unwrap();
    for backprop in ["tape", "by-hand"] {
        let mut all = Vec::new();
        for (i, threads) in ["1", "2", "1", "2"].iter().enumerate() {
            let run = format!("{backprop}-{i}");
            let size = ["--hidden", "200", "--mini-batch", "100", "--epochs", "2"];
            let args = ["digits", "train", "--data", data, "--run", &run, "--threads", threads];
            ok(dir.path(), &[&args[..], &size, &["--backprop", backprop]].concat());
            all.push(weights(&dir.path().join("runs").join(&run)));
        }
        assert!(all.iter().all(|w| *w == all[0]), "{backprop}");
    }
}

/// Killed on its way from its first checkpoint, and on its way from one that Ctrl-C left in the middle.
#[cfg(unix)]
#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 12_000, 300);
    let data = data.to_str().unwrap();
    let train = |run: &'static str| {
        let settings =
            ["--epochs", "12", "--distort", "elastic", "--hidden", "60", "--momentum", "0.5", "--lr", "0.3"];
        [&["digits", "train", "--data", data, "--run", run][..], &settings].concat()
    };
    ok(dir.path(), &train("whole"));

    let run = dir.path().join("runs/killed");
    let resume = ["digits", "train", "--resume", "killed"];
    for (args, name, code) in
        [(&train("killed")[..], "-KILL", None), (&resume, "-INT", Some(130)), (&resume, "-KILL", None)]
    {
        let mut child = start(&mut m2g(dir.path(), args));
        child.log_more(&run, 2);
        assert!(signal(name, child.id()));
        assert_eq!(child.output().status.code(), code);
        ok(dir.path(), &["digits", "eval", "killed", "--json"]);
    }
    ok(dir.path(), &resume);
    assert!(weights(&run) == weights(&dir.path().join("runs/whole")));
    let lines = |run: &str| {
        fs::read_to_string(dir.path().join("runs").join(run).join("metrics.jsonl")).unwrap().lines().count()
    };
    assert_eq!((lines("whole"), lines("killed")), (12, 12));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_prints_the_command_to_resume() {
    let dir = tempfile::tempdir().unwrap();
    let child = start(&mut m2g(dir.path(), &["digits", "train", "--epochs", "500", "--run", "my run"]));
    wait_until(|| dir.path().join("runs/my run/last.safetensors").exists());
    // Some way into the first epoch.
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(signal("-INT", child.id()));
    let output = child.output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("digits train --resume 'runs/my run'"), "{stderr}");
    ok(dir.path(), &["digits", "eval", "runs/my run"]);
}

#[test]
fn a_run_is_only_overwritten_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 600, 100);
    let train = ["digits", "train", "--data", data.to_str().unwrap(), "--epochs", "1", "--run", "a"];
    ok(dir.path(), &train);
    let before = weights(&dir.path().join("runs/a"));
    assert!(refused(dir.path(), &train).contains("--overwrite"));
    assert!(weights(&dir.path().join("runs/a")) == before);
    ok(dir.path(), &[&train[..], &["--overwrite", "--seed", "2"]].concat());
    assert!(weights(&dir.path().join("runs/a")) != before);
    // A folder that is not a run is never replaced.
    fs::create_dir(dir.path().join("precious")).unwrap();
    let precious = [&train[..6], &["--run", "./precious", "--overwrite"]].concat();
    assert!(refused(dir.path(), &precious).contains("is not a run"));
    let left = fs::read_dir(dir.path().join("runs")).unwrap().count();
    assert_eq!(left, 1, "no leftovers in runs/");
}

#[test]
fn a_finished_run_can_be_trained_further() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 600, 100);
    ok(dir.path(), &["digits", "train", "--data", data.to_str().unwrap(), "--epochs", "1", "--run", "a"]);
    assert!(refused(dir.path(), &["digits", "train", "--resume", "a"]).contains("--epochs N"));
    let args = ["digits", "train", "--resume", "a", "--epochs", "3", "--json"];
    assert_eq!(last_json(&ok(dir.path(), &args))["epochs"], 3);
    let error = refused(dir.path(), &["digits", "train", "--resume", "a", "--lr", "1"]);
    assert!(error.contains("--lr cannot change"), "{error}");
}

#[test]
fn settings_come_from_preset_file_and_flags_in_this_order() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 600, 100);
    let file = dir.path().join("mine.toml");
    fs::write(&file, "hidden = [12, 7]\nlr = 0.25\nepochs = 1\n").unwrap();
    let args = ["digits", "train", "--data", data.to_str().unwrap(), "--config", "mine.toml"];
    ok(dir.path(), &[&args[..], &["--preset", "book-ch3", "--lr", "0.5", "--run", "a"]].concat());
    let config = fs::read_to_string(dir.path().join("runs/a/config.toml")).unwrap();
    let config: toml::Table = toml::from_str(&config).unwrap();
    assert_eq!(config["hidden"].as_array().unwrap().len(), 2);
    assert_eq!(config["learning_rate"].as_float(), Some(0.5));
    assert_eq!(config["cost"].as_str(), Some("cross-entropy"));

    // A built-in configuration by its name.
    let named = ["digits", "train", "--data", data.to_str().unwrap(), "--epochs", "1", "--config"];
    ok(dir.path(), &[&named[..], &["book-ch1", "--run", "b"]].concat());
    let config = fs::read_to_string(dir.path().join("runs/b/config.toml")).unwrap();
    assert!(config.contains("preset = \"book-ch1\"") && config.contains("init = \"book\""), "{config}");
    let error = refused(dir.path(), &[&named[..], &["book-ch2"]].concat());
    assert!(error.contains("did you mean book-ch"), "{error}");
    let error = refused(dir.path(), &[&named[..], &["best", "--preset", "book-ch1"]].concat());
    assert!(error.contains("give only one of them"), "{error}");

    // A file names what it builds on.
    fs::write(&file, "preset = 'book-ch1'\nepochs = 1\n").unwrap();
    ok(dir.path(), &[&args[..], &["--run", "c"]].concat());
    let config = fs::read_to_string(dir.path().join("runs/c/config.toml")).unwrap();
    assert!(config.contains("preset = \"book-ch1\"") && config.contains("init = \"book\""), "{config}");
    ok(dir.path(), &[&args[..], &["--preset", "default", "--run", "d"]].concat());
    let config = fs::read_to_string(dir.path().join("runs/d/config.toml")).unwrap();
    assert!(config.contains("preset = \"default\"") && config.contains("init = \"scaled\""), "{config}");
    fs::write(&file, "preset = 'foo'\n").unwrap();
    let error = refused(dir.path(), &args);
    assert!(error.contains("preset is foo: it must be one of default, book-ch1"), "{error}");

    fs::write(&file, "epohcs = 3\n").unwrap();
    let error = refused(dir.path(), &args);
    assert!(error.contains("unknown setting epohcs; did you mean epochs?"), "{error}");
}

/// The only hidden neuron is dropped in nearly every step.
#[test]
fn parameters_without_a_gradient_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 60, 10);
    let train = ["digits", "train", "--data", data.to_str().unwrap(), "--epochs", "1", "--hidden", "1"];
    let stderr = |more: &[&str]| {
        let output = run(dir.path(), &[&train[..], more].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let warned = stderr(&["--dropout", "0.9999999"]);
    // Wrapped to the width of a terminal.
    let said = warned.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("warning: in the second step"), "{warned}");
    assert!(said.contains("layer1.weight, layer1.bias, layer2.weight"), "{warned}");
    assert!(warned.lines().all(|line| line.chars().count() <= 80), "{warned}");
    assert!(!stderr(&[]).contains("gradient"));
}
