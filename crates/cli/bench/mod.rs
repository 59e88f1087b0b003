//! `m2g bench`: how fast and how small our training and generation are, on this machine.
//!
//! | file | holds |
//! | --- | --- |
//! | `workload.rs` | what is measured: the list, with its targets and its peers |
//! | `digits.rs`, `gpt.rs` | the work itself |
//! | `child.rs` | a measurement, in a process of its own |
//! | `turns.rs` | such processes in turns: ours, then each peer, round by round |
//! | `peers.rs` | the scripts for PyTorch and numpy, and whether Python is here |
//! | `profile.rs` | the time of a step, op by op |
//! | `scaling.rs` | the same at several numbers of threads, batch sizes and block sizes |
//! | `summary.rs` | medians, spreads and ratios |
//! | `report.rs`, `table.rs` | what came out, for machines and for people |

mod child;
mod digits;
mod gpt;
pub mod peers;
mod profile;
mod report;
mod scaling;
mod summary;
mod table;
mod turns;
mod workload;

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use m2g_core::threads::with_threads;

use self::gpt::Shape;
use self::peers::Python;
use self::report::{Report, Run};
use self::scaling::Scaling;
use self::turns::Contestant;
use self::workload::{WORKLOADS, Workload};
use crate::machine::{Limits, Machine};
use crate::progress::Bar;
use crate::{interrupt, output};

/// Rounds without peers, and with them.
const ROUNDS: (usize, usize) = (3, 5);

/// Measure training steps and generation: time, share of the machine's peak, memory; beside
/// the targets and, with --against, beside PyTorch.
#[derive(Args)]
pub struct Bench {
    /// What to measure [default: all].
    #[arg(value_name = "WORKLOAD", value_parser = workloads())]
    workloads: Vec<&'static Workload>,
    /// Measure a peer too, in turns with ours, and print how many times as long it takes.
    #[arg(long, value_name = "PEER")]
    against: Option<Peer>,
    /// Show where the time of a step goes, op by op.
    #[arg(long)]
    profile: bool,
    /// Measure how training steps of GPTs scale, not how fast they are.
    #[arg(long, value_name = "WITH", conflicts_with_all = ["against", "profile"])]
    scaling: Option<Scaling>,
    /// Numbers of threads, batch sizes or block sizes for --scaling; the first is what the
    /// others are held to [default: 1 and all threads; 1,2,4 ... 64; 256,512 ... 4096].
    #[arg(long, value_name = "N,N", requires = "scaling", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..))]
    sizes: Vec<u16>,
    /// How often everyone is measured, each time in a new process [default: 3, with --against 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// How many training steps, epochs of a digit network or texts are timed in each process
    /// [default: some seconds' worth].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
    /// How many threads to use [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write one JSON object for each workload, a line each, to stdout.
    #[arg(long)]
    json: bool,
    /// With --child, how many texts are in a batch, and how many tokens in a text.
    #[arg(long, hide = true, value_name = "B", requires = "child")]
    batch_size: Option<u16>,
    #[arg(long, hide = true, value_name = "T", requires = "child")]
    block_size: Option<u16>,
    /// Measure once in this process, and print what `turns.rs` reads.
    #[arg(long, hide = true)]
    child: bool,
    /// Train a digit network for exactly so many mini-batches on one thread and do nothing
    /// else, for a simulator that counts instructions.
    #[arg(long, hide = true, value_name = "N", conflicts_with = "child")]
    only_steps: Option<u64>,
}

/// Whom we are compared with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// PyTorch: eager and compiled, its transformers for generation, and numpy for the digits.
    Pytorch,
}

/// Reads the name of a workload. Clap refuses others and proposes the nearest.
fn workloads() -> impl TypedValueParser<Value = &'static Workload> {
    let names = WORKLOADS.iter().map(|w| PossibleValue::new(w.name).help(w.what));
    PossibleValuesParser::new(names)
        .try_map(|name| workload::named(&name).ok_or_else(|| format!("there is no workload {name}")))
}

impl Bench {
    /// Measures, and reports what came out.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.only_steps.is_some() || self.child {
            let [workload] = self.workloads[..] else { bail!("give one workload") };
            match self.only_steps {
                Some(steps) => with_threads(1, || digits::only_steps(workload, steps))??,
                None => self.measure(workload)?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        interrupt::listen();
        let rounds = match (self.rounds, self.against) {
            (Some(rounds), _) => usize::from(rounds),
            (None, None) => ROUNDS.0,
            (None, Some(_)) => ROUNDS.1,
        };
        let limits = Limits::measure(self.threads())?;
        let run = Run::new(Machine::here(), limits, rounds);
        if cfg!(debug_assertions) {
            eprintln!("warning: this is a debug build, which is slower: build with `cargo build --release`");
        }
        if let Some(scaling) = self.scaling {
            if !self.json {
                output::line(table::machine(&run))?;
            }
            let sizes = self.sizes.iter().copied().map(usize::from).collect();
            let (workloads, steps) = (&self.workloads[..], self.steps.map(usize::from));
            let request = scaling::Request { scaling, sizes, workloads, steps, json: self.json };
            return scaling::measure(request, &run);
        }
        let python = self.against.and_then(|Peer::Pytorch| match Python::find() {
            Ok(python) => Some(python),
            Err(why) => {
                eprintln!("only we are measured: {why}");
                None
            }
        });
        if !self.json {
            output::line(table::machine(&run))?;
        }
        self.measure_all(&run, python.as_ref())
    }

    /// One measurement, which the parent process asked for.
    fn measure(&self, workload: &Workload) -> anyhow::Result<()> {
        let (steps, profile) = (self.steps_of(workload), self.profile);
        let resize = |shape: Shape| Shape {
            batch_size: self.batch_size.map_or(shape.batch_size, usize::from),
            block_size: self.block_size.map_or(shape.block_size, usize::from),
            ..shape
        };
        let turn = with_threads(self.threads(), || child::measure(workload, resize, steps, profile))??;
        output::line(serde_json::to_string(&turn)?)
    }

    fn measure_all(&self, run: &Run, python: Option<&Python>) -> anyhow::Result<ExitCode> {
        let scripts = python.map(|_| peers::write_scripts()).transpose()?;
        let all: Vec<&Workload> = match self.workloads.is_empty() {
            true => WORKLOADS.iter().collect(),
            false => self.workloads.clone(),
        };
        let mut missing = Vec::new();
        let mut failed = Vec::new();
        for workload in all {
            let steps = self.steps_of(workload);
            let mut everyone = vec![Contestant::ours(workload, steps, run.limits.threads)?];
            if let (Some(python), Some(folder)) = (python, &scripts) {
                for peer in workload.peers(steps, run.limits.threads) {
                    match peer.needs.iter().find(|package| !python.has(package)) {
                        None => everyone.push(Contestant::peer(peer, folder.path(), run.limits.threads)),
                        Some(package) if !missing.contains(package) => {
                            eprintln!("{} is not measured: {}", peer.name, peers::without(package));
                            missing.push(package);
                        }
                        Some(_) => {}
                    }
                }
            }
            let bar = Bar::new(0, (run.rounds * everyone.len()) as u64);
            let finished = turns::take(run.rounds, &mut everyone, self.profile, |done, name, round| {
                bar.at(done as u64);
                bar.message(format!("{}: {name}, round {round} of {}", workload.name, run.rounds));
            });
            bar.finish();
            if !finished? {
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            }
            for (contestant, why) in everyone.iter().filter_map(|c| Some((c, c.failed.as_ref()?))) {
                eprintln!("{}: {} is left out: {why}", workload.name, contestant.name);
            }
            let Some(report) = Report::new(run, workload, steps, &everyone) else {
                failed.push(workload.name);
                continue;
            };
            match self.json {
                true => output::line(serde_json::to_string(&report)?)?,
                false => output::line(table::text(&report))?,
            }
        }
        match failed.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => Err(anyhow!("not measured: {}", failed.join(", "))),
        }
    }

    /// 0 means one per core.
    fn threads(&self) -> usize {
        usize::from(self.threads.unwrap_or(0))
    }

    fn steps_of(&self, workload: &Workload) -> usize {
        self.steps.map_or(workload.steps, usize::from)
    }
}
