//! A long training is steady: its memory, its open files and its speed.
//!
//! ```text
//! cargo test --release --test end_to_end long_run -- --ignored --nocapture
//! ```
//!
//! trains a GPT on 10 million tokens, then a digit network for 400 epochs: about 8 minutes on two
//! cores with nothing else to do. `M2G_LONG_RUN_TOKENS=500000` is a rehearsal of less than a minute.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Started, m2g};

/// Tokens of the GPT's training.
const TOKENS: u64 = 10_000_000;
/// Tokens in a step of the default configuration.
const TOKENS_PER_STEP: u64 = 12 * 64;
/// Tokens in the time of an epoch of digits.
const TOKENS_PER_EPOCH: u64 = 25_000;

/// How much memory may grow or shrink after the first tenth, and speed from the first to the last.
const MAX_CHANGE_OF_MEMORY: f64 = 0.02;
const MAX_CHANGE_OF_SPEED: f64 = 0.05;

/// The time between two looks at the process.
const INTERVAL: Duration = Duration::from_millis(50);

/// What was seen of a training, by tenths of its steps.
#[derive(Default)]
struct Tenth {
    kilobytes: Vec<f64>,
    descriptors: Vec<f64>,
    speeds: Vec<f64>,
}

/// The resident memory of a process in kB, and its number of open files.
fn look(pid: u32) -> Option<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes = resident.trim().trim_end_matches(" kB").parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some((kilobytes, descriptors as f64))
}

/// Trains, and watches the process from outside. `progress` reads the share of the run that is done and
/// its speed from a line of JSON.
fn watch(dir: &Path, args: &[&str], mut progress: impl FnMut(&Value) -> Option<(f64, f64)>) -> Vec<Tenth> {
    let mut child = Started::new(m2g(dir, args).stdout(Stdio::piped()).stderr(Stdio::null()));
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut tenths: Vec<Tenth> = (0..10).map(|_| Tenth::default()).collect();
    let mut done = 0.0;
    loop {
        match lines.recv_timeout(INTERVAL) {
            Ok(line) => {
                if let Some((now, speed)) = progress(&serde_json::from_str(&line).unwrap()) {
                    // The line reports the steps before `now`.
                    tenths[((10.0 * now) as usize).min(9)].speeds.push(speed);
                    done = now;
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if let Some((kilobytes, descriptors)) = look(child.id()).filter(|_| done < 1.0) {
                    let tenth = &mut tenths[(10.0 * done) as usize];
                    tenth.kilobytes.push(kilobytes);
                    tenth.descriptors.push(descriptors);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    assert!(child.wait().unwrap().success());
    tenths
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[track_caller]
fn assert_steady(name: &str, unit: &str, tenths: &[Tenth]) {
    let memory: Vec<f64> = tenths[1..].iter().map(|tenth| median(&tenth.kilobytes)).collect();
    let files: Vec<f64> = tenths[1..].iter().map(|tenth| median(&tenth.descriptors)).collect();
    let speed = [0, 9].map(|i| median(&tenths[i].speeds));
    let change = |now: f64, before: f64| now / before - 1.0;
    let growth = memory
        .iter()
        .map(|now| change(*now, memory[0]))
        .fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    let (last, slower) = (memory[memory.len() - 1], change(speed[1], speed[0]));
    println!(
        "{name}: memory {:.1} MB at 10 %, {:.1} MB at 100 %, at most {:+.2} % in between; {} open files at 10 %, {} at \
         100 %; {:.0} {unit}/s in the first tenth, {:.0} in the last ({:+.1} %)",
        memory[0] / 1e3,
        last / 1e3,
        100.0 * growth,
        files[0],
        files[files.len() - 1],
        speed[0],
        speed[1],
        100.0 * slower
    );
    assert!(growth.abs() <= MAX_CHANGE_OF_MEMORY, "{name}: memory by tenths in kB: {memory:?}");
    assert!(files.iter().all(|now| *now <= files[0]), "{name}: open files by tenths: {files:?}");
    assert!(slower.abs() <= MAX_CHANGE_OF_SPEED, "{name}: {speed:?} {unit}/s");
}

#[test]
#[ignore = "takes about 8 minutes and an idle machine: cargo test --release --test end_to_end long_run -- --ignored"]
fn a_long_run_is_steady() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = std::env::var("M2G_LONG_RUN_TOKENS").map_or(TOKENS, |tokens| tokens.parse().unwrap());
    let steps = tokens / TOKENS_PER_STEP;
    let [max_iters, twentieth, log] = [steps, steps / 20, steps / 300].map(|n| n.max(1).to_string());
    let gpt = [
        "gpt",
        "train",
        "--max-iters",
        &max_iters,
        "--eval-interval",
        &twentieth,
        "--log-interval",
        &log,
        "--json",
    ];
    let tenths = watch(dir.path(), &gpt, |line| {
        let done = line["step"].as_f64()? / steps as f64;
        (line["event"] == "step").then_some((done, line["tokens_per_second"].as_f64()?))
    });
    assert_steady(&format!("GPT, {} tokens", steps * TOKENS_PER_STEP), "tokens", &tenths);

    let epochs = (tokens / TOKENS_PER_EPOCH).max(50);
    let mut seconds = 0.0;
    let tenths = watch(dir.path(), &["digits", "train", "--epochs", &epochs.to_string(), "--json"], |line| {
        let done = line["epoch"].as_f64()? / epochs as f64;
        let before = std::mem::replace(&mut seconds, line["seconds"].as_f64()?);
        (line["event"] == "epoch").then_some((done, 50_000.0 / (seconds - before)))
    });
    assert_steady(&format!("digits, {epochs} epochs"), "images", &tenths);
}
