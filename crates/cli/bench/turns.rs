//! Measuring in turns, A B A B, so that a noisy machine is noisy for all.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use super::child::Turn;
use super::peers::{PYTHON, Peer, last_line};
use super::workload::Workload;
use crate::interrupt;

/// How often we look whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Who is measured: a command that prints a [`Turn`].
pub struct Contestant {
    /// What it is called.
    pub name: &'static str,
    /// How many times as long as we it should take, where that is a target.
    pub target: Option<f64>,
    /// What it measured so far, one for each round.
    pub turns: Vec<Turn>,
    /// Why it is left out, if it is.
    pub failed: Option<String>,
    command: Command,
    ours: bool,
}

impl Contestant {
    /// This program, called again.
    pub fn ours(workload: &Workload, steps: usize, threads: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command.args(["bench", workload.name, "--child"]);
        command.args(["--steps", &steps.to_string(), "--threads", &threads.to_string()]);
        Ok(Self::new("mnist-to-gpt", None, command, true))
    }

    /// The same with batches of so many texts of so many tokens.
    pub fn resized(mut self, batch_size: usize, block_size: usize) -> Self {
        let sizes = [("--batch-size", batch_size), ("--block-size", block_size)];
        self.command.args(sizes.into_iter().flat_map(|(name, size)| [name.to_string(), size.to_string()]));
        self
    }

    /// A script in `folder`.
    pub fn peer(peer: Peer, folder: &Path, threads: usize) -> Self {
        let mut command = Command::new(PYTHON);
        command.arg(folder.join(peer.script.file().0)).args(&peer.args);
        // numpy asks these how many threads to use.
        for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        Self::new(peer.name, peer.target, command, false)
    }

    fn new(name: &'static str, target: Option<f64>, command: Command, ours: bool) -> Self {
        Self { name, target, turns: Vec::new(), failed: None, command, ours }
    }
}

/// Lets everyone take `rounds` turns; whoever fails is left out from then on. In its last
/// turn ours makes a profile too, if that is wanted. `begun` is told how many turns are
/// done, whose is next, and the round, from 1. Returns whether nobody pressed Ctrl-C.
pub fn take(
    rounds: usize,
    everyone: &mut [Contestant],
    profile: bool,
    mut begun: impl FnMut(usize, &str, usize),
) -> anyhow::Result<bool> {
    let mut done = 0;
    for round in 1..=rounds {
        for contestant in &mut *everyone {
            if contestant.failed.is_none() {
                begun(done, contestant.name, round);
                if profile && contestant.ours && round == rounds {
                    contestant.command.arg("--profile");
                }
                match run(&mut contestant.command)? {
                    Ran::Stopped => return Ok(false),
                    Ran::Failed(why) => contestant.failed = Some(why),
                    Ran::Measured(turn) => contestant.turns.push(turn),
                }
            }
            done += 1;
        }
        // Without ours there is nothing to compare with.
        if everyone.iter().any(|contestant| contestant.ours && contestant.failed.is_some()) {
            break;
        }
    }
    Ok(true)
}

/// How a process ended.
enum Ran {
    Measured(Turn),
    Failed(String),
    /// By Ctrl-C.
    Stopped,
}

fn run(command: &mut Command) -> anyhow::Result<Ran> {
    // In files, no output is too long for a pipe that nobody reads.
    let file = || tempfile::tempfile().context("cannot make a temporary file");
    let (mut out, mut err) = (file()?, file()?);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Ran::Failed(format!("it cannot be started ({error})"))),
    };
    let Some(success) = wait(child)? else { return Ok(Ran::Stopped) };
    if !success {
        return Ok(Ran::Failed(last_line(&read(&mut err)?)));
    }
    // A library may write to stdout too: the last line counts.
    let line = last_line(&read(&mut out)?);
    Ok(match serde_json::from_str::<Turn>(&line) {
        Ok(turn) if turn.seconds.iter().any(|s| *s > 0.0) => Ran::Measured(turn),
        Ok(_) => Ran::Failed("it measured nothing".into()),
        Err(_) => Ran::Failed(format!("it printed no measurement but {line:?}")),
    })
}

/// Waits for the end of a process, and returns whether it was a good one; nothing after
/// Ctrl-C, when the process is ended.
fn wait(mut child: Child) -> anyhow::Result<Option<bool>> {
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                // Ctrl-C reaches the child too, and perhaps before us.
                sleep(10 * LOOK);
            }
            return Ok((!interrupt::asked()).then_some(status.success()));
        }
        if interrupt::asked() {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        sleep(LOOK);
    }
}

fn read(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
