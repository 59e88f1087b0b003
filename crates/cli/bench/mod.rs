//! `m2g bench`: measures the speed and the memory of training and generation on this machine.
//!
//! | file | holds |
//! | --- | --- |
//! | `workload.rs` | a task to measure; `models/` lists the workloads of each model |
//! | `work.rs` | work that can be timed and recorded |
//! | `worker.rs` | one measurement in this process |
//! | `measurement.rs` | the output of a worker |
//! | `rounds.rs` | worker processes in rounds: ours, then each peer |
//! | `peers.rs` | the PyTorch and numpy scripts, and whether Python is installed |
//! | `profile.rs` | the time of a step, op by op |
//! | `scaling.rs`, `scaled.rs` | measurements at several numbers of threads, batch and block sizes |
//! | `ranks.rs` | training by several processes |
//! | `summary.rs` | medians and spreads |
//! | `report.rs`, `table.rs` | the results, for machines and for people |

pub mod measurement;
pub mod peers;
pub mod profile;
mod ranks;
mod report;
mod rounds;
mod scaled;
mod scaling;
mod summary;
mod table;
pub mod work;
mod worker;
pub mod workload;

use std::process::ExitCode;

use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use m2g_core::threads::{self, MAX_THREADS, with_threads};

use self::peers::Python;
use self::report::{Report, Run};
use self::rounds::Contestant;
use self::workload::{Batch, Scaling, Workload};
use crate::interrupt::Work;
use crate::machine::{Limits, Machine};
use crate::models::MODELS;
use crate::output;
use crate::progress::Bar;
use crate::terminal::lines::note;
use crate::terminal::notes;

/// The number of rounds without and with peers.
const ROUNDS: (usize, usize) = (3, 5);

/// The number of steps that several processes take, by default.
const RANKS_STEPS: usize = 40;

/// Measure how fast training and generation are on this machine, and how much memory they need.
///
/// Each measurement runs in its own process. The results are compared with the machine's limits,
/// with targets and, with --against, with a peer. The data is random, since only time matters.
#[derive(Args)]
pub struct Bench {
    /// The workloads to measure [default: all].
    #[arg(value_name = "WORKLOAD", value_parser = workloads())]
    workloads: Vec<&'static dyn Workload>,
    /// Also measure a peer, alternating with ours, and print the ratio of the times.
    #[arg(long, value_name = "PEER")]
    against: Option<Peer>,
    /// Show where the time of a step goes, op by op.
    #[arg(long)]
    profile: bool,
    /// Measure how training steps scale instead of how fast they are.
    #[arg(long, value_name = "WITH", conflicts_with_all = ["against", "profile"])]
    scaling: Option<Scaling>,
    /// Numbers of threads, batch sizes, block sizes or processes for --scaling; the first is the
    /// reference [default: 1 and all threads; 1,2,4 ... 64; 256,512 ... 4096; 1,2].
    #[arg(long, value_name = "N,N", requires = "scaling", value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..))]
    sizes: Vec<u16>,
    /// Rounds of measurement, each in new processes [default: 3, with --against 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Training steps, epochs or texts timed per process [default: enough for a few seconds; with --scaling ranks, 40].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
    /// Number of threads [default: one per core; with --scaling ranks, 1 for each process].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS as i64))]
    threads: Option<u16>,
    /// Print one JSON object per workload to stdout.
    #[arg(long)]
    json: bool,
    /// With --child, the number of texts in a batch.
    #[arg(long, hide = true, value_name = "B", requires = "child")]
    batch_size: Option<u16>,
    /// With --child, the number of tokens in a text.
    #[arg(long, hide = true, value_name = "T", requires = "child")]
    block_size: Option<u16>,
    /// Measure once in this process, and print a `Measurement`.
    #[arg(long, hide = true)]
    child: bool,
    /// Train a digit network for N mini-batches on one thread and do nothing else, for a
    /// simulator that counts instructions.
    #[arg(long, hide = true, value_name = "N", conflicts_with = "child")]
    only_steps: Option<u64>,
}

/// The peers to compare with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// PyTorch: eager and compiled, its transformers for generation, and numpy for the digits.
    Pytorch,
}

/// The workloads of all models.
fn all_workloads() -> Vec<&'static dyn Workload> {
    MODELS.iter().flat_map(|model| model.workloads()).collect()
}

/// Parses the name of a workload. Clap rejects unknown names and suggests the nearest.
fn workloads() -> impl TypedValueParser<Value = &'static dyn Workload> {
    let names = all_workloads().into_iter().map(|w| PossibleValue::new(w.facts().name).help(w.facts().what));
    PossibleValuesParser::new(names).try_map(|name| {
        let found = all_workloads().into_iter().find(|workload| workload.facts().name == name);
        found.ok_or_else(|| format!("no workload is called {name}"))
    })
}

impl Bench {
    /// Measures and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.only_steps.is_some() || self.child {
            let [workload] = self.workloads[..] else { bail!("give exactly one workload") };
            match self.only_steps {
                Some(steps) => with_threads(1, || workload.only_steps(steps))??,
                None => self.measure(workload)?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        let _work = Work::stoppable();
        let rounds = match (self.rounds, self.against) {
            (Some(rounds), _) => usize::from(rounds),
            (None, None) => ROUNDS.0,
            (None, Some(_)) => ROUNDS.1,
        };
        if let Some(scaling) = self.scaling {
            self.check_scaling(scaling)?;
        }
        let limits = Limits::measure(self.threads())?;
        let run = Run::new(Machine::here(), limits, rounds);
        if cfg!(debug_assertions) {
            note("warning: this is a debug build, which is slower; build with `cargo build --release`");
        }
        if let Some(scaling) = self.scaling {
            if !self.json {
                output::line(table::machine(&run))?;
            }
            return match scaling {
                Scaling::Ranks => ranks::measure(&self.ranks(), &run),
                _ => scaling::measure(self.scaled(scaling, &self.workloads_of(scaling)), &run),
            };
        }
        let python = self.against.and_then(|Peer::Pytorch| match Python::find() {
            Ok(python) => Some(python),
            Err(why) => {
                note(&format!("no peer is measured: {why}"));
                None
            }
        });
        if !self.json {
            output::line(table::machine(&run))?;
        }
        self.measure_all(&run, python.as_ref())
    }

    /// Refuses what cannot be measured before the time that the limits of the machine take.
    fn check_scaling(&self, scaling: Scaling) -> anyhow::Result<()> {
        if scaling != Scaling::Ranks {
            let threads = with_threads(self.threads(), threads::current)?;
            return scaling::check(&self.scaled(scaling, &self.workloads_of(scaling)), threads);
        }
        if let Some(workload) = self.workloads.first() {
            bail!("--scaling ranks trains a small GPT of its own: leave out {}", workload.facts().name);
        }
        ranks::check(&self.ranks())
    }

    /// The request of `--scaling ranks`.
    fn ranks(&self) -> ranks::Request {
        let sizes = if self.sizes.is_empty() { vec![1, 2] } else { self.sizes() };
        let steps = self.steps.map_or(RANKS_STEPS, usize::from);
        ranks::Request { sizes, steps, threads: usize::from(self.threads.unwrap_or(1)), json: self.json }
    }

    /// The request of any other `--scaling`.
    fn scaled<'a>(&self, scaling: Scaling, workloads: &'a [&'static dyn Workload]) -> scaling::Request<'a> {
        let steps = self.steps.map(usize::from);
        scaling::Request { scaling, sizes: self.sizes(), workloads, steps, json: self.json }
    }

    /// The workloads that were given, or all that scale in this way.
    fn workloads_of(&self, scaling: Scaling) -> Vec<&'static dyn Workload> {
        let mut workloads = self.workloads.clone();
        if workloads.is_empty() {
            workloads = all_workloads();
            workloads.retain(|workload| workload.facts().scalings.contains(&scaling));
        }
        workloads
    }

    fn sizes(&self) -> Vec<usize> {
        self.sizes.iter().copied().map(usize::from).collect()
    }

    /// Takes one measurement for the parent process.
    fn measure(&self, workload: &dyn Workload) -> anyhow::Result<()> {
        let (steps, profile) = (self.steps_of(workload), self.profile);
        let batch = workload.batch().map(|batch| Batch {
            batch_size: self.batch_size.map_or(batch.batch_size, usize::from),
            block_size: self.block_size.map_or(batch.block_size, usize::from),
        });
        let measure = || worker::measure(workload, batch, steps, profile);
        output::line(serde_json::to_string(&with_threads(self.threads(), measure)??)?)
    }

    fn measure_all(&self, run: &Run, python: Option<&Python>) -> anyhow::Result<ExitCode> {
        let scripts = python.map(|_| peers::write_scripts()).transpose()?;
        let all = match self.workloads.is_empty() {
            true => all_workloads(),
            false => self.workloads.clone(),
        };
        let mut missing = Vec::new();
        let mut failed = Vec::new();
        let mut measured_peers = 0;
        for workload in all {
            let name = workload.facts().name;
            let steps = self.steps_of(workload);
            let mut everyone = vec![Contestant::ours(workload, steps, run.limits.threads)?];
            if let (Some(python), Some(folder)) = (python, &scripts) {
                for peer in workload.peers(steps, run.limits.threads) {
                    match peer.needs.iter().find(|package| !python.has(package)) {
                        None => everyone.push(Contestant::peer(peer, folder.path(), run.limits.threads)),
                        Some(package) if !missing.contains(package) => {
                            note(&format!("{} is not measured: {}", peer.name, peers::without(package)));
                            missing.push(package);
                        }
                        Some(_) => {}
                    }
                }
            }
            let bar = Bar::new(0, (run.rounds * everyone.len()) as u64);
            let finished = rounds::measure(run.rounds, &mut everyone, self.profile, |done, who, round| {
                bar.set_step(done as u64);
                bar.message(format!("{name}: {who}, round {round} of {}", run.rounds));
            });
            bar.finish();
            if !finished? {
                return Ok(rounds::stopped());
            }
            for (contestant, why) in everyone.iter().filter_map(|c| Some((c, c.failed.as_ref()?))) {
                notes::line(format_args!("{name}: {} is dropped: {why}", contestant.name));
            }
            measured_peers += everyone[1..].iter().filter(|peer| peer.failed.is_none()).count();
            let Some(report) = Report::new(run, workload, steps, &everyone) else {
                failed.push(name);
                continue;
            };
            match self.json {
                true => output::line(serde_json::to_string(&report)?)?,
                false => output::line(table::text(&report))?,
            }
        }
        if !failed.is_empty() {
            bail!("not measured: {}", failed.join(", "));
        }
        // The notes say why.
        if self.against.is_some() && measured_peers == 0 {
            bail!("no peer was measured");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The number of threads; 0 means one per core.
    fn threads(&self) -> usize {
        usize::from(self.threads.unwrap_or(0))
    }

    fn steps_of(&self, workload: &dyn Workload) -> usize {
        self.steps.map_or(workload.facts().steps, usize::from)
    }
}
