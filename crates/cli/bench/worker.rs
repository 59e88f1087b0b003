//! Measures one workload in this process, to read its peak memory.

use std::fs;
use std::time::Duration;

use super::measurement::Measurement;
use super::profile::{self, Profile};
use super::work::Work;
use super::workload::{Batch, Workload};
use crate::machine::{bytes_of, median_product_gflops};

/// Untimed repetitions, which allocate the buffers. The last one counts the operations.
const WARM_UP: usize = 2;

/// The time to measure matrix products alone.
const PRODUCTS: Duration = Duration::from_millis(200);

/// Measures a workload `steps` times with the current threads. `batch` overrides the batch of a
/// training step.
pub fn measure(
    workload: &dyn Workload,
    batch: Option<Batch>,
    steps: usize,
    profile: bool,
) -> anyhow::Result<Measurement> {
    let facts = workload.facts();
    let recorded = profile.then_some(facts.recorded);
    let mut measurement = workload.with_work(batch, &mut |work| time(work, steps, recorded))?;
    if workload.batch().is_some() {
        measurement.products_gflops = Some(median_product_gflops(facts.precision, PRODUCTS));
    }
    Ok(measurement)
}

fn time(work: &mut dyn Work, steps: usize, recorded: Option<usize>) -> anyhow::Result<Measurement> {
    for _ in 1..WARM_UP {
        work.run()?;
    }
    let flops = profile::product_flops(&work.record()?.records) as f64 * work.steps();
    let times: Vec<Duration> = (0..steps).map(|_| work.run()).collect::<Result<_, _>>()?;
    let peak_rss_mb = peak_memory_mib();
    let profile = match recorded {
        None => None,
        Some(n) => Some(Profile::of((0..n).map(|_| work.record()))?),
    };
    Ok(Measurement {
        seconds: times.iter().map(Duration::as_secs_f64).collect(),
        peak_rss_mb,
        peer: None,
        flops: Some(flops),
        parameters: Some(work.parameters()),
        products_gflops: None,
        profile,
    })
}

/// The peak memory of this process in MiB.
fn peak_memory_mib() -> Option<f64> {
    let bytes = bytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")?;
    Some(bytes as f64 / f64::from(1 << 20))
}
