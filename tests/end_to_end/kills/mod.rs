//! Commands that are killed, before each change of a file and at random moments: what they change is
//! then as before or complete, and the next command goes on to the same bits.
//!
//! Before which change a command is killed, it reads in `M2G_KILL_BEFORE_CHANGE`.
#![cfg(unix)]

mod commands;
mod state;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use m2g_core::atomic::{KILL_BEFORE_CHANGE, NO_EXCHANGE, NO_FOLDER_SYNC, NO_LOCKS, NO_OPEN_MOVES};

use self::commands::{COMMANDS, Killed};
use self::state::{State, copy, leftovers, state};
use crate::support::*;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// How a command is killed.
enum Kill {
    /// Before this change of a file, from 1.
    Change(u64),
    /// After this time.
    After(Duration),
}

/// What a command that was killed has left.
#[derive(Debug, PartialEq)]
enum Left {
    /// What was there before.
    Before,
    /// A part, from which the next command goes on.
    Between,
    /// All that the command leads to.
    After,
}

/// A command with everything that its kills are compared with.
struct Experiment {
    killed: &'static Killed,
    /// The folder before the command.
    start: tempfile::TempDir,
    before: Option<State>,
    after: Option<State>,
    /// The time that the command takes.
    time: Duration,
}

impl Experiment {
    fn new(killed: &'static Killed) -> Self {
        let start = tempfile::tempdir().unwrap();
        (killed.setup)(start.path());
        let whole = tempfile::tempdir().unwrap();
        copy(start.path(), whole.path());
        let before = state(&whole.path().join(killed.folder));
        let started = Instant::now();
        ok(whole.path(), killed.command);
        let (time, after) = (started.elapsed(), state(&whole.path().join(killed.folder)));
        assert!(before != after && leftovers(whole.path()).is_empty(), "{}", killed.name);
        Self { killed, start, before, after, time }
    }

    /// Kills the command and checks what is left. `None` if it had ended before.
    fn kill(&self, kill: &Kill) -> Option<Left> {
        let Killed { name, command, folder, exchange, .. } = self.killed;
        let dir = tempfile::tempdir().unwrap();
        let (path, dir) = (dir.path().join(folder), dir.path());
        copy(self.start.path(), dir);
        let mut command = m2g(dir, command);
        if !exchange {
            command.env(NO_EXCHANGE, "1");
        }
        let (at, output, signal) = match kill {
            Kill::Change(n) => {
                let output = start(command.env(KILL_BEFORE_CHANGE, n.to_string())).output();
                (format!("{name}, killed before change {n}"), output, SIGABRT)
            }
            Kill::After(time) => {
                let mut child = start(&mut command);
                std::thread::sleep(*time);
                let _ = child.kill();
                (format!("{name}, killed after {time:?}"), child.output(), SIGKILL)
            }
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let was_killed = !output.status.success();
        assert!(!was_killed || output.status.signal() == Some(signal), "{at}: {said}");
        let is_run = folder.starts_with("runs/") && !folder.starts_with("runs/lab");
        // A command that reads the run finds it, even if it was killed between two renames.
        let found = match is_run.then(|| self.killed.reads(&path)).flatten() {
            Some(wrong) => panic!("{at}: {wrong}"),
            None => state(&path),
        };
        // What was there is never lost, and what is new is complete, or goes on from a checkpoint.
        let may_be_between = is_run || folder.starts_with("runs/lab");
        let left = if found == self.before {
            Left::Before
        } else if found == self.after {
            Left::After
        } else {
            Left::Between
        };
        assert!(left != Left::Between || (may_be_between && found.is_some()), "{at}: {found:?}");

        let next = (self.killed.next)(found.is_some(), left == Left::Before);
        let Output { status, stderr, .. } = run(dir, &next);
        let said = String::from_utf8_lossy(&stderr);
        // What is complete need not be done again.
        assert!(status.success() || (status.code() == Some(1) && left == Left::After), "{at}: {said}");
        assert!(state(&path) == self.after, "{at}: then {next:?} leads to another result");
        if left == Left::After {
            // A start that finds nothing to do in this folder still clears up.
            ok(dir, commands::OTHER);
        }
        assert!(leftovers(dir).is_empty(), "{at}: {:?} after {next:?}", leftovers(dir));
        was_killed.then_some(left)
    }
}

/// Some kills, several of them just before and after the exchange of an old and a new folder, and for each command
/// that goes on from a part one that leaves a part.
#[test]
fn nothing_is_lost_when_a_command_is_killed() {
    for (name, changes, goes_on) in [
        ("train", &[20, 50][..], true),
        ("overwrite", &[34, 37], false),
        ("overwrite, without exchange", &[36, 37], false),
        ("prepare --overwrite", &[23], false),
        ("import --overwrite", &[61], false),
        ("lab", &[28], true),
        ("translate train", &[101, 120, 250], true),
        ("translate prepare --overwrite", &[30], false),
    ] {
        let experiment = Experiment::new(commands::named(name));
        let kills: Vec<_> = changes.iter().map(|&n| experiment.kill(&Kill::Change(n))).collect();
        // Without debug assertions, no change is a point to kill at.
        if cfg!(debug_assertions) {
            assert!(!kills.contains(&None), "{name} has fewer changes than {changes:?}: {kills:?}");
            assert!(!goes_on || kills.contains(&Some(Left::Between)), "{name}, {changes:?}: {kills:?}");
        }
    }
    let experiment = Experiment::new(commands::named("train"));
    let mut moments = [2, 4, 8].map(|part| experiment.time / part).into_iter();
    assert!(moments.any(|time| experiment.kill(&Kill::After(time)).is_some()), "it is never killed");
}

/// `cargo test --test end_to_end kills -- --ignored --nocapture`
#[test]
#[ignore = "more than 1,000 kills take minutes: cargo test --test end_to_end kills -- --ignored --nocapture"]
fn nothing_is_lost_at_any_change_and_at_random_moments() {
    const KILLS_AT_A_MOMENT: usize = 20;
    /// Fractions of the golden ratio's multiples are spread evenly, and look random.
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    let rows: Vec<String> = std::thread::scope(|scope| {
        let one = |killed: &'static Killed| {
            let experiment = Experiment::new(killed);
            let changes = (1..).take_while(|&n| experiment.kill(&Kill::Change(n)).is_some()).count();
            assert!(changes > 0 || !cfg!(debug_assertions), "{} is never killed", killed.name);
            let moments = (1..200).map(|i| experiment.time.mul_f64((f64::from(i) * GOLDEN_RATIO).fract()));
            let killed_at = moments.filter(|time| experiment.kill(&Kill::After(*time)).is_some());
            let random = killed_at.take(KILLS_AT_A_MOMENT).count();
            format!("| {} | {changes} | {random} |", killed.name)
        };
        let all: Vec<_> = COMMANDS.iter().map(|killed| scope.spawn(move || one(killed))).collect();
        all.into_iter().map(|row| row.join().unwrap()).collect()
    });
    println!("| command | killed before each change | killed at a moment |\n| --- | --: | --: |");
    rows.iter().for_each(|row| println!("{row}"));
}

/// The path of a run below a folder, with images to train on.
fn folder_with_images() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    commands::images(dir.path());
    let run = dir.path().join("runs/a");
    (dir, run)
}

/// Starts commands at once. Returns for each whether it succeeded, and what it said.
fn at_once(dir: &Path, commands: &[&[&str]]) -> Vec<(bool, String)> {
    let children: Vec<_> = commands.iter().map(|args| start(&mut m2g(dir, args))).collect();
    let ended = children.into_iter().map(Started::output);
    ended.map(|o| (o.status.success(), String::from_utf8_lossy(&o.stderr).into_owned())).collect()
}

#[test]
fn of_two_that_create_a_folder_one_does() {
    for _ in 0..4 {
        let (dir, run) = folder_with_images();
        let ended = at_once(dir.path(), &[commands::TRAIN, commands::TRAIN]);
        assert_eq!(ended.iter().filter(|(ok, _)| *ok).count(), 1, "{ended:?}");
        let (_, said) = ended.iter().find(|(ok, _)| !ok).unwrap();
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains("runs/a"), "{said}");
        assert_eq!(state(&run), commands::reference(commands::TRAIN, &run));
        let overwrite: Vec<&str> = [commands::TRAIN, &["--overwrite"]].concat();
        let ended = at_once(dir.path(), &[&overwrite, &overwrite]);
        assert!(ended.iter().any(|(ok, _)| *ok), "{ended:?}");
        assert_eq!(state(&run), commands::reference(commands::TRAIN, &run));
        assert!(leftovers(dir.path()).is_empty());
    }
    // Without a name, each gets a free one.
    let (dir, _) = folder_with_images();
    let unnamed: Vec<&str> = [commands::MODEL, &["--epochs", "1"]].concat();
    assert!(at_once(dir.path(), &[&unnamed, &unnamed]).iter().all(|(ok, _)| *ok));
    assert!(["digits", "digits-2"].iter().all(|name| dir.path().join("runs").join(name).is_dir()));
}

#[test]
fn a_run_in_training_is_not_touched_by_another_process() {
    let (dir, run) = folder_with_images();
    let long = [commands::MODEL, &["--epochs", "1000000", "--run", "a"]].concat();
    let mut child = Started::new(m2g(dir.path(), &long).stdout(Stdio::null()).stderr(Stdio::null()));
    child.log_more(&run, 20);
    let metrics = run.join("metrics.jsonl");
    let lines = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
    let before = lines();
    for args in [
        commands::RESUME,
        &[commands::TRAIN, &["--overwrite"]].concat(),
        &["runs", "delete", "--yes", "a"],
        &["runs", "rename", "a", "b"],
    ] {
        let said = refused(dir.path(), args);
        assert!(said.contains("another process is training runs/a"), "{said}");
    }
    assert!(before >= 20 && lines() >= before);
    child.kill().unwrap();
    child.wait().unwrap();
    let first = std::fs::read_to_string(&metrics).unwrap();
    assert!(first.starts_with("{\"") && first.lines().count() >= before);
}

#[test]
fn an_experiment_runs_once() {
    let dir = tempfile::tempdir().unwrap();
    commands::experiment(dir.path());
    for _ in 0..3 {
        let ended = at_once(dir.path(), &[commands::LAB, commands::LAB]);
        let busy = |said: &str| said.contains("another process is running the experiment in runs/lab/tiny");
        assert!(ended.iter().all(|(ok, said)| *ok || busy(said)), "{ended:?}");
        assert!(ended.iter().any(|(ok, _)| *ok), "{ended:?}");
        let results = std::fs::read_to_string(dir.path().join("runs/lab/tiny/results.jsonl")).unwrap();
        assert_eq!(results.lines().count(), 3, "a first line, and one per training run");
    }
}

#[test]
fn without_locks_a_run_is_trained_with_a_note() {
    let (dir, run) = folder_with_images();
    let train = |args: &[&str]| {
        let output = m2g(dir.path(), args).env(NO_LOCKS, "1").output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for args in [&[commands::MODEL, &["--run", "a", "--epochs", "2"]].concat()[..], commands::RESUME_LONGER] {
        let (ok, said) = train(args);
        assert!(ok && said.matches("runs/a has no locks").count() == 1, "{said}");
    }
    assert!(leftovers(dir.path()).is_empty() && state(&run).is_some());
    // Nobody knows whether a process works there.
    std::fs::create_dir_all(dir.path().join("runs/.new-b/draft")).unwrap();
    let (ok, said) = train(&[commands::MODEL, &["--run", "b", "--epochs", "2"]].concat());
    assert!(!ok && said.contains("runs/.new-b exists, so another process works there"), "{said}");
    assert!(train(&[commands::MODEL, &["--run", "c", "--epochs", "2"]].concat()).0);
    ok_and_clear(dir.path());
}

/// Runs a command where the system lacks what these variables say, and returns whether it succeeded, and what it said.
fn run_without(dir: &Path, args: &[&str], lacks: &[&str]) -> (bool, String) {
    let output = m2g(dir, args).envs(lacks.iter().map(|variable| (variable, "1"))).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_file_system_that_cannot_sync_a_folder_is_used_all_the_same() {
    let (dir, run) = folder_with_images();
    std::fs::write(dir.path().join("a.txt"), "7 times 7 is 49.\n".repeat(100)).unwrap();
    for args in [commands::TRAIN, &["gpt", "prepare", "a.txt", "--out", "out"], &["digits", "plot", "a"]] {
        let (ok, said) = run_without(dir.path(), args, &[NO_FOLDER_SYNC]);
        assert!(ok, "{args:?}: {said}");
    }
    assert_eq!(state(&run), commands::reference(commands::TRAIN, &run));
    assert!(run.join("cost.svg").is_file() && leftovers(dir.path()).is_empty());
}

/// Windows renames no such folder, nor does Linux where the folder is one of Windows.
#[test]
fn runs_are_managed_where_no_folder_with_open_files_is_renamed() {
    for lacks in [&[NO_OPEN_MOVES][..], &[NO_OPEN_MOVES, NO_EXCHANGE]] {
        let (dir, run) = folder_with_images();
        let overwrite = [commands::TRAIN, &["--overwrite"]].concat();
        for args in [commands::TRAIN, &overwrite, commands::RESUME_LONGER] {
            let (ok, said) = run_without(dir.path(), args, lacks);
            assert!(ok, "{args:?}: {said}");
            if args != commands::RESUME_LONGER {
                assert_eq!(state(&run), commands::reference(commands::TRAIN, &run));
            }
        }
        for args in [&["runs", "rename", "a", "b"][..], &["runs", "delete", "--yes", "b"]] {
            let (ok, said) = run_without(dir.path(), args, lacks);
            assert!(ok, "{args:?}: {said}");
        }
        assert!(leftovers(dir.path()).is_empty() && state(&run).is_none());
        assert!(state(&dir.path().join("runs/b")).is_none());
    }
}

/// A start with locks clears up.
fn ok_and_clear(dir: &Path) {
    ok(dir, commands::OTHER);
    assert!(leftovers(dir).is_empty());
}

/// Older versions saved the first checkpoint after the folder had appeared.
#[test]
fn a_run_without_a_checkpoint_starts_anew() {
    let (dir, folder) = folder_with_images();
    ok(dir.path(), commands::TRAIN);
    let whole = state(&folder);
    for file in ["last.safetensors", "best.safetensors"] {
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    let said = refused(dir.path(), commands::RESUME);
    assert!(said.contains("has saved no last.safetensors"), "its metrics are not thrown away: {said}");
    std::fs::write(folder.join("metrics.jsonl"), "").unwrap();
    let output = run(dir.path(), commands::RESUME);
    let said = one_line(&output.stderr);
    let is_new = said.contains("runs/a has no checkpoint yet, so it starts from the beginning");
    assert!(output.status.success() && is_new, "{said}");
    assert_eq!(state(&folder), whole);

    std::fs::write(dir.path().join("a.txt"), "7 times 7 is 49.\n".repeat(100)).unwrap();
    let settings =
        ["--n-layer", "1", "--n-head", "1", "--n-embd", "4", "--block-size", "8", "--max-iters", "2"];
    ok(dir.path(), &[&["gpt", "train", "--run", "g", "--data", "a.txt"], &settings[..]].concat());
    let folder = dir.path().join("runs/g");
    let whole = state(&folder);
    for file in ["last.safetensors", "best.safetensors"] {
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("metrics.jsonl"), "").unwrap();
    ok(dir.path(), &["gpt", "train", "--resume", "g"]);
    assert_eq!(state(&folder), whole);
}
