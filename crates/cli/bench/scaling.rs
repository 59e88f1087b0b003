//! How training steps of GPTs scale: with threads, with the batch, with the length of texts.

use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use serde::Serialize;

use super::child::Turn;
use super::gpt::Shape;
use super::report::Run;
use super::summary::{median, spread};
use super::table;
use super::turns::{self, Contestant};
use super::workload::{Kind, WORKLOADS, Workload};
use crate::progress::Bar;
use crate::{interrupt, output};

/// How many times as fast a step is to be with two threads or more.
const SPEED_UP: f64 = 1.8;

/// By how much what should be constant may grow.
const FLAT: f64 = 1.15;

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// One thread and all of them: how many times as fast is a step?
    Threads,
    /// Batches of 1 to 64 texts: is the time of a token constant?
    BatchSize,
    /// Texts of 256 to 4096 tokens, as many tokens in each step: is its memory constant?
    BlockSize,
}

/// A workload, measured at several sizes.
#[derive(Serialize)]
pub struct Scaled<'a> {
    /// What is varied.
    pub scaling: Scaling,
    /// The workload's name.
    pub workload: &'static str,
    /// In which numbers matrices are multiplied.
    pub precision: &'static str,
    /// What was measured, in order.
    pub points: Vec<Point>,
    /// What we aim for.
    pub target: Aim,
    /// The run that it is part of.
    #[serde(flatten)]
    pub run: &'a Run,
}

/// The workload at one size.
#[derive(Debug, Default, Serialize)]
pub struct Point {
    /// Threads in use.
    pub threads: usize,
    /// B.
    pub batch_size: usize,
    /// T.
    pub block_size: usize,
    /// Steps that were timed in each process.
    pub steps: usize,
    /// The median time of a step.
    pub median_seconds: f64,
    /// The interquartile range as a share of the median.
    pub spread: f64,
    /// The median time of a token.
    pub seconds_per_token: f64,
    /// The same as a share of the first point's: the median of the rounds.
    pub relative_time: f64,
    /// The most memory of any of its processes.
    pub peak_memory_mb: Option<f64>,
    /// The same as a share of the first point's.
    pub relative_memory: Option<f64>,
    /// GFLOP/s of large matrix products alone, right after the steps: the median of the rounds.
    pub products_gflops: Option<f64>,
    /// How many times as fast these were as after the first point's steps: the median of the
    /// rounds.
    pub relative_products: Option<f64>,
    /// Every time, round by round.
    pub seconds: Vec<Vec<f64>>,
    /// GFLOP/s of the products in each round.
    #[serde(skip)]
    pub products: Vec<f64>,
}

/// A target, and whether it is reached.
#[derive(Debug, Serialize)]
pub struct Aim {
    /// What is aimed for.
    pub what: String,
    /// What was measured of it.
    pub value: Option<f64>,
    /// Whether it is reached.
    pub met: bool,
}

impl Scaling {
    /// The sizes, where none are given.
    fn sizes(self, threads: usize) -> Vec<usize> {
        match self {
            Self::Threads => vec![1, threads],
            Self::BatchSize => (0..=6).map(|i| 1 << i).collect(),
            Self::BlockSize => (8..=12).map(|i| 1 << i).collect(),
        }
    }

    /// The workloads, where none are given.
    fn workloads(self) -> Vec<&'static Workload> {
        let names: &[&str] = match self {
            Self::Threads => &["train-shakespeare-char-cpu", "train-shakespeare-char", "train-gpt2-124m"],
            Self::BatchSize | Self::BlockSize => &["train-shakespeare-char"],
        };
        WORKLOADS.iter().filter(|workload| names.contains(&workload.name)).collect()
    }

    /// What is measured at each size. Smaller batches get more steps. The model's table of
    /// positions is as long as the texts, and grows with them.
    fn points(self, workload: &Workload, shape: Shape, sizes: &[usize], threads: usize) -> Vec<Point> {
        let most = sizes.iter().copied().max().unwrap_or(1);
        let Shape { batch_size, block_size, .. } = shape;
        let usual = || Point { threads, batch_size, block_size, steps: workload.steps, ..Point::default() };
        let point = |&size: &usize| match self {
            Self::Threads => Point { threads: size, ..usual() },
            Self::BatchSize => Point { batch_size: size, steps: (most / size).clamp(3, 16), ..usual() },
            Self::BlockSize => Point { batch_size: most / size, block_size: size, steps: 1, ..usual() },
        };
        sizes.iter().map(point).collect()
    }

    /// What is aimed for, and what came out.
    fn aim(self, points: &[Point]) -> Aim {
        let times = points.iter().map(|point| point.relative_time);
        match self {
            Self::Threads => {
                let (threads, speed_up) =
                    points.last().map_or((0, f64::NAN), |last| (last.threads, 1.0 / last.relative_time));
                let what = format!("at least {SPEED_UP} times as fast with {threads} threads");
                Aim { what, value: Some(speed_up), met: speed_up >= SPEED_UP }
            }
            Self::BatchSize => {
                let least = times.clone().fold(f64::INFINITY, f64::min);
                // The machine is full from the first batch on that is nearly as fast as any.
                let full = times.skip_while(|time| *time > FLAT * least);
                let most = full.fold(f64::NAN, f64::max) / least;
                let what = format!("a token takes at most {FLAT} times the least once the machine is full");
                Aim { what, value: Some(most), met: most <= FLAT }
            }
            Self::BlockSize => {
                let most = points.iter().filter_map(|point| point.relative_memory).reduce(f64::max);
                let what = format!("at most {FLAT} times the memory of the shortest texts");
                Aim { what, value: most, met: most.is_some_and(|most| most <= FLAT) }
            }
        }
    }
}

/// What was asked for on the command line.
pub struct Request<'a> {
    /// What is varied.
    pub scaling: Scaling,
    /// The sizes, or none.
    pub sizes: Vec<usize>,
    /// The workloads, or none.
    pub workloads: &'a [&'static Workload],
    /// How often each point is timed in a process, if that is said.
    pub steps: Option<usize>,
    /// Whether to write JSON.
    pub json: bool,
}

/// Measures the points of each workload in turns, each time in a process of its own.
pub fn measure(request: Request<'_>, run: &Run) -> anyhow::Result<ExitCode> {
    let Request { scaling, mut sizes, workloads, steps, json } = request;
    if sizes.is_empty() {
        sizes = scaling.sizes(run.limits.threads);
    }
    let most = sizes.iter().copied().max().unwrap_or(1);
    if scaling == Scaling::BlockSize && sizes.iter().any(|size| !most.is_multiple_of(*size)) {
        bail!("{most} tokens cannot be cut into texts of each of these block sizes: give divisors of {most}");
    }
    if scaling == Scaling::Threads && sizes.iter().all(|&size| size == 1) {
        bail!("there is only one thread here: say how many to compare, as in --sizes 1,2");
    }
    let workloads = if workloads.is_empty() { scaling.workloads() } else { workloads.to_vec() };
    for workload in workloads {
        let Kind::Train(shape) = workload.kind else {
            bail!("--scaling is for training steps of GPTs, not for {}", workload.name)
        };
        let mut points = scaling.points(workload, shape, &sizes, run.limits.threads);
        let mut everyone = Vec::new();
        for point in &mut points {
            point.steps = steps.unwrap_or(point.steps);
            let ours = Contestant::ours(workload, point.steps, point.threads)?;
            everyone.push(ours.resized(point.batch_size, point.block_size));
        }
        let bar = Bar::new(0, (run.rounds * points.len()) as u64);
        let finished = turns::take(run.rounds, &mut everyone, false, |done, _, round| {
            let Point { threads, batch_size, block_size, .. } = points[done % points.len()];
            bar.at(done as u64);
            bar.message(format!(
                "{}: {batch_size} x {block_size} tokens, {threads} threads, round {round} of {}",
                workload.name, run.rounds
            ));
        });
        bar.finish();
        if !finished? {
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        if let Some(why) = everyone.iter().find_map(|contestant| contestant.failed.as_ref()) {
            bail!("{} cannot be measured: {why}", workload.name);
        }
        points.iter_mut().zip(&everyone).for_each(|(point, contestant)| point.fill(&contestant.turns));
        relate(&mut points);
        let (workload, precision) = (workload.name, workload.precision.name());
        let target = scaling.aim(&points);
        let scaled = Scaled { scaling, workload, precision, points, target, run };
        match json {
            true => output::line(serde_json::to_string(&scaled)?)?,
            false => output::line(table::scaled(&scaled))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Point {
    /// Takes in what was measured.
    fn fill(&mut self, turns: &[Turn]) {
        self.seconds = turns.iter().map(|turn| turn.seconds.clone()).collect();
        let all = self.seconds.concat();
        (self.median_seconds, self.spread) = (median(&all), spread(&all));
        self.seconds_per_token = self.median_seconds / self.tokens();
        self.products = turns.iter().filter_map(|turn| turn.products_gflops).collect();
        self.products_gflops = (!self.products.is_empty()).then(|| median(&self.products));
        self.peak_memory_mb = turns.iter().filter_map(|turn| turn.peak_rss_mb).reduce(f64::max);
    }

    /// Tokens in a step.
    fn tokens(&self) -> f64 {
        (self.batch_size * self.block_size) as f64
    }

    /// The median time of a token in each round.
    fn rounds(&self) -> Vec<f64> {
        self.seconds.iter().map(|seconds| median(seconds) / self.tokens()).collect()
    }
}

/// Holds every point to the first.
fn relate(points: &mut [Point]) {
    let Some(first) = points.first() else { return };
    let (times, memory, products) = (first.rounds(), first.peak_memory_mb, first.products.clone());
    for point in points {
        let ratios: Vec<f64> = point.rounds().iter().zip(&times).map(|(this, first)| this / first).collect();
        point.relative_time = median(&ratios);
        let ratios: Vec<f64> =
            point.products.iter().zip(&products).map(|(this, first)| this / first).collect();
        point.relative_products = (!ratios.is_empty()).then(|| median(&ratios));
        point.relative_memory = point.peak_memory_mb.zip(memory).map(|(this, first)| this / first);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn points(of: &[(usize, f64, f64)]) -> Vec<Point> {
        let point = |&(batch_size, seconds, mb): &(usize, f64, f64)| Point {
            batch_size,
            block_size: 1,
            seconds: vec![vec![seconds], vec![2.0 * seconds]],
            peak_memory_mb: Some(mb),
            ..Point::default()
        };
        let mut points: Vec<Point> = of.iter().map(point).collect();
        relate(&mut points);
        points
    }

    #[test]
    fn targets_by_hand() {
        let aim = |scaling: Scaling, of: &[(usize, f64, f64)]| {
            let Aim { value, met, .. } = scaling.aim(&points(of));
            ((100.0 * value.unwrap()).round() / 100.0, met)
        };
        assert_eq!(aim(Scaling::Threads, &[(1, 1.9, 1.0), (1, 1.0, 1.0)]), (1.9, true));
        assert_eq!(aim(Scaling::Threads, &[(1, 1.7, 1.0), (1, 1.0, 1.0)]), (1.7, false));
        // Two texts are not enough; from four on a token takes 1.1, 1 and 1.1.
        let batches = [(1, 3.0, 1.0), (2, 4.0, 1.0), (4, 4.4, 1.0), (8, 8.0, 1.0), (16, 17.6, 1.0)];
        assert_eq!(aim(Scaling::BatchSize, &batches), (1.1, true));
        assert_eq!(aim(Scaling::BatchSize, &[&batches[..], &[(32, 64.0, 1.0)]].concat()), (2.0, false));
        assert_eq!(aim(Scaling::BlockSize, &[(4, 1.0, 100.0), (1, 5.0, 110.0)]), (1.1, true));
        assert_eq!(aim(Scaling::BlockSize, &[(4, 1.0, 100.0), (1, 5.0, 400.0)]), (4.0, false));
    }

    #[test]
    fn products_are_held_to_those_of_the_same_round() {
        let [mut one, mut two] = [(); 2].map(|()| points(&[(1, 1.0, 1.0)]).remove(0));
        (one.products, two.products) = (vec![50.0, 100.0, 100.0], vec![100.0, 100.0, 190.0]);
        let mut points = [one, two];
        relate(&mut points);
        assert_eq!(points.map(|point| point.relative_products), [Some(1.0), Some(1.9)]);
    }

    #[test]
    fn as_many_tokens_with_every_block_size() {
        let workload = Scaling::BlockSize.workloads()[0];
        let Kind::Train(shape) = workload.kind else { panic!("it trains") };
        let sizes = Scaling::BlockSize.sizes(2);
        let points = Scaling::BlockSize.points(workload, shape, &sizes, 2);
        assert!(points.iter().all(|point| point.tokens() == 4096.0), "{points:?}");
        assert_eq!((points[0].block_size, points[4].block_size, points[4].batch_size), (256, 4096, 1));
    }
}
