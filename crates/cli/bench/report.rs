//! The results of a workload, in the form that `--json` prints.

use std::time::{SystemTime, UNIX_EPOCH};

use m2g_core::WeightFormat;
use serde::Serialize;

use super::measurement::Measurement;
use super::profile::Profile;
use super::rounds::Contestant;
use super::summary::{median, spread};
use super::workload::{Target, Workload};
use crate::date::utc;
use crate::machine::{Limits, Machine};

/// The data that all workloads of a run share.
#[derive(Clone, Serialize)]
pub struct Run {
    /// The start time, in UTC.
    pub date: String,
    /// The version of this program.
    pub version: &'static str,
    /// `release` or `debug`.
    pub build: &'static str,
    /// The machine.
    pub machine: Machine,
    /// The limits of the machine, measured at the start.
    pub limits: Limits,
    /// The number of rounds.
    pub rounds: usize,
}

impl Run {
    /// A run that starts now.
    pub fn new(machine: Machine, limits: Limits, rounds: usize) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            date: utc(since.as_secs()),
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            machine,
            limits,
            rounds,
        }
    }
}

/// The results of a workload.
#[derive(Serialize)]
#[serde(tag = "event", rename = "bench")]
pub struct Report<'a> {
    /// The name of the workload.
    pub workload: &'static str,
    /// Its description.
    pub what: &'static str,
    /// The precision of matrix products; for generation, the format of stored weights.
    pub precision: &'static str,
    /// The number of items that one repetition processes.
    pub amount: usize,
    /// The unit of `per_second`: `images/s` or `tokens/s`.
    pub unit: &'static str,
    /// The part that `profile` averages.
    pub recorded: &'static str,
    /// Timed repetitions per process.
    pub steps: usize,
    /// Floating-point operations of matrix products and attention, counted by the trace.
    pub flops: f64,
    /// The number of parameters of the model.
    pub parameters: usize,
    /// Our results.
    pub ours: Figures,
    /// The peers' results.
    pub peers: Vec<Compared>,
    /// The target.
    pub target: TargetReport,
    /// GB/s of weights read in generation, which reads all weights for every token.
    pub weights_gb_per_s: Option<f64>,
    /// Where the time of a step goes.
    pub profile: Option<&'a Profile>,
    /// The run.
    #[serde(flatten)]
    pub run: &'a Run,
}

/// The results of one contestant over all rounds.
#[derive(Serialize)]
pub struct Figures {
    /// The name.
    pub name: &'static str,
    /// The version, for a peer.
    pub version: Option<String>,
    /// The median time.
    pub median_seconds: f64,
    /// The minimum time.
    pub min_seconds: f64,
    /// The interquartile range as a share of the median.
    pub spread: f64,
    /// Images or tokens per second, from the median time.
    pub per_second: f64,
    /// GFLOP/s, from the median time.
    pub gflops: f64,
    /// The share of the machine's peak in the workload's precision.
    pub share_of_peak: f64,
    /// The highest peak memory of the processes, in MiB.
    pub peak_memory_mb: Option<f64>,
    /// All times, round by round.
    pub seconds: Vec<Vec<f64>>,
}

/// A peer, compared with our results.
#[derive(Serialize)]
pub struct Compared {
    /// The peer's results.
    #[serde(flatten)]
    pub figures: Figures,
    /// The ratio of its median time to ours in each round.
    pub ratios: Vec<f64>,
    /// The median ratio.
    pub median_ratio: f64,
    /// The target ratio, if any.
    pub target_ratio: Option<f64>,
    /// Whether it was met.
    pub target_met: Option<bool>,
}

/// A target, and whether the median meets it.
#[derive(Serialize)]
pub struct TargetReport {
    /// The maximum time.
    pub seconds: Option<f64>,
    /// The minimum number of tokens per second.
    pub tokens_per_second: Option<f64>,
    /// Whether it was met.
    pub met: bool,
}

impl<'a> Report<'a> {
    /// Summarises the measurements; `None` if ours failed.
    pub fn new(
        run: &'a Run,
        workload: &dyn Workload,
        steps: usize,
        everyone: &'a [Contestant],
    ) -> Option<Self> {
        let (us, peers) = everyone.split_first()?;
        if us.failed.is_some() {
            return None;
        }
        let facts = workload.facts();
        let first = us.measurements.first()?;
        let (flops, parameters) = (first.flops?, first.parameters?);
        let (amount, unit) = workload.amount();
        let peak = run.limits.gflops(facts.precision);
        let figures = |c: &Contestant| Figures::new(c, amount as f64, flops, peak);
        let ours = figures(us);
        let compared = |peer: &Contestant| {
            let pairs = peer.measurements.iter().zip(&us.measurements);
            let ratios: Vec<f64> = pairs.map(|(p, o)| median(&p.seconds) / median(&o.seconds)).collect();
            let median_ratio = median(&ratios);
            Compared {
                figures: figures(peer),
                median_ratio,
                target_ratio: peer.target,
                target_met: peer.target.map(|target| median_ratio >= target),
                ratios,
            }
        };
        let (seconds, tokens_per_second, met) = match facts.target {
            Target::Seconds(most) => (Some(most), None, ours.median_seconds <= most),
            Target::TokensPerSecond(least) => (None, Some(least), ours.per_second >= least),
        };
        let weights = workload.stored_weights();
        Some(Self {
            workload: facts.name,
            what: facts.what,
            precision: weights.map_or(facts.precision.name(), WeightFormat::name),
            amount,
            unit,
            recorded: workload.recorded_part(),
            steps,
            flops,
            parameters,
            peers: peers.iter().filter(|peer| peer.failed.is_none()).map(compared).collect(),
            target: TargetReport { seconds, tokens_per_second, met },
            weights_gb_per_s: weights
                .map(|weights| weights.bytes() * parameters as f64 * ours.per_second / 1e9),
            profile: us.measurements.iter().find_map(|m| m.profile.as_ref()),
            run,
            ours,
        })
    }
}

impl Figures {
    fn new(contestant: &Contestant, amount: f64, flops: f64, peak: f64) -> Self {
        let Contestant { name, measurements, .. } = contestant;
        let all: Vec<f64> = measurements.iter().flat_map(|m| m.seconds.iter().copied()).collect();
        let median_seconds = median(&all);
        let gflops = flops / median_seconds / 1e9;
        let memory = |m: &Measurement| m.peak_rss_mb;
        Self {
            name,
            version: measurements.iter().find_map(|m| m.peer.clone()),
            median_seconds,
            min_seconds: all.iter().copied().fold(f64::INFINITY, f64::min),
            spread: spread(&all),
            per_second: amount / median_seconds,
            gflops,
            share_of_peak: gflops / peak,
            peak_memory_mb: measurements.iter().filter_map(memory).reduce(f64::max),
            seconds: measurements.iter().map(|m| m.seconds.clone()).collect(),
        }
    }
}
