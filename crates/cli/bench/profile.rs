//! The time of a step, op by op, from the trace.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use m2g_core::Var;
use m2g_core::trace::{Phase, Record};
use serde::{Deserialize, Serialize};

use super::work::Recording;

/// The ops dominated by matrix products, including attention and the feed-forward layers.
const PRODUCTS: [&str; 10] = [
    "linear",
    "linear_residual",
    "feed_forward",
    "packed_linear",
    "matmul",
    "batched_matmul",
    "batched_matmul_transposed",
    "attention",
    "cross_attention",
    "cached_attention",
];

/// The mean of several steps. Shares are fractions of the step's time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The number of averaged steps.
    pub steps: usize,
    /// The time of a recorded step.
    pub seconds: f64,
    /// The ops, forward and backward separately.
    pub ops: Vec<OpTime>,
    /// The share of the ops dominated by matrix products, attention included.
    pub products_share: f64,
    /// The time outside all ops.
    pub outside_seconds: f64,
    /// The share of the time outside all ops.
    pub outside_share: f64,
}

/// The cost of an op in a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpTime {
    /// `batch`, `forward`, `backward`, `clip` or `update`.
    pub phase: String,
    /// The name of the op.
    pub op: String,
    /// Calls per step.
    pub calls: f64,
    /// The time of all calls.
    pub seconds: f64,
    /// The share of the step's time.
    pub share: f64,
    /// GFLOP/s, if the op has floating-point operations.
    pub gflops: Option<f64>,
    /// GB/s over the inputs and the output, each counted once, if the op reads all of them.
    pub gb_per_s: Option<f64>,
}

/// The totals of an op over all steps.
#[derive(Default)]
struct Sum {
    calls: u64,
    time: Duration,
    flops: u64,
    bytes: u64,
}

impl Profile {
    /// Averages these steps.
    pub fn of(steps: impl Iterator<Item = anyhow::Result<Recording>>) -> anyhow::Result<Self> {
        let mut sums: BTreeMap<(usize, &str), Sum> = BTreeMap::new();
        let (mut n, mut whole) = (0, Duration::ZERO);
        for step in steps {
            let Recording { seconds, fetched, records } = step?;
            n += 1;
            whole += seconds;
            if let Some(fetched) = fetched {
                let sum = sums.entry((phase_index(Phase::Batch), "mini-batch")).or_default();
                sum.calls += 1;
                sum.time += fetched;
            }
            for (record, flops, bytes) in costs(&records) {
                let sum = sums.entry((phase_index(record.phase), record.name)).or_default();
                sum.calls += 1;
                sum.time += record.time;
                sum.flops += flops;
                sum.bytes += bytes;
            }
        }
        Ok(Self::mean(n, whole.as_secs_f64(), sums))
    }

    fn mean(steps: usize, whole: f64, sums: BTreeMap<(usize, &str), Sum>) -> Self {
        let n = steps.max(1) as f64;
        let share = |seconds: f64| if whole > 0.0 { seconds / whole } else { 0.0 };
        let mut ops: Vec<(usize, OpTime)> = Vec::new();
        for ((phase, op), sum) in sums {
            let seconds = sum.time.as_secs_f64();
            let rate = |amount: u64| (amount > 0 && seconds > 0.0).then(|| amount as f64 / seconds / 1e9);
            let op = OpTime {
                phase: PHASES[phase].into(),
                op: op.into(),
                calls: sum.calls as f64 / n,
                seconds: seconds / n,
                share: share(seconds),
                gflops: rate(sum.flops),
                gb_per_s: rate(sum.bytes),
            };
            ops.push((phase, op));
        }
        ops.sort_by(|(a, x), (b, y)| a.cmp(b).then(y.seconds.total_cmp(&x.seconds)));
        let ops: Vec<OpTime> = ops.into_iter().map(|(_, op)| op).collect();
        let outside = whole / n - ops.iter().map(|op| op.seconds).sum::<f64>();
        let products = ops.iter().filter(|op| PRODUCTS.contains(&op.op.as_str()));
        Self {
            steps,
            seconds: whole / n,
            products_share: products.map(|op| op.share).sum(),
            outside_seconds: outside,
            outside_share: share(outside * n),
            ops,
        }
    }
}

/// The parts of a step, in order.
const PHASES: [&str; 5] = ["batch", "forward", "backward", "clip", "update"];

/// The index of a phase in [`PHASES`]. Evaluation has a forward pass only.
fn phase_index(phase: Phase) -> usize {
    match phase {
        Phase::Batch => 0,
        Phase::Forward | Phase::Evaluate => 1,
        Phase::Backward => 2,
        Phase::Clip => 3,
        Phase::Update => 4,
    }
}

/// The floating-point operations of the ops in [`PRODUCTS`].
pub fn product_flops(records: &[Record]) -> u64 {
    costs(records).filter(|(record, ..)| PRODUCTS.contains(&record.name)).map(|(_, flops, _)| flops).sum()
}

/// The records that did work, with their operations and bytes. Corrects the bytes of the trace in three cases. It
/// counts those of the backward pass as if every input had a gradient, but the first layer's input is data.
/// An embedding reads only some rows of its table. And the backward pass of `add` forwards its gradient without
/// reading it.
fn costs(records: &[Record]) -> impl Iterator<Item = (&Record, u64, u64)> {
    let made: HashSet<Var> = records.iter().filter_map(|record| record.to).collect();
    records.iter().filter(|record| record.is_work()).map(move |record| {
        let of_data = record.from.first().is_some_and(|x| !made.contains(x));
        if record.phase == Phase::Backward && record.name == "linear" && of_data {
            (record, record.flops, record.bytes / 2)
        } else if record.name == "embedding" || (record.phase == Phase::Backward && record.name == "add") {
            (record, record.flops, 0)
        } else {
            (record, record.flops, record.bytes)
        }
    })
}
