//! Where the time of a step goes, op by op, as the trace has it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use m2g_core::Var;
use m2g_core::trace::{Phase, Record};
use ndarray::Dimension;
use serde::{Deserialize, Serialize};

use super::child::Recording;

/// The ops that multiply matrices, and those that do little else: attention, and the
/// feed-forward layers with their GELU.
const PRODUCTS: [&str; 9] = [
    "linear",
    "linear_residual",
    "feed_forward",
    "packed_linear",
    "matmul",
    "batched_matmul",
    "attention",
    "cross_attention",
    "cached_attention",
];

/// The mean of several steps. Shares are of the step's time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Profile {
    /// How many steps it is the mean of.
    pub steps: usize,
    /// How long a step took, while it was recorded.
    pub seconds: f64,
    /// The ops, forward and backward apart.
    pub ops: Vec<OpTime>,
    /// The share of matrix products and attention.
    pub products_share: f64,
    /// The time outside any op.
    pub outside_seconds: f64,
    /// Its share.
    pub outside_share: f64,
}

/// What an op costs in a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpTime {
    /// `batch`, `forward`, `backward`, `clip` or `update`.
    pub phase: String,
    /// The op.
    pub op: String,
    /// How often it runs.
    pub calls: f64,
    /// How long it takes, all calls together.
    pub seconds: f64,
    /// Its share.
    pub share: f64,
    /// Its floating-point operations in a second, if it has any.
    pub gflops: Option<f64>,
    /// Bytes of its inputs and its output, each counted once, in a second, if it reads them all.
    pub gb_per_s: Option<f64>,
}

/// The sums of an op over all steps.
#[derive(Default)]
struct Sum {
    calls: u64,
    time: Duration,
    flops: u64,
    bytes: u64,
}

impl Profile {
    /// The mean of these steps.
    pub fn of(steps: impl Iterator<Item = anyhow::Result<Recording>>) -> anyhow::Result<Self> {
        let mut sums: BTreeMap<(usize, &str), Sum> = BTreeMap::new();
        let (mut n, mut whole) = (0, Duration::ZERO);
        for step in steps {
            let Recording { seconds, fetched, records } = step?;
            n += 1;
            whole += seconds;
            if let Some(fetched) = fetched {
                let sum = sums.entry((place(Phase::Batch), "mini-batch")).or_default();
                sum.calls += 1;
                sum.time += fetched;
            }
            for (record, flops, bytes) in costs(&records) {
                let sum = sums.entry((place(record.phase), record.name)).or_default();
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

/// The parts of a step, in its order.
const PHASES: [&str; 5] = ["batch", "forward", "backward", "clip", "update"];

/// Where in [`PHASES`] a phase stands; without gradients there is only the way forward.
fn place(phase: Phase) -> usize {
    match phase {
        Phase::Batch => 0,
        Phase::Forward | Phase::Evaluate => 1,
        Phase::Backward => 2,
        Phase::Clip => 3,
        Phase::Update => 4,
    }
}

/// Floating-point operations of the matrix products and the attention of a step.
pub fn product_flops(records: &[Record]) -> u64 {
    costs(records).filter(|(record, ..)| PRODUCTS.contains(&record.name)).map(|(_, flops, _)| flops).sum()
}

/// What worked in a step, with its operations and bytes, where that is not what the trace
/// says. It counts those of the backward way as if every input had a gradient, but the
/// first layer's is data, for which no product is made; and every input as read, but an
/// embedding reads only some rows of its table, and a sum hands its gradient on untouched.
fn costs(records: &[Record]) -> impl Iterator<Item = (&Record, u64, u64)> {
    let made: HashSet<Var> = records.iter().filter_map(|record| record.to).collect();
    records.iter().filter(|record| record.is_work()).map(move |record| {
        let of_data = record.from.first().is_some_and(|x| !made.contains(x));
        if record.phase == Phase::Backward && record.name == "linear" && of_data {
            // (B, outputs) and (outputs, inputs).
            let (outputs, inputs) = (record.output.size(), record.inputs[1][1]);
            (record, record.flops - 2 * (outputs * inputs) as u64, record.bytes / 2)
        } else if record.name == "embedding" || (record.phase == Phase::Backward && record.name == "add") {
            (record, record.flops, 0)
        } else {
            (record, record.flops, record.bytes)
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::child::Work;
    use super::super::digits::{Net, Training};
    use super::*;
    use m2g_core::data::mnist::LabelledImages;

    #[test]
    fn the_operations_of_a_digit_step_by_hand_and_shares_that_add_up() {
        let data = LabelledImages { images: vec![7; 20 * 784], labels: vec![1; 20], rows: 28, cols: 28 };
        let net = Net { sizes: [784, 30, 10], mini_batch: 10, lr: 0.1 };
        let mut training = Training::new(&net, &data).unwrap();
        // Forward and the gradient of the weights for both layers, back through the second
        // alone; and the biases, once forward and twice backward.
        let [a, b, c] = net.sizes;
        let want = 10 * (2 * (2 * a * b + 3 * b * c) + 3 * (b + c));
        assert_eq!(product_flops(&training.record().unwrap().records), want as u64);

        let profile = Profile::of((0..20).map(|_| training.record())).unwrap();
        let sum = profile.ops.iter().map(|op| op.share).sum::<f64>() + profile.outside_share;
        assert!((sum - 1.0).abs() < 1e-9 && profile.outside_share >= 0.0, "{profile:?}");
        let linear = profile.ops.iter().find(|op| op.op == "linear" && op.phase == "backward").unwrap();
        assert_eq!((profile.steps, linear.calls), (20, 2.0));
    }
}
