//! A measurement in a process of its own, so that its peak memory can be read.

use std::fs;
use std::time::Duration;

use m2g_core::trace::Record;
use serde::{Deserialize, Serialize};

use super::profile::{self, Profile};
use super::workload::{Kind, Workload};
use super::{
    digits,
    gpt::{self, Shape},
};
use crate::machine::{field, usual_product_gflops};

/// Runs that do not count, while buffers are taken from the system. In the last of them
/// the operations are counted.
const WARM_UP: usize = 2;

/// How long matrix products alone are measured.
const PRODUCTS: Duration = Duration::from_millis(200);

/// Work that can be done again and again.
pub trait Work {
    /// Does it once, and returns the time that counts.
    fn run(&mut self) -> anyhow::Result<Duration>;

    /// Does one step of it, and records what ran.
    fn record(&mut self) -> anyhow::Result<Recording>;

    /// How many such steps the whole work is.
    fn recordings(&self) -> f64 {
        1.0
    }

    /// How many parameters its model has.
    fn parameters(&self) -> usize;
}

/// What ran in a step.
pub struct Recording {
    /// How long it took.
    pub seconds: Duration,
    /// How much of that went into fetching the examples.
    pub fetched: Option<Duration>,
    /// What ran.
    pub records: Vec<Record>,
}

/// What a process measured: ours, or a peer's, which prints the first two and its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Turn {
    /// How long the work took each time, in seconds.
    pub seconds: Vec<f64>,
    /// The most memory that the process had, in MB, where the system tells.
    pub peak_rss_mb: Option<f64>,
    /// The peer and its version.
    pub peer: Option<String>,
    /// Floating-point operations of the matrix products and the attention of the work.
    pub flops: Option<f64>,
    /// Parameters of the model.
    pub parameters: Option<usize>,
    /// GFLOP/s of large matrix products right after a training step, for comparison.
    #[serde(default)]
    pub products_gflops: Option<f64>,
    /// Where the time goes, if that was asked for.
    pub profile: Option<Profile>,
}

/// Measures a workload `steps` times, with the threads that are in use; of a training step,
/// `resize` may change the batch.
pub fn measure(
    workload: &Workload,
    resize: impl FnOnce(Shape) -> Shape,
    steps: usize,
    profile: bool,
) -> anyhow::Result<Turn> {
    let recorded = profile.then_some(workload.recorded);
    match &workload.kind {
        Kind::Digits(net) => {
            let data = digits::random_images();
            turn(&mut digits::Training::new(net, &data)?, steps, recorded)
        }
        Kind::Train(shape) => {
            let mut training = gpt::Training::new(resize(*shape), workload.precision)?;
            let turn = turn(&mut training, steps, recorded)?;
            let products_gflops = Some(usual_product_gflops(workload.precision, PRODUCTS));
            Ok(Turn { products_gflops, ..turn })
        }
        Kind::Generate(shape, weights) => {
            let mut gpt = shape.model(workload.precision)?;
            gpt.pack(*weights);
            turn(&mut gpt::Writing(gpt), steps, recorded)
        }
    }
}

fn turn(work: &mut dyn Work, steps: usize, recorded: Option<usize>) -> anyhow::Result<Turn> {
    for _ in 1..WARM_UP {
        work.run()?;
    }
    let flops = profile::product_flops(&work.record()?.records) as f64 * work.recordings();
    let times: Vec<Duration> = (0..steps).map(|_| work.run()).collect::<Result<_, _>>()?;
    let peak_rss_mb = peak_memory();
    let profile = match recorded {
        None => None,
        Some(n) => Some(Profile::of((0..n).map(|_| work.record()))?),
    };
    Ok(Turn {
        seconds: times.iter().map(Duration::as_secs_f64).collect(),
        peak_rss_mb,
        peer: None,
        flops: Some(flops),
        parameters: Some(work.parameters()),
        products_gflops: None,
        profile,
    })
}

/// The most memory that this process has had, in MB.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: f64 = field(&status, "VmHWM")?.trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1024.0)
}
