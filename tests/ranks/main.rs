//! Training by several processes, started by `mpirun` on this machine. Needs the feature `mpi` and Open MPI:
//! `cargo test --features mpi --test ranks`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use serde_json::Value;

/// A training run that takes a second or two.
const GPT: [&str; 22] = [
    "gpt",
    "train",
    "--shards",
    "4",
    "--batch-size",
    "2",
    "--block-size",
    "16",
    "--n-layer",
    "1",
    "--n-head",
    "2",
    "--n-embd",
    "16",
    "--dropout",
    "0.1",
    "--eval-interval",
    "10",
    "--threads",
    "1",
    "--max-iters",
    "25",
];

const DIGITS: [&str; 10] =
    ["digits", "train", "--shards", "3", "--epochs", "1", "--batch-size", "100", "--threads", "1"];

const TRANSLATE: [&str; 22] = [
    "translate",
    "train",
    "--data",
    "dates",
    "--shards",
    "4",
    "--batch-tokens",
    "128",
    "--d-model",
    "16",
    "--d-ff",
    "16",
    "--n-head",
    "2",
    "--max-iters",
    "6",
    "--eval-interval",
    "3",
    "--eval-translations",
    "4",
    "--threads",
    "1",
];

const PROGRAM: &str = env!("CARGO_BIN_EXE_m2g");

/// `m2g` in `size` processes; alone for 1.
fn together(dir: &Path, size: usize, args: &[&str]) -> Command {
    let mut command = match size {
        1 => Command::new(PROGRAM),
        _ => Command::new("mpirun"),
    };
    if size > 1 {
        command.args(["-n", &size.to_string(), "--oversubscribe", "--bind-to", "none", PROGRAM]);
    }
    // Nothing of the user's: other data, the width of a terminal, a job around the tests.
    for name in
        ["M2G_DATA", "COLUMNS", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE"]
    {
        command.env_remove(name);
    }
    // Open MPI refuses root, as in a container, unless it is told twice.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(dir: &Path, size: usize, args: &[&str]) -> Output {
    together(dir, size, args).output().unwrap()
}

fn ok(dir: &Path, size: usize, args: &[&str]) -> String {
    let output = run(dir, size, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{size} processes: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Our error among the lines of all processes and of mpirun.
fn our_errors(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    stderr.lines().filter(|line| line.starts_with("error: ")).map(String::from).collect()
}

/// The tensors of both checkpoints of a run.
fn tensors(dir: &Path, run: &str) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for file in ["last.safetensors", "best.safetensors"] {
        let bytes = fs::read(dir.join("runs").join(run).join(file)).unwrap();
        for (name, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            all.insert(format!("{file}/{name}"), tensor.data().to_vec());
        }
    }
    all
}

#[test]
fn two_processes_train_each_model_to_the_bits_of_one() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&GPT[..], &DIGITS, &TRANSLATE] {
        for (size, name) in [(1, "one"), (2, "two")] {
            let out = ok(dir.path(), size, &[args, &["--run", name, "--overwrite", "--json"]].concat());
            assert_eq!(out.matches("\"event\":\"done\"").count(), 1, "one process prints: {out}");
        }
        assert!(tensors(dir.path(), "one") == tensors(dir.path(), "two"), "{}", args[0]);
    }
}

#[test]
fn processes_that_do_not_fit_together_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = |second: &[&str]| {
        let mut command = together(dir.path(), 2, &[]);
        command
            .args(GPT)
            .args(["--run", "mixed", "--overwrite", ":", "-n", "1", PROGRAM])
            .args(GPT)
            .args(second);
        command.output().unwrap()
    };
    // `-n 2` of the first three processes.
    let refused = other(&["--seed", "7"]);
    assert!(!refused.status.success());
    let errors = our_errors(&refused);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("has another value of seed than process 0"), "{errors:?}");

    let many = run(dir.path(), 2, &[&GPT[..2], &["--run", "many", "--max-iters", "1"]].concat());
    assert!(our_errors(&many)[0].contains("2 processes cannot share the 1 shard"), "{:?}", our_errors(&many));
    assert!(our_errors(&many)[0].contains("set --shards to 2 or more"), "{:?}", our_errors(&many));

    for size in [1, 2] {
        let output = run(dir.path(), size, &["gpt", "train", "--ranks-expected", "3"]);
        assert!(our_errors(&output)[0].contains("--ranks-expected is 3"), "{:?}", our_errors(&output));
    }
    let output = run(dir.path(), 2, &["doctor"]);
    assert!(our_errors(&output)[0].contains("mpirun is for training"), "{:?}", our_errors(&output));
}

#[test]
fn a_run_that_cannot_be_resumed_is_refused_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    ok(dir.path(), 1, &[&DIGITS[..], &["--run", "digits"]].concat());
    ok(dir.path(), 1, &[&GPT[..], &["--run", "gpt"]].concat());
    let error = |args: &[&str]| {
        let output = run(dir.path(), 2, args);
        assert!(!output.status.success());
        let mut errors = our_errors(&output);
        assert_eq!(errors.len(), 1, "{}", String::from_utf8_lossy(&output.stderr));
        errors.remove(0)
    };
    let other_kind = error(&["gpt", "train", "--resume", "digits"]);
    assert!(other_kind.contains("holds a model of kind digits"), "{other_kind}");
    let finished = error(&["gpt", "train", "--resume", "gpt"]);
    assert!(finished.contains("has finished its 25 steps"), "{finished}");
    let best = dir.path().join("runs/gpt/best.safetensors");
    let bytes = fs::read(&best).unwrap();
    fs::write(&best, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = error(&["gpt", "train", "--resume", "gpt", "--max-iters", "30"]);
    assert!(damaged.contains("runs/gpt/best.safetensors is not a usable checkpoint"), "{damaged}");
}

/// The processes that `parent` has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id = entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        (after_name.split_whitespace().nth(1)?.parse() == Ok(parent)).then_some(id)
    });
    let mut found: Vec<u32> = processes.collect();
    found.sort_unstable();
    found
}

/// The step of the last checkpoint of a run; `None` before there is one.
fn saved_step(dir: &Path, run: &str) -> Option<u64> {
    let bytes = fs::read(dir.join("runs").join(run).join("last.safetensors")).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let saved: Value = serde_json::from_str(header.metadata().as_ref()?.get("m2g")?).ok()?;
    saved["state"]["step"].as_u64()
}

/// Starts two processes, and sends the second one a signal after a checkpoint behind the first step. All must end
/// with one sentence. Returns the step of the checkpoint.
fn lose_one(dir: &Path, run: &str, args: &[&str], signal: &str) -> u64 {
    let child = together(dir, 2, args).spawn().unwrap();
    let started = Instant::now();
    while children(child.id()).len() < 2 || saved_step(dir, run).is_none_or(|step| step == 0) {
        assert!(started.elapsed() < Duration::from_secs(60), "the run has not begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    let victim = children(child.id())[1];
    let sent = Command::new("kill").args([signal, &victim.to_string()]).status().unwrap();
    assert!(sent.success());
    let lost = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(lost.elapsed() < Duration::from_secs(10), "{signal}: {:?}", lost.elapsed());
    assert!(!output.status.success());
    let errors = our_errors(&output);
    assert_eq!(errors.len(), 1, "{signal}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(errors[0].contains("process 1 on ") && errors[0].contains("does not answer"), "{errors:?}");
    // It may need a moment after mpirun, and where nobody asks how it ended, it stays listed as a zombie (Z).
    let has_ended =
        || fs::read_to_string(format!("/proc/{victim}/stat")).map_or(true, |stat| stat.contains(") Z "));
    while !has_ended() && lost.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(has_ended(), "{signal}: process {victim} is left over");
    saved_step(dir, run).unwrap()
}

#[test]
fn a_lost_process_ends_all_and_the_run_goes_on_with_another_number_of_them() {
    let dir = tempfile::tempdir().unwrap();
    // Evaluations of a short text take no time, and save a checkpoint once two seconds have passed.
    let text: String = (0..300).map(|i| format!("{} times 7 is {}.\n", i % 50, i % 50 * 7)).collect();
    fs::write(dir.path().join("a.txt"), text).unwrap();
    let more =
        ["--data", "a.txt", "--threads", "1", "--eval-interval", "200", "--max-iters", "10000", "--run"];
    let long = |run: &'static str| [&GPT[..16], &more, &[run]].concat();
    ok(dir.path(), 1, &long("whole"));
    // One that has died, and one that hangs, as on a machine that is frozen.
    for (run, signal) in [("killed", "-KILL"), ("stopped", "-STOP")] {
        let step = lose_one(dir.path(), run, &long(run), signal);
        assert!((1..10_000).contains(&step), "{signal}: saved after step {step}");
        ok(dir.path(), 3, &["gpt", "train", "--resume", run, "--ranks-expected", "3"]);
        assert!(tensors(dir.path(), "whole") == tensors(dir.path(), run), "{run}");
    }
}
