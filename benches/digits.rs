//! One epoch of the digit network, against PyTorch and numpy in the same run.
//!
//! `cargo bench --bench digits` measures; `-- --rounds N` sets how many turns
//! everyone takes.
//!
//! `-- --child 784-30-10 --steps N` makes N training steps and nothing else: the
//! instructions that a simulator such as callgrind counts in them are the same on
//! a noisy machine.

use std::ops::Range;
use std::time::Instant;

use anyhow::Context;
use m2g_core::data::mnist::LabelledImages;
use m2g_core::optim::Sgd;
use m2g_core::rng::{Streams, below};
use m2g_core::threads::with_threads;
use m2g_core::train::Stepper;
use m2g_digits::{MiniBatches, Network};
use serde_json::{Value, json};

#[path = "support/turns.rs"]
mod turns;

use turns::{Contestant, after, compare, peak_memory, rounds};

/// A network and how it is trained, on 50,000 images.
struct Workload {
    name: &'static str,
    sizes: [usize; 3],
    mini_batch: usize,
    lr: f64,
}

const WORKLOADS: [Workload; 2] = [
    Workload { name: "784-30-10", sizes: [784, 30, 10], mini_batch: 10, lr: 3.0 },
    Workload { name: "784-800-10", sizes: [784, 800, 10], mini_batch: 128, lr: 0.5 },
];
const IMAGES: usize = 50_000;
/// Epochs in one measurement, of which the fastest counts, for everyone alike.
const EPOCHS: &str = "3";

fn main() -> anyhow::Result<()> {
    if let Some(name) = after("--child") {
        let workload = WORKLOADS.iter().find(|w| w.name == name).context("unknown workload")?;
        if let Some(steps) = after("--steps") {
            return with_threads(1, || train(workload, steps.parse()?))?;
        }
        println!("{}", with_threads(0, || ours(workload))??);
        return Ok(());
    }
    let rounds = rounds(5)?;
    for workload in &WORKLOADS {
        let args = ["--workload", workload.name, "--epochs", EPOCHS];
        let contestants = vec![
            Contestant::ours(&[workload.name])?,
            Contestant::peer("pytorch", "digits_torch.py", &args),
            Contestant::peer("numpy", "digits_numpy.py", &args),
        ];
        let (w, b) = (workload.name, workload.mini_batch);
        let title = format!("{w}, mini-batch {b}, one epoch of {IMAGES} images");
        compare(&title, rounds, (flops(workload) / 1e9, "GFLOP/s"), contestants);
    }
    Ok(())
}

/// Floating-point operations of an epoch's matrix products: forward, the gradient
/// of both weights, and back through the second layer.
fn flops(w: &Workload) -> f64 {
    let [a, b, c] = w.sizes;
    IMAGES as f64 * 2.0 * (2 * a * b + 3 * b * c) as f64
}

/// Measures ourselves, on the path that `m2g digits train` takes.
fn ours(workload: &Workload) -> anyhow::Result<Value> {
    let mut rng = Streams::new(1).stream("bench", 0);
    let data = images(IMAGES, || below(&mut rng, 256) as u8);
    let mut trainer = Trainer::new(workload, &data)?;
    let mut seconds = Vec::new();
    let per_epoch = trainer.batches.per_epoch();
    for epoch in 0..=EPOCHS.parse::<u64>()? {
        let started = Instant::now();
        trainer.train(epoch * per_epoch..(epoch + 1) * per_epoch)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(json!({"seconds": seconds[1..], "peak_rss_mb": peak_memory()}))
}

/// Trains for so many steps on images that cost next to nothing to make.
fn train(workload: &Workload, steps: u64) -> anyhow::Result<()> {
    let mut pixel = 0_u8;
    let data = images(1000, || {
        pixel = pixel.wrapping_add(37);
        pixel
    });
    Trainer::new(workload, &data)?.train(0..steps)
}

/// `n` images of 28 x 28, and labels, made of the bytes that `byte` gives.
fn images(n: usize, mut byte: impl FnMut() -> u8) -> LabelledImages {
    let images = (0..n * 784).map(|_| byte()).collect();
    LabelledImages { images, labels: (0..n).map(|_| byte() % 10).collect(), rows: 28, cols: 28 }
}

/// A network in training.
struct Trainer<'a> {
    network: Network<f32>,
    batches: MiniBatches<'a, f32>,
    stepper: Stepper<f32>,
    sgd: Sgd<f32>,
    lr: f64,
}

impl<'a> Trainer<'a> {
    fn new(workload: &Workload, data: &'a LabelledImages) -> anyhow::Result<Self> {
        Ok(Self {
            network: Network::new(&workload.sizes)?,
            batches: MiniBatches::new(data, workload.mini_batch, 10, 1)?,
            stepper: Stepper::default(),
            sgd: Sgd::new(),
            lr: workload.lr,
        })
    }

    fn train(&mut self, steps: Range<u64>) -> anyhow::Result<()> {
        for step in steps {
            let batch = std::slice::from_ref(self.batches.get(step));
            self.stepper.step(&mut self.network, batch, &mut self.sgd, self.lr, None, step)?;
        }
        Ok(())
    }
}
