//! The measurements of a workload at several sizes, and their targets.

use serde::Serialize;

use super::measurement::Measurement;
use super::report::Run;
use super::summary::{median, spread};
use super::workload::{Batch, Scaling};

/// The target speed-up with two threads or more.
const SPEED_UP: f64 = 1.8;

/// The largest allowed growth of a quantity that should be constant.
const CONSTANT_WITHIN: f64 = 1.15;

/// The measurements of a workload at several sizes.
#[derive(Serialize)]
#[serde(tag = "event", rename = "bench")]
pub struct Scaled<'a> {
    /// What is varied.
    pub scaling: Scaling,
    /// The name of the workload.
    pub workload: &'static str,
    /// The precision of matrix products.
    pub precision: &'static str,
    /// The measurements, in order.
    pub points: Vec<Point>,
    /// The target, if several sizes were measured.
    pub target: Option<ScalingTarget>,
    /// The run.
    #[serde(flatten)]
    pub run: &'a Run,
}

/// The measurements at one size.
#[derive(Debug, Default, Serialize)]
pub struct Point {
    /// Threads in use.
    pub threads: usize,
    /// B.
    pub batch_size: usize,
    /// T.
    pub block_size: usize,
    /// Timed steps per process.
    pub steps: usize,
    /// The median time of a step.
    pub median_seconds: f64,
    /// The interquartile range as a share of the median.
    pub spread: f64,
    /// The median time per token.
    pub seconds_per_token: f64,
    /// The ratio of its time to the first point's: the median of the rounds.
    pub relative_time: f64,
    /// The highest peak memory of the processes, in MiB.
    pub peak_memory_mb: Option<f64>,
    /// The ratio of its memory to the first point's.
    pub relative_memory: Option<f64>,
    /// GFLOP/s of large matrix products, right after the steps: the median of the rounds.
    pub products_gflops: Option<f64>,
    /// The ratio of this speed to the first point's: the median of the rounds.
    pub relative_products: Option<f64>,
    /// All times, round by round.
    pub seconds: Vec<Vec<f64>>,
    /// GFLOP/s of the products in each round.
    #[serde(skip)]
    pub products: Vec<f64>,
}

/// A target, and whether it was met.
#[derive(Debug, Serialize)]
pub struct ScalingTarget {
    /// A description of the target.
    pub what: String,
    /// The measured value.
    pub value: Option<f64>,
    /// Whether it was met.
    pub met: bool,
}

/// The points with the fewest and with the most threads, if they differ.
pub fn fewest_and_most_threads(points: &[Point]) -> Option<(&Point, &Point)> {
    let least = points.iter().min_by_key(|point| point.threads)?;
    let most = points.iter().max_by_key(|point| point.threads)?;
    (least.threads < most.threads).then_some((least, most))
}

impl Scaling {
    /// The default sizes.
    pub fn sizes(self, threads: usize) -> Vec<usize> {
        match self {
            Self::Threads | Self::Ranks => vec![1, threads],
            Self::BatchSize => (0..=6).map(|i| 1 << i).collect(),
            Self::BlockSize => (8..=12).map(|i| 1 << i).collect(),
        }
    }

    /// The points to measure. Smaller batches get more steps. The model's position table grows with
    /// the length of the texts.
    pub fn points(self, steps: usize, batch: Batch, sizes: &[usize], threads: usize) -> Vec<Point> {
        let largest = sizes.iter().copied().max().unwrap_or(1);
        let Batch { batch_size, block_size } = batch;
        let usual = || Point { threads, batch_size, block_size, steps, ..Point::default() };
        let point = |&size: &usize| match self {
            Self::Threads | Self::Ranks => Point { threads: size, ..usual() },
            Self::BatchSize => Point { batch_size: size, steps: (largest / size).clamp(3, 16), ..usual() },
            Self::BlockSize => Point { batch_size: largest / size, block_size: size, steps: 1, ..usual() },
        };
        sizes.iter().map(point).collect()
    }

    /// The target, and the measured value; none if only one number of threads was measured.
    pub fn target(self, points: &[Point]) -> Option<ScalingTarget> {
        let times = points.iter().map(|point| point.relative_time);
        match self {
            Self::Threads | Self::Ranks => {
                let (least, most) = fewest_and_most_threads(points)?;
                let (from, to) = (least.threads, most.threads);
                let speed_up = least.relative_time / most.relative_time;
                let what = format!("at least {SPEED_UP} times as fast with {to} threads as with {from}");
                Some(ScalingTarget { what, value: Some(speed_up), met: speed_up >= SPEED_UP })
            }
            Self::BatchSize => {
                let least = times.clone().fold(f64::INFINITY, f64::min);
                // The first batch that is nearly as fast as any other uses the machine fully.
                let full = times.skip_while(|time| *time > CONSTANT_WITHIN * least);
                let most = full.fold(f64::NAN, f64::max) / least;
                let what = format!(
                    "a token takes at most {CONSTANT_WITHIN} times the minimum once the machine is fully used"
                );
                Some(ScalingTarget { what, value: Some(most), met: most <= CONSTANT_WITHIN })
            }
            Self::BlockSize => {
                let most = points.iter().filter_map(|point| point.relative_memory).reduce(f64::max);
                let what = format!("at most {CONSTANT_WITHIN} times the memory of the shortest texts");
                let met = most.is_some_and(|most| most <= CONSTANT_WITHIN);
                Some(ScalingTarget { what, value: most, met })
            }
        }
    }
}

impl Point {
    /// Adds the measurements of all rounds.
    pub fn fill(&mut self, measurements: &[Measurement]) {
        self.seconds = measurements.iter().map(|m| m.seconds.clone()).collect();
        let all = self.seconds.concat();
        (self.median_seconds, self.spread) = (median(&all), spread(&all));
        self.seconds_per_token = self.median_seconds / self.tokens();
        self.products = measurements.iter().filter_map(|m| m.products_gflops).collect();
        self.products_gflops = (!self.products.is_empty()).then(|| median(&self.products));
        self.peak_memory_mb = measurements.iter().filter_map(|m| m.peak_rss_mb).reduce(f64::max);
    }

    /// Tokens per step.
    fn tokens(&self) -> f64 {
        (self.batch_size * self.block_size) as f64
    }

    /// The median time per token of each round.
    fn rounds(&self) -> Vec<f64> {
        self.seconds.iter().map(|seconds| median(seconds) / self.tokens()).collect()
    }
}

/// Computes the ratios of every point to the first.
pub fn relate(points: &mut [Point]) {
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
    fn targets_match_hand_computed_values() {
        let target = |scaling: Scaling, of: &[(usize, f64, f64)]| {
            let ScalingTarget { value, met, .. } = scaling.target(&points(of)).unwrap();
            ((100.0 * value.unwrap()).round() / 100.0, met)
        };
        // The most threads are compared with the fewest, in whatever order they were measured.
        let threads = |of: [(usize, f64); 2]| {
            let mut points = points(&of.map(|(_, seconds)| (1, seconds, 1.0)));
            points.iter_mut().zip(of).for_each(|(point, (threads, _))| point.threads = threads);
            Scaling::Threads
                .target(&points)
                .map(|target| ((100.0 * target.value.unwrap()).round(), target.met))
        };
        assert_eq!(threads([(1, 1.9), (2, 1.0)]), Some((190.0, true)));
        assert_eq!(threads([(2, 1.0), (1, 1.7)]), Some((170.0, false)));
        assert_eq!(threads([(2, 1.0), (2, 1.0)]), None);
        // Batches of 1 and 2 do not fill the machine. From 4 texts on, a token takes 1.1, 1 and 1.1.
        let batches = [(1, 3.0, 1.0), (2, 4.0, 1.0), (4, 4.4, 1.0), (8, 8.0, 1.0), (16, 17.6, 1.0)];
        assert_eq!(target(Scaling::BatchSize, &batches), (1.1, true));
        assert_eq!(target(Scaling::BatchSize, &[&batches[..], &[(32, 64.0, 1.0)]].concat()), (2.0, false));
        assert_eq!(target(Scaling::BlockSize, &[(4, 1.0, 100.0), (1, 5.0, 110.0)]), (1.1, true));
        assert_eq!(target(Scaling::BlockSize, &[(4, 1.0, 100.0), (1, 5.0, 400.0)]), (4.0, false));
    }

    #[test]
    fn products_are_compared_within_a_round() {
        let [mut one, mut two] = [(); 2].map(|()| points(&[(1, 1.0, 1.0)]).remove(0));
        (one.products, two.products) = (vec![50.0, 100.0, 100.0], vec![100.0, 100.0, 190.0]);
        let mut points = [one, two];
        relate(&mut points);
        assert_eq!(points.map(|point| point.relative_products), [Some(1.0), Some(1.9)]);
    }

    #[test]
    fn every_block_size_has_the_same_number_of_tokens() {
        let batch = Batch { batch_size: 64, block_size: 256 };
        let sizes = Scaling::BlockSize.sizes(2);
        let points = Scaling::BlockSize.points(3, batch, &sizes, 2);
        assert!(points.iter().all(|point| point.tokens() == 4096.0), "{points:?}");
        assert_eq!((points[0].block_size, points[4].block_size, points[4].batch_size), (256, 4096, 1));
    }
}
