//! An epoch of the digit network, on the path that `m2g digits train` takes.

use std::time::{Duration, Instant};

use anyhow::bail;
use m2g_core::data::mnist::LabelledImages;
use m2g_core::optim::Sgd;
use m2g_core::rng::{Streams, below};
use m2g_core::train::{Model, Stepper};
use m2g_digits::{MiniBatches, Network};

use super::child::{Recording, Work};
use super::workload::{Kind, Workload};

/// Images in an epoch. Their pixels are random: only time counts.
pub const IMAGES: usize = 50_000;

/// A network and how it is trained.
pub struct Net {
    /// The widths of its layers.
    pub sizes: [usize; 3],
    /// Images in a mini-batch.
    pub mini_batch: usize,
    /// The learning rate.
    pub lr: f64,
}

/// A network in training.
pub struct Training<'a> {
    network: Network<f32>,
    batches: MiniBatches<'a, f32>,
    stepper: Stepper<f32>,
    sgd: Sgd<f32>,
    lr: f64,
    mini_batch: usize,
    /// Mini-batches so far.
    step: u64,
}

/// Trains for so many mini-batches on images that cost next to nothing to make.
pub fn only_steps(workload: &Workload, steps: u64) -> anyhow::Result<()> {
    let Kind::Digits(net) = &workload.kind else { bail!("--only-steps is for digit networks") };
    let mut pixel = 0_u8;
    let data = images(1000, || {
        pixel = pixel.wrapping_add(37);
        pixel
    });
    let mut training = Training::new(net, &data)?;
    (0..steps).try_for_each(|_| training.step().map(drop))
}

/// Random images and labels.
pub fn random_images() -> LabelledImages {
    let mut rng = Streams::new(1).stream("bench", 0);
    images(IMAGES, || below(&mut rng, 256) as u8)
}

/// `n` images of 28 x 28, and labels, made of the bytes that `byte` gives.
fn images(n: usize, mut byte: impl FnMut() -> u8) -> LabelledImages {
    let images = (0..n * 784).map(|_| byte()).collect();
    LabelledImages { images, labels: (0..n).map(|_| byte() % 10).collect(), rows: 28, cols: 28 }
}

impl<'a> Training<'a> {
    /// A network before its first step.
    pub fn new(net: &Net, data: &'a LabelledImages) -> anyhow::Result<Self> {
        Ok(Self {
            network: Network::new(&net.sizes)?,
            batches: MiniBatches::new(data, net.mini_batch, 10, 1)?,
            stepper: Stepper::default(),
            sgd: Sgd::new(),
            lr: net.lr,
            mini_batch: net.mini_batch,
            step: 0,
        })
    }

    /// The next mini-batch; returns how long it took to fetch it, if that is recorded.
    fn step(&mut self) -> anyhow::Result<Option<Duration>> {
        let started = self.stepper.tape.trace.start();
        let batch = std::slice::from_ref(self.batches.get(self.step));
        let fetched = started.map(|started| started.elapsed());
        self.stepper.step(&mut self.network, batch, &mut self.sgd, self.lr, None, self.step)?;
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

    /// A mini-batch.
    fn record(&mut self) -> anyhow::Result<Recording> {
        self.stepper.tape.trace.switch(true);
        let started = Instant::now();
        let fetched = self.step()?;
        let seconds = started.elapsed();
        self.stepper.tape.trace.switch(false);
        let records = self.stepper.tape.trace.take();
        Ok(Recording { seconds, fetched, records })
    }

    fn recordings(&self) -> f64 {
        IMAGES as f64 / self.mini_batch as f64
    }

    fn parameters(&self) -> usize {
        self.network.params().count()
    }
}
