//! The workloads of the digit network: epochs, on the code path of `m2g digits train`.

use std::time::{Duration, Instant};

use m2g_core::Precision;
use m2g_core::data::mnist::LabelledImages;
use m2g_core::optim::Sgd;
use m2g_core::rng::{Streams, below};
use m2g_core::train::{Model, Session, Stepper};
use m2g_digits::{MiniBatches, Network};

use crate::bench::measurement::Measurement;
use crate::bench::peers::Peer;
use crate::bench::work::{Recording, Work};
use crate::bench::workload::{Batch, Facts, Measure, Target, Workload};

/// Images per epoch. Their pixels are random, since only time matters.
const IMAGES: usize = 50_000;

/// An epoch of a digit network.
pub struct Epoch {
    facts: Facts,
    /// The widths of the layers.
    sizes: [usize; 3],
    /// Images per mini-batch.
    mini_batch: usize,
    learning_rate: f64,
}

const FACTS: Facts = Facts {
    name: "digits-784-30-10",
    what: "an epoch of 50,000 images, mini-batch 10, sigmoid",
    precision: Precision::F32,
    steps: 3,
    recorded: 2000,
    target: Target::Seconds(0.12),
    ratios: [Some(12.0), Some(2.0)],
    scalings: &[],
};

/// The workloads.
pub static WORKLOADS: [Epoch; 2] = [
    Epoch { facts: FACTS, sizes: [784, 30, 10], mini_batch: 10, learning_rate: 3.0 },
    Epoch {
        facts: Facts {
            name: "digits-784-800-10",
            what: "an epoch of 50,000 images, mini-batch 128, sigmoid",
            recorded: 200,
            target: Target::Seconds(1.1),
            ratios: [None; 2],
            ..FACTS
        },
        sizes: [784, 800, 10],
        mini_batch: 128,
        learning_rate: 0.5,
    },
];

impl Workload for Epoch {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn amount(&self) -> (usize, &'static str) {
        (IMAGES, "images/s")
    }

    fn recorded_part(&self) -> &'static str {
        "a mini-batch"
    }

    fn peers(&self, steps: usize, threads: usize) -> Vec<Peer> {
        let [first, last] = self.facts.ratios;
        let name = self.facts.name.trim_start_matches("digits-");
        let epochs = steps.to_string();
        let numpy = ["--workload", name, "--epochs", &epochs];
        // With two threads, PyTorch is slower on the small network than with one.
        let torch = [&numpy[..], &["--threads", if threads == 1 { "1" } else { "best" }]].concat();
        vec![
            Peer::new("PyTorch", "digits_torch.py", &["torch"], &torch, first),
            Peer::new("numpy", "digits_numpy.py", &["numpy"], &numpy, last),
        ]
    }

    fn with_work(&self, _: Option<Batch>, measure: Measure<'_>) -> anyhow::Result<Measurement> {
        let mut rng = Streams::new(1).stream("bench", 0);
        let data = images(IMAGES, || below(&mut rng, 256) as u8);
        measure(&mut Training::new(self, &data)?)
    }

    /// Trains on images that take almost no time to generate.
    fn only_steps(&self, steps: u64) -> anyhow::Result<()> {
        let mut pixel = 0_u8;
        let data = images(1000, || {
            pixel = pixel.wrapping_add(37);
            pixel
        });
        let mut training = Training::new(self, &data)?;
        (0..steps).try_for_each(|_| training.step().map(drop))
    }
}

/// `n` labelled images of 28 x 28 pixels, filled with the bytes that `byte` returns.
fn images(n: usize, mut byte: impl FnMut() -> u8) -> LabelledImages {
    let images = (0..n * 784).map(|_| byte()).collect();
    LabelledImages { images, labels: (0..n).map(|_| byte() % 10).collect(), rows: 28, cols: 28 }
}

/// A network in training.
struct Training<'a> {
    network: Network<f32>,
    batches: MiniBatches<'a, f32>,
    stepper: Stepper<f32>,
    sgd: Sgd<f32>,
    epoch: &'a Epoch,
    /// The number of mini-batches so far.
    step: u64,
}

impl<'a> Training<'a> {
    fn new(epoch: &'a Epoch, data: &'a LabelledImages) -> anyhow::Result<Self> {
        Ok(Self {
            network: Network::new(&epoch.sizes)?,
            batches: MiniBatches::new(data, epoch.mini_batch, 10, 1)?,
            stepper: Stepper::default(),
            sgd: Sgd::new(),
            epoch,
            step: 0,
        })
    }

    /// Trains on the next mini-batch. Returns the time to fetch it, if tracing is on.
    fn step(&mut self) -> anyhow::Result<Option<Duration>> {
        let started = self.stepper.tape.trace.start();
        let batch = std::slice::from_ref(self.batches.get(self.step));
        let fetched = started.map(|started| started.elapsed());
        let learning_rate = self.epoch.learning_rate;
        Session::step(
            &mut self.stepper,
            &mut self.network,
            batch,
            &mut self.sgd,
            (learning_rate, None),
            self.step,
        )?;
        self.step += 1;
        Ok(fetched)
    }
}

impl Work for Training<'_> {
    fn run(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for _ in 0..self.batches.per_epoch() {
            self.step()?;
        }
        Ok(started.elapsed())
    }

    /// Records a mini-batch.
    fn record(&mut self) -> anyhow::Result<Recording> {
        self.stepper.tape.trace.switch(true);
        let started = Instant::now();
        let fetched = self.step()?;
        let seconds = started.elapsed();
        self.stepper.tape.trace.switch(false);
        let records = self.stepper.tape.trace.take();
        Ok(Recording { seconds, fetched, records })
    }

    fn steps(&self) -> f64 {
        IMAGES as f64 / self.epoch.mini_batch as f64
    }

    fn parameters(&self) -> usize {
        self.network.params().count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bench::profile::{Profile, product_flops};

    #[test]
    fn a_digit_step_has_the_expected_operations_and_its_shares_sum_to_one() {
        let data = LabelledImages { images: vec![7; 20 * 784], labels: vec![1; 20], rows: 28, cols: 28 };
        let epoch = &WORKLOADS[0];
        let mut training = Training::new(epoch, &data).unwrap();
        // Both layers forward, both weight gradients, and the input gradient of the second layer only.
        // The biases: once forward, and counted twice backward.
        let [a, b, c] = epoch.sizes;
        let want = 10 * (2 * (2 * a * b + 3 * b * c) + 3 * (b + c));
        assert_eq!(product_flops(&training.record().unwrap().records), want as u64);

        let profile = Profile::of((0..20).map(|_| training.record())).unwrap();
        let sum = profile.ops.iter().map(|op| op.share).sum::<f64>() + profile.outside_share;
        assert!((sum - 1.0).abs() < 1e-9 && profile.outside_share >= 0.0, "{profile:?}");
        let linear = profile.ops.iter().find(|op| op.op == "linear" && op.phase == "backward").unwrap();
        assert_eq!((profile.steps, linear.calls), (20, 2.0));
    }
}
