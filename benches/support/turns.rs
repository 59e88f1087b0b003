//! Measuring in turns, A B C A B C, so that a noisy machine is noisy for all, and
//! every measurement in a process of its own, so that its peak memory can be read.

use std::process::Command;

use anyhow::{Context, anyhow};
use serde_json::Value;

/// Who is measured: a command that prints one line of JSON, with `seconds`, a list
/// of which the least counts, and `peak_rss_mb`.
pub struct Contestant {
    name: String,
    command: Command,
    seconds: Vec<f64>,
    memory: f64,
    out: bool,
}

impl Contestant {
    /// This program, called again with `--child` and these arguments.
    pub fn ours(args: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").args(args);
        Ok(Self::new("mnist-to-gpt", command))
    }

    /// A script of `benches/peers/`.
    pub fn peer(name: &str, script: &str, args: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(format!("{}/benches/peers/{script}", env!("CARGO_MANIFEST_DIR"))).args(args);
        Self::new(name, command)
    }

    fn new(name: &str, command: Command) -> Self {
        Self { name: name.to_string(), command, seconds: Vec::new(), memory: 0.0, out: false }
    }

    /// Measures once; whoever fails says why and is left out from then on.
    fn measure(&mut self) {
        match run(&mut self.command) {
            Ok((seconds, memory)) => {
                self.seconds.push(seconds);
                self.memory = self.memory.max(memory);
            }
            Err(error) => {
                eprintln!("{} is left out: {error}", self.name);
                self.out = true;
            }
        }
    }
}

/// Lets all take `rounds` turns, and prints a table under `title`. `work` is what a
/// measurement does: an amount and what a second's share of it is called.
pub fn compare(title: &str, rounds: usize, work: (f64, &str), mut contestants: Vec<Contestant>) {
    for _ in 0..rounds {
        contestants.iter_mut().filter(|c| !c.out).for_each(Contestant::measure);
    }
    contestants.retain(|c| !c.out);
    let (amount, unit) = work;
    println!("\n{title}, {rounds} rounds");
    println!(
        "{:<22}{:>10}{:>10}{:>10}{unit:>10}{:>10}  times as long as the first, round by round",
        "", "median s", "min s", "max s", "peak MB"
    );
    let base = contestants.first().map(|c| c.seconds.clone()).unwrap_or_default();
    for Contestant { name, seconds, memory, .. } in &contestants {
        let mut sorted = seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, median, max) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        let ratios: Vec<String> = seconds.iter().zip(&base).map(|(s, b)| format!("{:.2}", s / b)).collect();
        let rate = amount / median;
        println!(
            "{name:<22}{median:>10.4}{min:>10.4}{max:>10.4}{rate:>10.0}{memory:>10.0}  {}",
            ratios.join(" ")
        );
    }
}

/// Runs a measurement: the least of its times in seconds, and its peak memory in MB.
fn run(command: &mut Command) -> anyhow::Result<(f64, f64)> {
    let output = command.output().context("it cannot be started")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow!("{}", text.lines().last().unwrap_or("it failed")));
    }
    let line: Value = serde_json::from_slice(&output.stdout)?;
    let seconds = line["seconds"].as_array().context("no seconds")?.iter().filter_map(Value::as_f64);
    Ok((seconds.reduce(f64::min).context("no seconds")?, line["peak_rss_mb"].as_f64().unwrap_or(0.0)))
}

/// What follows a flag on the command line.
pub fn after(flag: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != flag).nth(1)
}

/// How many turns each takes: `--rounds N`.
pub fn rounds(default: usize) -> anyhow::Result<usize> {
    let rounds = after("--rounds").map_or(Ok(default), |n| n.parse()).context("--rounds takes a number")?;
    Ok(rounds.max(1))
}

/// The most memory that this process has had, in MB; 0 where the system does not tell.
pub fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
