//! Measures all contestants in rounds, A B A B, so that other load affects all of them alike.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use super::measurement::Measurement;
use super::peers::{PYTHON, Peer, last_line, why};
use super::workload::{Batch, Workload};
use crate::interrupt;
use crate::terminal::notes;

/// The interval at which a process is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A contestant: a command that prints a [`Measurement`].
pub struct Contestant {
    /// The name.
    pub name: &'static str,
    /// The target ratio of its time to ours, if any.
    pub target: Option<f64>,
    /// The measurements so far, one per round.
    pub measurements: Vec<Measurement>,
    /// Why it was dropped, if it failed.
    pub failed: Option<String>,
    command: Command,
    ours: bool,
}

impl Contestant {
    /// This program, run as a worker.
    pub fn ours(workload: &dyn Workload, steps: usize, threads: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(this_program()?);
        command.args(["bench", workload.facts().name, "--child"]);
        command.args(["--steps", &steps.to_string(), "--threads", &threads.to_string()]);
        Ok(Self::new("mnist-to-gpt", None, command, true))
    }

    /// The same contestant with another batch.
    pub fn with_batch(mut self, batch: Batch) -> Self {
        let sizes = [("--batch-size", batch.batch_size), ("--block-size", batch.block_size)];
        self.command.args(sizes.into_iter().flat_map(|(name, size)| [name.to_string(), size.to_string()]));
        self
    }

    /// A peer, whose script is in `folder`.
    pub fn peer(peer: Peer, folder: &Path, threads: usize) -> Self {
        let mut command = Command::new(PYTHON);
        command.arg(folder.join(peer.script)).args(&peer.args);
        // numpy reads the number of threads from these variables.
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        Self::new(peer.name, peer.target, command, false)
    }

    fn new(name: &'static str, target: Option<f64>, command: Command, ours: bool) -> Self {
        Self { name, target, measurements: Vec::new(), failed: None, command, ours }
    }
}

/// Says that Ctrl-C has ended the measurements. Returns the exit code.
pub fn stopped() -> ExitCode {
    notes::line("stopped before the end; what was not printed is not measured");
    ExitCode::from(interrupt::EXIT_CODE)
}

/// This program, to be run again.
pub fn this_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find this program's own file")
}

/// Measures each contestant `rounds` times, and drops one that fails. With `profile`, our last
/// measurement includes a profile. Calls `started` before each measurement with the number of
/// finished measurements, the name of the contestant and the round, counted from 1. Returns false
/// after Ctrl-C.
pub fn measure(
    rounds: usize,
    everyone: &mut [Contestant],
    profile: bool,
    mut started: impl FnMut(usize, &str, usize),
) -> anyhow::Result<bool> {
    let mut done = 0;
    for round in 1..=rounds {
        for contestant in &mut *everyone {
            if contestant.failed.is_none() {
                started(done, contestant.name, round);
                if profile && contestant.ours && round == rounds {
                    contestant.command.arg("--profile");
                }
                match run(&mut contestant.command)? {
                    Ran::Stopped => return Ok(false),
                    Ran::Failed(why) => contestant.failed = Some(why),
                    Ran::Measured(measurement) => contestant.measurements.push(measurement),
                }
            }
            done += 1;
        }
        // Without our measurement, there is nothing to compare with.
        if everyone.iter().any(|contestant| contestant.ours && contestant.failed.is_some()) {
            break;
        }
    }
    Ok(true)
}

/// How a worker process ended.
enum Ran {
    Measured(Measurement),
    Failed(String),
    /// Stopped by Ctrl-C.
    Stopped,
}

fn run(command: &mut Command) -> anyhow::Result<Ran> {
    // Unlike a pipe, a file cannot fill up and block the process.
    let file = || tempfile::tempfile().map_err(m2g_core::Error::temporary);
    let (mut out, mut err) = (file()?, file()?);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Ran::Failed(format!("it cannot be started ({error})"))),
    };
    let Some(status) = wait(child)? else { return Ok(Ran::Stopped) };
    if !status.success() {
        return Ok(Ran::Failed(why(&read(&mut err)?, status)));
    }
    // Libraries may write to stdout too; only the last line counts.
    let line = last_line(&read(&mut out)?);
    Ok(match serde_json::from_str::<Measurement>(&line) {
        Ok(measurement) if measurement.seconds.iter().any(|s| *s > 0.0) => Ran::Measured(measurement),
        Ok(_) => Ran::Failed("it measured nothing".into()),
        Err(_) => Ran::Failed(format!("it printed no measurement but {line:?}")),
    })
}

/// Waits for a process and returns how it ended. After Ctrl-C, kills it and returns `None`.
fn wait(mut child: Child) -> anyhow::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                // Ctrl-C reaches the child too, perhaps before us.
                sleep(10 * POLL_INTERVAL);
            }
            return Ok((!interrupt::requested()).then_some(status));
        }
        if interrupt::requested() {
            // The process may have ended in the meantime.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        sleep(POLL_INTERVAL);
    }
}

fn read(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
