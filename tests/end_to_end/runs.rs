//! `m2g runs`, `m2g gpt plot`, and drawings of several runs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::*;
use serde_json::Value;

/// A folder with a text and a run of a small GPT.
fn with_run(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.txt"), text(300)).unwrap();
    train(dir.path(), name, "20");
    dir
}

fn train_args<'a>(name: &'a str, steps: &'a str) -> Vec<&'a str> {
    let model =
        ["--n-layer", "1", "--n-head", "2", "--n-embd", "8", "--block-size", "8", "--batch-size", "2"];
    let length = ["--eval-interval", "5", "--log-interval", "2", "--max-iters", steps];
    [&["gpt", "train", "--data", "a.txt", "--run", name][..], &model, &length].concat()
}

fn train(dir: &Path, name: &str, steps: &str) {
    ok(dir, &train_args(name, steps));
}

fn list(dir: &Path) -> Vec<Value> {
    serde_json::from_str(&ok(dir, &["runs", "--json"])).unwrap()
}

/// Runs `m2g` with this text on stdin.
fn answer(dir: &Path, args: &[&str], text: &str) -> Output {
    let mut child = start(m2g(dir, args).stdin(Stdio::piped()));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.output()
}

#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_utf8_are_shown() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::create_dir_all(dir.path().join("runs").join(name)).unwrap();
    let listed = list(dir.path());
    assert!(listed[0]["folder"].as_str().unwrap().ends_with("caf\u{fffd}"), "{listed:?}");
}

#[test]
fn runs_are_listed_and_shown() {
    let dir = with_run("a");
    assert_eq!(list(dir.path())[0]["name"], "a");
    let data = small_mnist(dir.path(), 600, 100);
    let digits = ["digits", "train", "--epochs", "1", "--hidden", "12", "--data", data.to_str().unwrap()];
    ok(dir.path(), &digits);
    let text = ok(dir.path(), &["runs"]);
    for part in ["a", "gpt", "digits", "n_embd 8", "max_iters 20", "data a.txt", "hidden [12]", " %"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("learning_rate") && text == ok(dir.path(), &["runs", "list"]), "{text}");
    let runs = list(dir.path());
    let a = runs.iter().find(|run| run["name"] == "a").unwrap();
    assert_eq!((&a["kind"], &a["steps"], &a["wrong"]), (&"gpt".into(), &20.into(), &Value::Null));
    assert!(a["best"].as_f64().unwrap() > 0.0 && a["bytes"].as_u64().unwrap() > 1000);
    assert!(a["changed_settings"].as_array().unwrap().contains(&"n_embd".into()));

    let shown = ok(dir.path(), &["runs", "show", "digits"]);
    assert!(shown.contains("hidden [12]") && shown.contains("last.safetensors"), "{shown}");
    assert_eq!(last_json(&ok(dir.path(), &["runs", "show", "runs/a", "--json"])), *a);
    assert!(refused(dir.path(), &["runs", "show", "digit"]).contains("did you mean digits?"));
    // A folder without runs.
    let empty = tempfile::tempdir().unwrap();
    assert_eq!((ok(empty.path(), &["runs"]).as_str(), list(empty.path()).len()), ("", 0));
}

#[test]
fn a_misspelt_run_gets_the_suggestion_of_one_that_exists() {
    let dir = with_run("tales");
    for command in [
        &["runs", "show"][..],
        &["gpt", "sample"],
        &["gpt", "eval"],
        &["gpt", "plot"],
        &["gpt", "train", "--resume"],
        &["gpt", "train", "--data", "a.txt", "--init-from"],
        &["digits", "eval"],
        &["inspect"],
        &["params"],
        &["compare"],
        &["open"],
    ] {
        let of = |name| refused(dir.path(), &[command, &[name]].concat());
        assert!(of("tale").contains("there is no run in runs/tale; did you mean tales?"), "{command:?}");
        assert!(!of("nowhere").contains("did you mean"), "{command:?}");
    }
    // Where a model is wanted, a model is suggested too.
    for command in ["inspect", "params", "compare"] {
        assert!(refused(dir.path(), &[command, "gtp"]).contains("did you mean gpt?"), "{command}");
    }
    assert!(!refused(dir.path(), &["gpt", "sample", "gtp"]).contains("did you mean"));
    // A folder of that very name, without a run.
    fs::create_dir(dir.path().join("runs/gpt")).unwrap();
    assert!(!refused(dir.path(), &["gpt", "sample", "gpt"]).contains("did you mean"));
}

/// To open it would wait for a writer.
#[test]
#[cfg(unix)]
fn a_pipe_in_the_place_of_a_file_of_a_run_is_named() {
    let dir = with_run("good");
    train(dir.path(), "pipe", "5");
    let pipe = |file: &str| {
        let line = format!("cd runs/pipe && rm {file} && mkfifo {file}");
        assert!(shell(dir.path(), &line).status.success());
    };
    pipe("metrics.jsonl");
    let error = refused(dir.path(), &["gpt", "plot", "pipe"]).replace("\n  ", " ");
    assert!(error.contains("metrics.jsonl: it is not a file"), "{error}");
    refused(dir.path(), &["gpt", "train", "--resume", "pipe", "--max-iters", "10"]);
    pipe("last.safetensors");
    let all = list(dir.path());
    let wrong = |name: &str| all.iter().find(|run| run["name"] == name).unwrap()["wrong"].clone();
    assert_eq!(wrong("good"), Value::Null);
    assert!(wrong("pipe").as_str().unwrap().ends_with("it is not a file"), "{}", wrong("pipe"));
}

#[test]
fn damaged_runs_are_listed_with_what_is_wrong() {
    let dir = with_run("good");
    let runs = dir.path().join("runs");
    let copy = |name: &str| {
        let to = runs.join(name);
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(runs.join("good")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        to
    };
    fs::write(copy("broken config").join("config.toml"), "n_layer = [").unwrap();
    fs::write(copy("wrong setting").join("config.toml"), "n_layer = 'many'\n").unwrap();
    fs::write(copy("binary").join("config.toml"), b"\xff\xfe\x00").unwrap();
    fs::write(copy("no-tensors").join("last.safetensors"), "these are none").unwrap();
    let half = copy("half");
    let bytes = fs::read(half.join("last.safetensors")).unwrap();
    fs::write(half.join("last.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(copy("only-best").join("last.safetensors")).unwrap();
    let never = copy("never");
    ["last", "best"]
        .iter()
        .for_each(|file| fs::remove_file(never.join(format!("{file}.safetensors"))).unwrap());
    fs::create_dir(runs.join("empty")).unwrap();
    fs::write(runs.join("a file"), "").unwrap();
    let all = list(dir.path());
    let wrong = |name: &str| {
        let run = all.iter().find(|run| run["name"] == name).unwrap_or_else(|| panic!("{name}"));
        run["wrong"].as_str().unwrap_or("").to_string()
    };
    for (name, what) in [
        ("good", ""),
        ("broken config", "config.toml is not valid TOML"),
        ("wrong setting", "config.toml cannot be used"),
        ("binary", "config.toml cannot be read"),
        ("no-tensors", "damaged"),
        ("half", "damaged"),
        ("only-best", "last.safetensors is missing"),
        ("never", "never saved"),
        ("empty", "not a run"),
    ] {
        assert!(
            wrong(name).contains(what) && wrong(name).is_empty() == what.is_empty(),
            "{name}: {}",
            wrong(name)
        );
        ok(dir.path(), &["runs", "show", name]);
    }
    assert_eq!(all.len(), 9);
    let text = ok(dir.path(), &["runs"]);
    assert!(text.contains("not a run") && text.contains("broken config"), "{text}");
    for name in ["empty", "half", "broken config"] {
        ok(dir.path(), &["runs", "delete", "--yes", name]);
        assert!(!runs.join(name).exists());
    }
}

#[test]
fn what_is_no_run_is_called_so() {
    let dir = with_run("a");
    fs::rename(dir.path().join("runs/a"), dir.path().join("b")).unwrap();
    // A bare name means runs/NAME.
    for args in [&["gpt", "sample", "b"][..], &["runs", "show", "b"], &["runs", "delete", "b"]] {
        let error = refused(dir.path(), args).replace("\n  ", " ");
        assert!(
            error.contains("there is no run in runs/b, but ./b is one: give it as ./b"),
            "{args:?}: {error}"
        );
    }
    ok(dir.path(), &["gpt", "sample", "./b", "--tokens", "3"]);
    fs::write(dir.path().join("runs/notes"), "").unwrap();
    for args in
        [&["runs", "show", "notes"][..], &["runs", "delete", "notes"], &["runs", "rename", "notes", "c"]]
    {
        let error = refused(dir.path(), args);
        assert!(
            error.contains("runs/notes is a file and no run: give the folder of a run"),
            "{args:?}: {error}"
        );
    }
    // Nor is it suggested.
    assert!(!refused(dir.path(), &["runs", "show", "note"]).contains("did you mean"));
}

#[test]
fn runs_are_renamed_but_never_onto_another() {
    let dir = with_run("a");
    train(dir.path(), "b", "5");
    let weights_of = |name: &str| weights(&dir.path().join("runs").join(name));
    let before = weights_of("a");
    let rename = |to: &str| refused(dir.path(), &["runs", "rename", "a", to]);
    assert!(rename("b").contains("runs/b exists"));
    for name in ["../c", "x/y", "..", ".", "", "/tmp/x", ".hidden", "lab"] {
        assert!(rename(name).contains("error: "), "{name}");
    }
    assert!(rename("a").contains("exists"));
    assert!(
        refused(dir.path(), &["runs", "rename", "nowhere", "c"]).contains("there is no run in runs/nowhere")
    );
    assert!(refused(dir.path(), &["runs", "rename", "..", "c"]).contains("not the name of a run"));
    assert!(weights_of("a") == before && dir.path().join("runs/b").is_dir());

    let renamed = run(dir.path(), &["runs", "rename", "a", "my best run"]);
    assert!(String::from_utf8_lossy(&renamed.stderr).contains("'runs/my best run'"));
    assert!(weights_of("my best run") == before && !dir.path().join("runs/a").exists());
    // A run may be called like a model, and is told apart from it.
    let renamed = run(dir.path(), &["runs", "rename", "my best run", "gpt"]);
    assert!(renamed.status.success());
    let note = String::from_utf8_lossy(&renamed.stderr).replace('\n', " ");
    assert!(note.contains("in compare, inspect and params, gpt is the untrained model"), "{note}");
    ok(dir.path(), &["gpt", "eval", "gpt"]);
    ok(dir.path(), &["runs", "rename", "runs/gpt", "c"]);
    assert!(weights_of("c") == before);
}

#[test]
fn runs_are_deleted_after_asking() {
    let dir = with_run("a");
    let path = dir.path().join("runs/a");
    for text in ["", "n\n", "\n", "maybe\n"] {
        let output = answer(dir.path(), &["runs", "delete", "a"], text);
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("delete runs/a (gpt, best ") && stderr.contains("is kept"), "{stderr}");
        assert!(path.join("last.safetensors").is_file());
    }
    // Nothing but runs is deleted.
    fs::create_dir(dir.path().join("precious")).unwrap();
    fs::write(dir.path().join("precious/thesis.txt"), "").unwrap();
    fs::write(path.join("notes.txt"), "").unwrap();
    for name in ["./precious", "..", ".", "runs", "runs/..", "a", "nowhere", ""] {
        let error = refused(dir.path(), &["runs", "delete", "--yes", name]);
        assert!(!error.contains("deleted"), "{error}");
    }
    assert!(dir.path().join("precious/thesis.txt").is_file() && path.join("last.safetensors").is_file());
    fs::remove_file(path.join("notes.txt")).unwrap();
    assert!(answer(dir.path(), &["runs", "delete", "a"], "y\n").status.success());
    assert_eq!(fs::read_dir(dir.path().join("runs")).unwrap().count(), 0, "nothing is left behind");
}

/// Neither `--overwrite` nor `delete` takes a file that the program did not write.
#[test]
fn files_of_the_user_are_kept() {
    let dir = with_run("a");
    let path = dir.path().join("runs/a");
    ok(dir.path(), &["gpt", "plot", "a"]);
    fs::write(path.join("main.py"), "source").unwrap();
    let overwrite = [&train_args("a", "5")[..], &["--overwrite"]].concat();
    let exported = dir.path().join("a.gguf");
    ok(dir.path(), &["gpt", "export", "a", "a.gguf"]);
    let import = ["gpt", "import", exported.to_str().unwrap(), "--run", "a", "--overwrite"];
    for args in [&overwrite[..], &import, &["runs", "delete", "--yes", "a"]] {
        let error = refused(dir.path(), args);
        assert!(error.contains("runs/a holds main.py, which is no part of a run"), "{args:?}: {error}");
    }
    assert_eq!(fs::read_to_string(path.join("main.py")).unwrap(), "source");
    fs::remove_file(path.join("main.py")).unwrap();
    ok(dir.path(), &overwrite);
    assert!(!path.join("loss.png").exists());

    let pictures = dir.path().join("holiday");
    fs::create_dir(&pictures).unwrap();
    fs::write(pictures.join("beach.png"), "").unwrap();
    refused(dir.path(), &["runs", "delete", "--yes", "./holiday"]);
    assert!(pictures.join("beach.png").is_file());
}

#[test]
fn a_new_run_has_a_name_that_can_be_typed() {
    let dir = with_run("a");
    for name in ["lab", "a ", "a\nb", "a\u{1b}b", ""] {
        let error = refused(dir.path(), &train_args(name, "5"));
        let said = ["is no good name", "holds the results of experiments", "give the name of a run"];
        assert!(
            said.iter().any(|part| error.contains(part)) && !error.contains('\u{1b}'),
            "{name:?}: {error}"
        );
    }
    assert_eq!(fs::read_dir(dir.path().join("runs")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_run_in_training_is_left_alone() {
    let dir = with_run("other");
    let mut child = Started::new(m2g(dir.path(), &train_args("a", "10000000")).stderr(Stdio::null()));
    wait_until(|| dir.path().join("runs/a/last.safetensors").exists());
    assert!(ok(dir.path(), &["runs"]).contains("is being trained now"));
    for args in [&["runs", "delete", "--yes", "a"][..], &["runs", "rename", "a", "b"]] {
        let error = refused(dir.path(), args);
        assert!(error.contains("runs/a"), "{error}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(dir.path().join("runs/a/last.safetensors").exists() && !dir.path().join("runs/b").exists());
    ok(dir.path(), &["runs", "delete", "--yes", "a"]);
}

#[test]
fn loss_curves_are_drawn() {
    let dir = with_run("a");
    let long = "a-very-long-name-of-a-run-with-many-words-that-no-legend-can-hold-in-one-line-of-a-drawing";
    train(dir.path(), long, "20");
    let files = ok(dir.path(), &["gpt", "plot", "a"]);
    assert_eq!(files.lines().collect::<Vec<_>>(), ["runs/a/loss.svg", "runs/a/loss.png"]);
    let svg = fs::read_to_string(dir.path().join("runs/a/loss.svg")).unwrap();
    assert!(svg.contains(">training<") && svg.contains(">validation<") && svg.contains(">a training step<"));
    let png = image::open(dir.path().join("runs/a/loss.png")).unwrap();
    assert!(png.width() > 1000);

    let files = ok(dir.path(), &["gpt", "plot", "a", long, "a"]);
    assert!(files.contains("runs/a/loss-of-3-runs.png"), "{files}");
    let svg = fs::read_to_string(dir.path().join("runs/a/loss-of-3-runs.svg")).unwrap();
    assert!(svg.contains(">a, validation<") && svg.contains(">a (2), training<"), "{svg}");
    ok(dir.path(), &["gpt", "plot", "a", "--out", "x.PNG"]);
    assert!(fs::read(dir.path().join("x.PNG")).unwrap().starts_with(b"\x89PNG"));

    // Metrics as older versions wrote them have no logged steps.
    let metrics = dir.path().join("runs/a/metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    let old: String = text.split_inclusive('\n').filter(|line| line.contains("val_loss")).collect();
    assert!(old.len() < text.len());
    fs::write(&metrics, old + "{\"step\": 3, \"tr").unwrap();
    ok(dir.path(), &["gpt", "plot", "a"]);
    fs::write(&metrics, "").unwrap();
    assert!(refused(dir.path(), &["gpt", "plot", "a"]).contains("nothing to draw"));
    assert!(refused(dir.path(), &["gpt", "plot", "nowhere"]).contains("there is no run in runs/nowhere"));
    assert!(refused(dir.path(), &["gpt", "plot", long, "--out", "x.pdf"]).contains(".png or .svg"));
}
