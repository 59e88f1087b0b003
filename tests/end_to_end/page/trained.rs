//! A training from the page: an ordinary run, with the same bits as from the command line.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::served::Served;
use crate::support::{SOON, ok, small_mnist, wait_until, weights};

/// Waits until the training is in this state.
pub(super) fn wait(served: &Served, state: &str) -> Value {
    let started = Instant::now();
    loop {
        let training = served.got("/api/training");
        if training["state"] == state {
            return training;
        }
        assert_ne!(training["state"], "failed", "{training}");
        assert!(started.elapsed() < SOON, "never {state}: {training}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_training_can_be_stepped_stopped_and_resumed_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let small = small_mnist(dir.path(), 2000, 100);
    let data = small.to_str().unwrap();
    ok(
        dir.path(),
        &["digits", "train", "--epochs", "2", "--run", "command", "--data", data, "--train-on-all"],
    );
    let served = Served::start(dir.path(), &[]);
    assert_eq!(served.get("/api/training").json(), Value::Null);
    assert_eq!(served.post("/api/training/control", json!({"stop": true})).status, 404);

    for name in ["", "../page", "a/b", "-page", "lab", " page"] {
        let refused = served.post("/api/training/start", json!({"kind": "digits", "run": name}));
        assert_eq!(refused.status, 400, "{name:?}");
    }

    let settings = json!({"epochs": 2, "data": data, "train_on_all": true});
    let start = json!({"kind": "digits", "run": "page", "settings": settings, "speed": "pause"});
    served.posted("/api/training/start", start.clone());
    let paused = wait(&served, "paused");
    assert_eq!((paused["run"].as_str(), paused["step"].as_u64()), (Some("page"), Some(0)));
    assert_eq!(served.post("/api/training/start", start).status, 409, "one at a time");
    assert_eq!(served.get("/api/training/parameter?name=layer1.weight&gradient=1").status, 404);

    // Step by step: weights and gradients change.
    let parameter = |query: &str| {
        let answer = served.get(&format!("/api/training/parameter?name=layer1.weight{query}"));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        (answer.header("x-step").parse::<u64>().unwrap(), answer.floats())
    };
    let mut seen = vec![parameter("").1];
    for step in 1..=3 {
        served.posted("/api/training/control", json!({"speed": "step"}));
        wait_until(|| served.got("/api/training")["step"].as_u64() == Some(step));
        wait(&served, "paused");
        let (at, now) = parameter("");
        assert_eq!(at, step);
        assert!(seen.iter().all(|before| *before != now));
        seen.push(now);
        assert!(parameter("&gradient=1").1.iter().any(|x| *x != 0.0));
    }
    // The next step, opened: its update is what the training then does.
    let step = served.posted("/api/digits/step", json!({"model": "training"}));
    assert_eq!(step["step"], 3);
    let id = step["id"].as_str().unwrap();
    let (updated, _) = served.values(&format!("/api/inspect/{id}/values?name=layer1.weight&updated=1"));
    // Every z and a of every layer is there, also that of the last.
    let lines = step["lines"].as_array().unwrap().iter();
    let layers: Vec<_> = lines.filter(|line| line["name"] == "z" || line["name"] == "a").collect();
    assert_eq!(layers.len(), 4);
    for line in layers {
        let name = line["value"].as_str().unwrap();
        let (values, shape) = served.values(&format!("/api/inspect/{id}/values?name={name}"));
        assert_eq!(json!(shape), line["shape"]);
        assert!(line["name"] == "z" || values.iter().all(|a| (0.0..=1.0).contains(a)), "{name}");
    }
    served.posted("/api/training/control", json!({"speed": "step"}));
    wait_until(|| served.got("/api/training")["step"].as_u64() == Some(4));
    wait(&served, "paused");
    let far = parameter("").1.iter().zip(&updated).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-6, "{far}");

    // Full speed, its events, and an end in the middle.
    let mut losses = Vec::new();
    served.posted("/api/training/control", json!({"speed": "slow"}));
    served.events("GET", "/api/training/events", "", |name, data| {
        if name == "step" {
            losses.extend(data["losses"].as_array().unwrap().iter().map(|point| point[1].as_f64().unwrap()));
        }
        losses.len() > 2
    });
    served.posted("/api/training/control", json!({"stop": true}));
    let stopped = wait(&served, "stopped");
    assert!((4..400).contains(&stopped["step"].as_u64().unwrap()), "{stopped}");
    served.posted("/api/training/resume", json!({"run": "page"}));
    let finished = wait(&served, "finished");
    assert_eq!(finished["step"], 400);
    assert!(finished["result"]["test_accuracy"].as_f64().unwrap() > 0.5, "{finished}");
    assert!(finished["loss"].as_f64().unwrap() < losses[0], "{finished}");
    let [page, command] = ["page", "command"].map(|run| weights(&dir.path().join("runs").join(run)));
    assert!(page == command, "the bits differ");
    assert_eq!(
        served.post("/api/training/start", json!({"kind": "digits", "settings": {"nothing": 1}})).status,
        400
    );

    // The runs, with curves, and what is trained on the command line.
    let curves = served.got("/api/runs/curves?run=page&run=command");
    assert_eq!(
        curves["runs"][0]["evaluations"][1]["train_loss"],
        curves["runs"][1]["evaluations"][1]["train_loss"]
    );
    let mut lines = 0;
    let more = ["digits", "train", "--epochs", "2", "--run", "elsewhere", "--data", data, "--overwrite"];
    let is_seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // What ends before the page looks for the first time is no event.
            for _ in 0..20 {
                ok(dir.path(), &more);
                if is_seen.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        served.events("GET", "/api/runs/events", "", |name, data| {
            if name == "runs" && data["runs"].as_array().unwrap().iter().any(|run| run["name"] == "elsewhere")
            {
                let curves = served.got("/api/runs/curves?run=elsewhere");
                lines = curves["runs"][0]["evaluations"].as_array().unwrap().len();
            }
            lines >= 2
        });
        is_seen.store(true, Ordering::Relaxed);
    });
    assert!(lines >= 2);
}

#[cfg(unix)]
#[test]
fn a_small_gpt_is_trained_and_ctrl_c_saves_it() {
    let dir = crate::support::with_text();
    let mut served = Served::start(dir.path(), &[]);
    let settings = json!({
        "data": dir.path().join("a.txt"), "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4,
        "max_iters": 1_000_000, "log_interval": 1,
    });
    served.posted("/api/training/start", json!({"kind": "gpt", "settings": settings}));
    wait_until(|| served.got("/api/training")["step"].as_u64() >= Some(20));
    assert!(crate::support::signal("-INT", served.child.id()));
    assert_eq!(served.child.end().code(), Some(130));
    let shown = crate::support::last_json(&ok(dir.path(), &["runs", "show", "runs/gpt", "--json"]));
    assert!(shown["steps"].as_u64() >= Some(20), "{shown}");
    // It stores what its settings meant, as the command line does.
    let small =
        ["--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "16", "--batch-size", "4"];
    let flags = ["gpt", "train", "--data", "a.txt", "--max-iters", "1", "--run", "command"];
    ok(dir.path(), &[&flags[..], &small].concat());
    let [page, command] = ["gpt", "command"].map(|run| {
        let config = std::fs::read_to_string(dir.path().join("runs").join(run).join("config.toml")).unwrap();
        config.lines().find(|line| line.starts_with("tokenizer")).unwrap().to_string()
    });
    assert_eq!(page, command);
}

#[test]
fn what_changes_as_soon_as_the_stream_is_open_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = small_mnist(dir.path(), 100, 50).display().to_string();
    ok(dir.path(), &["digits", "train", "--epochs", "1", "--run", "a", "--data", &data, "--train-on-all"]);
    let served = Served::start(dir.path(), &[]);
    let mut told = Vec::new();
    served.events("GET", "/api/runs/events", "", |name, data| {
        if name == "open" {
            std::fs::rename(dir.path().join("runs/a"), dir.path().join("runs/b")).unwrap();
        }
        told.push(data.clone());
        name == "runs"
    });
    let told = told.last().unwrap();
    assert_eq!((&told["runs"][0]["name"], &told["gone"]), (&json!("b"), &json!(["a"])), "{told}");
}

#[test]
fn three_hundred_runs_are_listed_without_delay() {
    let dir = tempfile::tempdir().unwrap();
    let small = small_mnist(dir.path(), 100, 50);
    ok(
        dir.path(),
        &[
            "digits",
            "train",
            "--epochs",
            "1",
            "--run",
            "r0",
            "--data",
            small.to_str().unwrap(),
            "--train-on-all",
        ],
    );
    for i in 1..300 {
        let to = dir.path().join(format!("runs/r{i}"));
        std::fs::create_dir(&to).unwrap();
        for file in ["config.toml", "metrics.jsonl", "last.safetensors", "best.safetensors"] {
            let (from, to) = (dir.path().join("runs/r0").join(file), to.join(file));
            // Not every file system has hard links.
            std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop)).unwrap();
        }
    }
    let served = Served::start(dir.path(), &[]);
    let times = [(); 3].map(|()| {
        let started = Instant::now();
        assert_eq!(served.got("/api/runs")["runs"].as_array().unwrap().len(), 300);
        started.elapsed()
    });
    println!("300 runs: {times:?}");
    assert!(times[1] < Duration::from_millis(500), "{times:?}");
}
