//! `--scaling ranks`: how training speeds up with the number of processes on this machine.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::Value;

use super::peers::why;
use super::report::Run;
use super::rounds::{stopped, this_program};
use super::summary::{median, spread};
use crate::interrupt;
use crate::output;
use crate::progress::Bar;
use crate::terminal::lines::{counted, wrap};
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;

/// The request from the command line.
pub struct Request {
    /// The numbers of processes; the first is the reference.
    pub sizes: Vec<usize>,
    /// Steps per process.
    pub steps: usize,
    /// Threads of each process.
    pub threads: usize,
    /// Whether to print JSON.
    pub json: bool,
}

/// The settings of the model that is trained: those of the default GPT on the tales, with another batch.
const SETTINGS: [&str; 8] =
    ["--batch-size", "8", "--block-size", "64", "--eval-interval", "1000000", "--eval-iters", "0"];

/// The steps before the first that counts.
const WARM_UP: u64 = 2;

/// The results, as `--json` prints them.
#[derive(Serialize)]
#[serde(tag = "event", rename = "bench")]
struct Report<'a> {
    scaling: &'static str,
    shards: usize,
    steps: usize,
    /// Of each process.
    threads: usize,
    points: &'a [Point],
    #[serde(flatten)]
    run: &'a Run,
}

/// The measurements with one number of processes.
#[derive(Debug, Serialize)]
struct Point {
    processes: usize,
    /// Of all processes together: the median of the rounds.
    tokens_per_second: f64,
    /// The interquartile range as a share of the median.
    spread: f64,
    /// The ratio of its speed to the first point's: the median of the rounds.
    speed_up: f64,
    /// The share of the time in which the first process waited for others: the median of the rounds.
    communication: f64,
    #[serde(skip)]
    rounds: Vec<(f64, f64)>,
}

/// Measures each number of processes of a request that was [checked](check) in rounds. All take the same steps to
/// the same bits: the number of shards is the largest number of processes.
pub fn measure(request: &Request, run: &Run) -> anyhow::Result<ExitCode> {
    let shards = request.sizes.iter().copied().max().unwrap_or(1);
    let mut points: Vec<Point> = request
        .sizes
        .iter()
        .map(|&processes| Point {
            processes,
            tokens_per_second: f64::NAN,
            spread: f64::NAN,
            speed_up: f64::NAN,
            communication: f64::NAN,
            rounds: Vec::new(),
        })
        .collect();
    let bar = Bar::new(0, (run.rounds * points.len()) as u64);
    for round in 0..run.rounds {
        for (i, point) in points.iter_mut().enumerate() {
            bar.set_step((round * request.sizes.len() + i) as u64);
            bar.message(format!("{} processes, round {} of {}", point.processes, round + 1, run.rounds));
            point.rounds.push(train(request, point.processes, shards)?);
            if interrupt::requested() {
                bar.finish();
                return Ok(stopped());
            }
        }
    }
    bar.finish();
    let first: Vec<f64> = points.first().into_iter().flat_map(|p| &p.rounds).map(|round| round.0).collect();
    for point in &mut points {
        let (tokens, communication): (Vec<f64>, Vec<f64>) = point.rounds.iter().copied().unzip();
        let ratios: Vec<f64> = tokens.iter().zip(&first).map(|(this, first)| this / first).collect();
        (point.tokens_per_second, point.spread) = (median(&tokens), spread(&tokens));
        (point.speed_up, point.communication) = (median(&ratios), median(&communication));
    }
    if request.json {
        let Request { steps, threads, .. } = *request;
        let report = Report { scaling: "ranks", shards, steps, threads, points: &points, run };
        output::line(serde_json::to_string(&report)?)?;
    } else {
        output::line(table(&points, request, run.rounds, shards))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What can be known before the first training.
pub fn check(request: &Request) -> anyhow::Result<()> {
    if request.steps as u64 <= WARM_UP {
        bail!("--steps is {}: give more than {WARM_UP}, which are not counted", request.steps);
    }
    if request.sizes.iter().all(|&processes| processes == 1) {
        return Ok(());
    }
    if !cfg!(feature = "mpi") {
        bail!("this m2g was built without MPI: build it with `cargo build --release --features mpi`");
    }
    let version =
        Command::new("mpirun").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.map(drop).context("cannot start mpirun: install an MPI")
}

fn table(points: &[Point], request: &Request, rounds: usize, shards: usize) -> String {
    let mut table = Table::new()
        .text("processes", Narrow::Keep)
        .number("tokens/s", Narrow::Keep)
        .number("spread", Narrow::Drop(1))
        .number("of first", Narrow::Keep)
        .number("communication", Narrow::Keep);
    for point in points {
        table.row([
            point.processes.to_string(),
            format!("{:.0}", point.tokens_per_second),
            format!("{:.1} %", 100.0 * point.spread),
            format!("{:.2}", point.speed_up),
            format!("{:.1} %", 100.0 * point.communication),
        ]);
    }
    let title = format!(
        "gpt in {} of 8 x 64 tokens, {} for each process, {} steps, median of {}",
        counted(shards, "shard"),
        counted(request.threads, "thread"),
        request.steps,
        counted(rounds, "round")
    );
    format!("\n{}\n{}", wrap(&title, columns(), 2), table.render(columns()))
}

/// Trains once. Returns the tokens per second and the share of communication.
fn train(request: &Request, processes: usize, shards: usize) -> anyhow::Result<(f64, f64)> {
    let program = this_program()?;
    let folder = tempfile::tempdir().map_err(m2g_core::Error::temporary)?;
    let mut command = match processes {
        1 => Command::new(&program),
        _ => launcher(processes, &program),
    };
    command.args(["gpt", "train", "--json", "--log-interval", "1", "--warmup-iters", "1"]).args(SETTINGS);
    command.args(["--shards", &shards.to_string(), "--max-iters", &request.steps.to_string()]);
    command.args(["--threads", &request.threads.to_string(), "--run"]).arg(folder.path().join("run"));
    command.stdin(Stdio::null());
    let output = command.output().with_context(|| {
        format!("cannot start {}: install an MPI such as Open MPI", command.get_program().display())
    })?;
    if interrupt::requested() {
        return Ok((f64::NAN, f64::NAN));
    }
    if !output.status.success() {
        bail!("{processes} processes cannot be measured: {}", why(&output.stderr, output.status));
    }
    figures(&String::from_utf8_lossy(&output.stdout))
}

/// The command that starts several processes on this machine.
fn launcher(processes: usize, program: &Path) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["-n", &processes.to_string(), "--oversubscribe", "--bind-to", "none"]).arg(program);
    // Open MPI refuses root, as in a container, unless it is told twice.
    for variable in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] {
        command.env(variable, "1");
    }
    command
}

/// The medians of the logged steps.
fn figures(lines: &str) -> anyhow::Result<(f64, f64)> {
    let values = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let steps: Vec<Value> = values
        .filter(|value| value["event"] == "step" && value["step"].as_u64().is_some_and(|step| step > WARM_UP))
        .collect();
    let all = |name: &str| steps.iter().filter_map(|step| step[name].as_f64()).collect::<Vec<f64>>();
    let (tokens, communication) = (all("tokens_per_second"), all("communication"));
    if tokens.is_empty() {
        bail!("no step was measured: give more --steps than {WARM_UP}");
    }
    Ok((median(&tokens), if communication.is_empty() { 0.0 } else { median(&communication) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn figures_are_medians_of_the_later_steps() {
        let line = |step: u64, tokens: f64| {
            format!(
                "{{\"event\":\"step\",\"step\":{step},\"tokens_per_second\":{tokens},\"communication\":0.25}}\n"
            )
        };
        let lines = [line(1, 1.0), line(2, 1.0), line(3, 5.0), line(4, 7.0), "{\"event\":\"done\"}".into()];
        assert_eq!(figures(&lines.concat()).unwrap(), (6.0, 0.25));
        assert!(figures(&line(1, 1.0)).is_err());
    }
}
