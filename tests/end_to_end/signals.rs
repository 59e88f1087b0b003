//! Ctrl-C, a closed terminal, and limits of the system, while `m2g` works.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::*;

/// The longest time from a signal to the end of the process; the tests share few cores.
const AT_ONCE: Duration = Duration::from_secs(3);

/// The arguments of `gpt train` with these flags too.
fn train(more: &str) -> Vec<&str> {
    ["gpt", "train"].into_iter().chain(TINY_GPT.split(' ')).chain(more.split(' ')).collect()
}

/// Sends a signal, expects the process to end soon with the code 130, and returns its stderr.
fn stop(name: &str, child: Started) -> String {
    assert!(signal(name, child.id()));
    let sent = Instant::now();
    let output = child.output();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(sent.elapsed() < AT_ONCE, "{:?} after the signal", sent.elapsed());
    stderr
}

/// Whether the tests themselves run under `nohup`, from which all that they start inherits it.
fn hangups_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1.
    ignored.is_some_and(|mask| mask.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']))
}

fn metrics(dir: &Path, run: &str) -> String {
    fs::read_to_string(dir.join("runs").join(run).join("metrics.jsonl")).unwrap_or_default()
}

#[test]
fn a_training_is_saved_when_its_terminal_is_closed_or_it_is_terminated() {
    let dir = with_text();
    for (run, name) in [("hangup", "-HUP"), ("terminated", "-TERM")] {
        if name == "-HUP" && hangups_are_ignored() {
            println!("a closed terminal was not tried: under nohup, no program ends with it");
            continue;
        }
        let args = format!("--max-iters 1000000 --log-interval 1 --run {run}");
        let child = start(&mut m2g(dir.path(), &train(&args)));
        wait_until(|| metrics(dir.path(), run).lines().count() > 20);
        // A shell and the system both send one, and so does `timeout`.
        assert!(signal(name, child.id()));
        let stderr = stop(name, child);
        assert!(stderr.contains(&format!("gpt train --resume runs/{run}")), "{stderr}");
        assert!(last_json(&ok(dir.path(), &["runs", "show", run, "--json"]))["steps"].as_u64() > Some(20));
    }
}

#[test]
fn a_translation_that_is_stopped_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let pair = |i: u32| format!("el {i}\tthe {}{i}\n", "large ".repeat((i % 7) as usize));
    fs::write(dir.path().join("a.tsv"), (0..40).map(pair).collect::<String>()).unwrap();
    let train = "translate train --data a.tsv --tokenizer byte --encoder-layers 1 --decoder-layers 1 --d-model 8 \
                 --d-ff 8 --n-head 1 --batch-tokens 256 --dropout 0.1 --eval-interval 100 --eval-translations 0 \
                 --log-interval 1 --max-iters 2000 --run";
    let train = |run: &'static str| train.split_whitespace().chain([run]).collect::<Vec<_>>();
    ok(dir.path(), &train("whole"));
    let mut child = start(&mut m2g(dir.path(), &train("stopped")));
    child.log_more(&dir.path().join("runs/stopped"), 50);
    let stderr = stop("-INT", child);
    assert!(stderr.contains("translate train --resume runs/stopped"), "{stderr}");
    ok(dir.path(), &["translate", "train", "--resume", "stopped"]);
    let [whole, stopped] = ["whole", "stopped"].map(|run| weights(&dir.path().join("runs").join(run)));
    assert!(whole == stopped, "the bits differ");
}

#[test]
fn a_training_under_nohup_goes_on_when_its_terminal_is_closed() {
    let dir = with_text();
    let mut command = command("nohup");
    // Few lines: nobody reads the pipe before the end, and a full one would stop the training.
    command.arg(env!("CARGO_BIN_EXE_m2g")).args(train("--max-iters 1000000 --log-interval 50 --run a"));
    let mut child = start(command.current_dir(dir.path()));
    let lines = || metrics(dir.path(), "a").lines().count();
    wait_until(|| lines() > 5);
    assert!(signal("-HUP", child.id()));
    // One that the signal ends would write one line more at most.
    let after = lines();
    wait_until(|| lines() > after + 5);
    let ended = child.try_wait().unwrap();
    assert!(ended.is_none(), "it has stopped: {ended:?}, {after} lines");
    assert!(stop("-TERM", child).contains("gpt train --resume runs/a"));
}

#[test]
fn ctrl_c_ends_an_evaluation_in_a_training_which_is_saved() {
    let dir = with_text();
    // An evaluation that takes hours.
    let args = train("--max-iters 10 --eval-interval 5 --log-interval 5 --eval-iters 100000000 --run a");
    let child = start(&mut m2g(dir.path(), &args));
    wait_until(|| metrics(dir.path(), "a").contains("\"step\":5"));
    // Some way into the evaluation.
    sleep(Duration::from_millis(300));
    let stderr = stop("-INT", child);
    assert!(stderr.contains("stopped and saved after 5 of 10 steps"), "{stderr}");
    let resumed = start(&mut m2g(dir.path(), &["gpt", "train", "--resume", "a"]));
    wait_until_it_listens(resumed.id());
    sleep(Duration::from_millis(300));
    let stderr = stop("-INT", resumed);
    assert!(stderr.contains("stopped and saved after 5 of 10 steps"), "it makes up for it: {stderr}");
}

#[test]
fn ctrl_c_ends_work_that_saves_nothing() {
    let dir = with_text();
    ok(dir.path(), &train("--max-iters 2 --run a"));
    fs::write(dir.path().join("long.txt"), text(1_600_000)).unwrap();
    let commands: [&[&str]; 4] = [
        &["gpt", "eval", "a", "--data", "long.txt"],
        &["gpt", "sample", "a", "--tokens", "100000000"],
        &["gpt", "sample", "a", "--tokens", "100000000", "--json"],
        &["bench", "--rounds", "1000"],
    ];
    for args in commands {
        let mut child = start(&mut m2g(dir.path(), args));
        // A pipe that is not read would fill up.
        let mut stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        wait_until_it_listens(child.id());
        sleep(Duration::from_millis(200));
        let stderr = stop("-INT", child);
        assert!(stderr.contains("stopped before the end"), "{args:?}: {stderr}");
        reader.join().unwrap().unwrap();
    }
    let args = ["gpt", "chat", "a", "--tokens", "100000000"];
    let mut chat = start(m2g(dir.path(), &args).stdin(Stdio::piped()));
    let mut stdin = chat.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"7\n8\n").unwrap();
    let mut stdout = chat.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    wait_until_it_listens(chat.id());
    sleep(Duration::from_millis(400));
    assert!(stop("-INT", chat).contains("stopped before the end"));
    reader.join().unwrap().unwrap();
}

/// Ctrl-C goes to the learner's program too: that it ends is no fault of its code.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_takes_no_exercise_away() {
    let dir = tempfile::tempdir().unwrap();
    ok(dir.path(), &["learn", "list"]);
    let (file, progress) =
        (dir.path().join("learn/src/bin/01_neuron.rs"), dir.path().join("learn/progress.json"));
    let task = fs::read_to_string(&file).unwrap();
    let started = dir.path().join("started");
    let code = format!("std::fs::write({started:?}, \"\").unwrap(); loop {{}}");
    // Where it does not compile, the test would wait for nothing.
    fs::write(&file, task.replace("todo!()", "b")).unwrap();
    let said = run(dir.path(), &["learn", "neuron", "--lang", "en"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("a should be "), "{said}");
    fs::write(&progress, r#"{"passed": ["neuron"]}"#).unwrap();
    fs::write(&file, task.replace("todo!()", &code)).unwrap();
    let mut command = command("script");
    // Without exec, a shell that stays would end by Ctrl-C too, and its exit code hide that of m2g.
    command.args(["--quiet", "--return", "--command", "exec \"$M2G\" learn neuron --lang en", "/dev/null"]);
    command.env("M2G", env!("CARGO_BIN_EXE_m2g")).current_dir(dir.path()).stdin(Stdio::piped());
    // It is in the package util-linux, or in util-linux-script.
    let mut child = start(&mut command);
    wait_until(|| started.exists());
    // What a terminal makes of Ctrl-C.
    let mut keys = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut keys, b"\x03").unwrap();
    let output = child.output();
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(output.status.success() && text.contains("Graded again whenever you save"), "{text}");
    assert!(!text.contains("without an answer"), "{text}");
    assert_eq!(last_json(&fs::read_to_string(progress).unwrap().replace('\n', " "))["passed"][0], "neuron");
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_with_a_sentence() {
    let dir = with_text();
    let failed = |line: &str| -> String {
        let Output { status, stderr, .. } = shell(dir.path(), line);
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(status.code(), Some(1), "{line}: {stderr}");
        assert!(stderr.contains("error: cannot write ") && stderr.contains("File too large"), "{stderr}");
        stderr
    };
    failed(&format!("ulimit -f 4; \"$M2G\" gpt train {TINY_GPT} --max-iters 4 --run a"));
    ok(dir.path(), &train("--max-iters 4 --run b"));
    failed("ulimit -f 4; \"$M2G\" gpt train --resume b --max-iters 8");
    ok(dir.path(), &["gpt", "train", "--resume", "b", "--max-iters", "8"]);
    failed("ulimit -f 4; \"$M2G\" gpt export b exported");
    failed("ulimit -f 1; \"$M2G\" gpt plot b --out loss.svg");
    failed("ulimit -f 1; \"$M2G\" gpt prepare a.txt --out prepared");
    assert!(["exported", "loss.svg", "prepared"].iter().all(|name| !dir.path().join(name).exists()));
}
