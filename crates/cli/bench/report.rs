//! What came out of a workload, as `--json` writes it.

use std::time::{SystemTime, UNIX_EPOCH};

use m2g_core::WeightFormat;
use serde::Serialize;

use super::child::Turn;
use super::profile::Profile;
use super::summary::{median, spread};
use super::turns::Contestant;
use super::workload::{Kind, Target, Workload};
use crate::machine::{Limits, Machine};

/// What all workloads of a run have in common.
#[derive(Clone, Serialize)]
pub struct Run {
    /// When it began, in UTC.
    pub date: String,
    /// The version of this program.
    pub version: &'static str,
    /// `release` or `debug`.
    pub build: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// What the machine can do, measured at the beginning.
    pub limits: Limits,
    /// How often everyone was measured.
    pub rounds: usize,
}

impl Run {
    /// A run that begins now.
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

/// A workload and everything that was measured.
#[derive(Serialize)]
pub struct Report<'a> {
    /// Its name.
    pub workload: &'static str,
    /// What it is.
    pub what: &'static str,
    /// In which numbers matrices are multiplied, and of a generation, how weights are stored.
    pub precision: &'static str,
    /// How much is done each time.
    pub amount: usize,
    /// What `per_second` counts: `images/s` or `tokens/s`.
    pub unit: &'static str,
    /// What `profile` is the mean of.
    pub recorded: &'static str,
    /// How often it was timed in each process.
    pub steps: usize,
    /// Floating-point operations of matrix products and attention, as the trace counts them.
    pub flops: f64,
    /// Parameters of the model.
    pub parameters: usize,
    /// Ours.
    pub ours: Figures,
    /// The peers'.
    pub peers: Vec<Compared>,
    /// What we aim for.
    pub target: Aim,
    /// In generation, which reads all weights for each token, how many GB of them a second.
    pub weights_gb_per_s: Option<f64>,
    /// Where the time of a step goes.
    pub profile: Option<&'a Profile>,
    /// The run that it is part of.
    #[serde(flatten)]
    pub run: &'a Run,
}

/// What one of the measured comes to, over all rounds.
#[derive(Serialize)]
pub struct Figures {
    /// What it is called.
    pub name: &'static str,
    /// Its version, if it is a peer.
    pub version: Option<String>,
    /// The median time.
    pub median_seconds: f64,
    /// The least.
    pub min_seconds: f64,
    /// The interquartile range as a share of the median.
    pub spread: f64,
    /// Images or tokens in a second, by the median.
    pub per_second: f64,
    /// Operations in a second, by the median.
    pub gflops: f64,
    /// The share of the machine's peak in the workload's precision.
    pub share_of_peak: f64,
    /// The most memory of any of its processes.
    pub peak_memory_mb: Option<f64>,
    /// Every time, round by round.
    pub seconds: Vec<Vec<f64>>,
}

/// A peer beside us.
#[derive(Serialize)]
pub struct Compared {
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// How many times as long as we it took by the medians of each round.
    pub ratios: Vec<f64>,
    /// Their median.
    pub median_ratio: f64,
    /// What that should be, where it is a target.
    pub target_ratio: Option<f64>,
    /// Whether it is.
    pub target_met: Option<bool>,
}

/// A target, and whether the median reaches it.
#[derive(Serialize)]
pub struct Aim {
    /// The most seconds.
    pub seconds: Option<f64>,
    /// The fewest tokens in a second.
    pub tokens_per_second: Option<f64>,
    /// Whether it is reached.
    pub met: bool,
}

impl<'a> Report<'a> {
    /// What the turns come to; nothing if ours failed.
    pub fn new(run: &'a Run, workload: &Workload, steps: usize, everyone: &'a [Contestant]) -> Option<Self> {
        let (us, peers) = everyone.split_first()?;
        if us.failed.is_some() {
            return None;
        }
        let first = us.turns.first()?;
        let (flops, parameters) = (first.flops?, first.parameters?);
        let (amount, unit) = workload.amount();
        let peak = run.limits.gflops(workload.precision);
        let figures = |c: &Contestant| Figures::new(c, amount as f64, flops, peak);
        let ours = figures(us);
        let compared = |peer: &Contestant| {
            let pairs = peer.turns.iter().zip(&us.turns);
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
        let (seconds, tokens_per_second, met) = match workload.target {
            Target::Seconds(most) => (Some(most), None, ours.median_seconds <= most),
            Target::TokensPerSecond(least) => (None, Some(least), ours.per_second >= least),
        };
        let weights = match workload.kind {
            Kind::Generate(_, weights) => Some(weights),
            _ => None,
        };
        Some(Self {
            workload: workload.name,
            what: workload.what,
            precision: weights.map_or(workload.precision.name(), WeightFormat::name),
            amount,
            unit,
            recorded: workload.recorded_part(),
            steps,
            flops,
            parameters,
            peers: peers.iter().filter(|peer| peer.failed.is_none()).map(compared).collect(),
            target: Aim { seconds, tokens_per_second, met },
            weights_gb_per_s: weights
                .map(|weights| (weights.bytes() * parameters) as f64 * ours.per_second / 1e9),
            profile: us.turns.iter().find_map(|turn| turn.profile.as_ref()),
            run,
            ours,
        })
    }
}

impl Figures {
    fn new(contestant: &Contestant, amount: f64, flops: f64, peak: f64) -> Self {
        let Contestant { name, turns, .. } = contestant;
        let all: Vec<f64> = turns.iter().flat_map(|turn| turn.seconds.iter().copied()).collect();
        let median_seconds = median(&all);
        let gflops = flops / median_seconds / 1e9;
        let memory = |turn: &Turn| turn.peak_rss_mb;
        Self {
            name,
            version: turns.iter().find_map(|turn| turn.peer.clone()),
            median_seconds,
            min_seconds: all.iter().copied().fold(f64::INFINITY, f64::min),
            spread: spread(&all),
            per_second: amount / median_seconds,
            gflops,
            share_of_peak: gflops / peak,
            peak_memory_mb: turns.iter().filter_map(memory).reduce(f64::max),
            seconds: turns.iter().map(|turn| turn.seconds.clone()).collect(),
        }
    }
}

/// Seconds since 1970 as a date, `2026-01-31T23:59:59Z`. Days are counted in years that
/// begin in March, so that the leap day is the last (Hinnant, "chrono-compatible low-level
/// date algorithms").
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = 400 * era + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_by_hand() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds), want);
        }
    }
}
