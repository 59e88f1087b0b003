//! The commands for a trained digit network, eval, predict and plot; and the data commands.

use std::fs;

use crate::support::*;
use m2g_core::data::mnist::load_test;

#[test]
fn eval_predict_and_plot() {
    let dir = tempfile::tempdir().unwrap();
    let done = last_json(&ok(dir.path(), &["digits", "train", "--epochs", "2", "--run", "a", "--json"]));

    let eval = last_json(&ok(dir.path(), &["digits", "eval", "a", "--json"]));
    assert_eq!(eval["test_accuracy"], done["test_accuracy"], "the same as after training");
    let count =
        |row: &serde_json::Value| row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!(eval["confusion"].as_array().unwrap().iter().map(count).sum::<u64>(), 10_000);
    let wrong = eval["mistakes"].as_array().unwrap().len() as u64;
    assert_eq!(eval["correct"].as_u64().unwrap() + wrong, 10_000);
    assert!(dir.path().join("runs/a/mistakes.png").is_file());
    assert!(ok(dir.path(), &["digits", "eval", "a"]).contains("test accuracy"));

    // A user's picture: a test image of a 7, enlarged, dark on light, off centre.
    let test = load_test(&root().join("datasets/mnist"), None).unwrap().images;
    assert_eq!(test.labels[0], 7);
    let big = image::GrayImage::from_fn(400, 300, |x, y| {
        let (col, row) = ((x as usize).wrapping_sub(30) / 8, (y as usize).wrapping_sub(40) / 8);
        let ink = if col < 28 && row < 28 { test.image(0)[row * 28 + col] } else { 0 };
        image::Luma([235 - ink / 2])
    });
    big.save(dir.path().join("seven.png")).unwrap();
    let said = last_json(&ok(dir.path(), &["digits", "predict", "a", "seven.png", "--json"]));
    assert_eq!(said["digit"], 7);
    let sum: f64 = said["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    assert_eq!(said["image"].as_array().unwrap().len(), 784);
    let text = ok(dir.path(), &["digits", "predict", "a", "seven.png"]);
    assert!(text.starts_with("seven.png: 7 (") && text.contains("; next ") && text.contains("@@"), "{text}");
    #[cfg(target_os = "linux")]
    for (variable, has_colours) in
        [("TERM=xterm", true), ("TERM=dumb", false), ("NO_COLOR=1", false), ("CLICOLOR=0", false)]
    {
        let free = "env -u NO_COLOR -u CLICOLOR TERM=xterm";
        let line = format!("exec {free} {variable} \"$M2G\" digits predict a seven.png");
        // It is in the package util-linux, or in util-linux-script.
        let mut script = command("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        script
            .env("M2G", env!("CARGO_BIN_EXE_m2g"))
            .current_dir(dir.path())
            .stdin(std::process::Stdio::piped());
        let mut script = start(&mut script);
        let _open = script.stdin.take();
        let text = String::from_utf8_lossy(&script.output().stdout).into_owned();
        assert!(text.contains("seven.png: 7 ("), "{variable}: {text}");
        assert_eq!(text.contains("\x1b[48;5;"), has_colours, "{variable}: {text}");
    }
    // One unreadable picture does not stop the others.
    let output = run(dir.path(), &["digits", "predict", "a", "none.png", "seven.png"]);
    assert_eq!(output.status.code(), Some(1));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.lines().last().unwrap().starts_with("seven.png  7 "), "{table}");

    let files = ok(dir.path(), &["digits", "plot", "a"]);
    assert_eq!(files.lines().count(), 10);
    let error = refused(dir.path(), &["digits", "plot", "a", "a", "--data", "none"]);
    assert!(error.contains("--data and --transposed are for one run"), "{error}");
    for file in files.lines() {
        let bytes = fs::read(dir.path().join(file)).unwrap();
        assert!(bytes.starts_with(b"<svg") || bytes.starts_with(b"\x89PNG"), "{file}");
    }
}

#[test]
fn the_data_commands() {
    let dir = tempfile::tempdir().unwrap();
    let all: serde_json::Value = serde_json::from_str(&ok(dir.path(), &["data", "list", "--json"])).unwrap();
    assert!(all.as_array().unwrap().iter().any(|d| d["name"] == "mnist" && d["folder"].is_string()));
    assert!(ok(dir.path(), &["data", "list"]).contains("CC BY-SA 3.0"));
    assert!(ok(dir.path(), &["data", "get", "mnist"]).contains("mnist"), "it is already on this machine");
    let checked = ok(dir.path(), &["data", "check", "mnist"]);
    assert_eq!(one_line(checked.as_bytes()).matches("is the original").count(), 4, "{checked}");

    let copy = dir.path().join("mnist");
    fs::create_dir(&copy).unwrap();
    for name in &FILES[..3] {
        let name = format!("{name}.gz");
        fs::copy(root().join("datasets/mnist").join(&name), copy.join(&name)).unwrap();
    }
    let mut bytes = fs::read(copy.join(format!("{}.gz", FILES[0]))).unwrap();
    bytes[5_000_000] ^= 0x10;
    fs::write(copy.join(format!("{}.gz", FILES[0])), bytes).unwrap();
    assert!(refused(dir.path(), &["data", "check", "mnist", "--data", "mnist"]).contains("2 files of mnist"));
}
