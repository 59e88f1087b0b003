//! One epoch of the digit network, against PyTorch and numpy in the same run.
//!
//! `cargo bench --bench digits` measures in turns, A B C A B C, so that a noisy
//! machine is noisy for all, and every measurement in a process of its own, so
//! that its peak memory can be read. `-- --rounds N` sets how many turns.
//!
//! `-- --child 784-30-10 --steps N` makes N training steps and nothing else: the
//! instructions that a simulator such as callgrind counts in them are the same on
//! a noisy machine.

use std::ops::Range;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, anyhow};
use m2g_core::data::mnist::LabelledImages;
use m2g_core::optim::Sgd;
use m2g_core::rng::{Streams, below};
use m2g_core::threads::with_threads;
use m2g_core::train::Stepper;
use m2g_digits::{MiniBatches, Network};
use serde_json::{Value, json};

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
    let args: Vec<String> = std::env::args().collect();
    let after = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1));
    if let Some(name) = after("--child") {
        let workload = WORKLOADS.iter().find(|w| w.name == name).context("unknown workload")?;
        if let Some(steps) = after("--steps") {
            return with_threads(1, || train(workload, steps.parse()?))?;
        }
        println!("{}", with_threads(0, || ours(workload))??);
        return Ok(());
    }
    let rounds: usize = after("--rounds").map_or(Ok(5), |n| n.parse())?;
    let here = std::env::current_exe()?;
    for workload in &WORKLOADS {
        let w = workload.name;
        let python = |script: &str| {
            let mut command = Command::new("python3");
            let script = format!("{}/benches/peers/{script}", env!("CARGO_MANIFEST_DIR"));
            command.args([&script, "--workload", w, "--epochs", EPOCHS]);
            command
        };
        let mut contestants = vec![
            (
                "mnist-to-gpt",
                {
                    let mut c = Command::new(&here);
                    c.args(["--child", w]);
                    c
                },
                Vec::new(),
                0.0,
            ),
            ("pytorch", python("digits_torch.py"), Vec::new(), 0.0),
            ("numpy", python("digits_numpy.py"), Vec::new(), 0.0),
        ];
        for _ in 0..rounds {
            for (name, command, seconds, memory) in &mut contestants {
                match measure(command) {
                    Ok((s, m)) => {
                        seconds.push(s);
                        *memory = f64::max(*memory, m);
                    }
                    Err(error) => eprintln!("{name} is left out: {error}"),
                }
            }
        }
        let flops = flops(workload);
        println!("\n{w}, mini-batch {}, one epoch of {IMAGES} images, {rounds} rounds", workload.mini_batch);
        println!(
            "{:<14}{:>10}{:>10}{:>10}{:>10}{:>10}  times as long as ours, round by round",
            "", "median s", "min s", "max s", "GFLOP/s", "peak MB"
        );
        let base = contestants[0].2.clone();
        for (name, _, seconds, memory) in &contestants {
            if seconds.len() < rounds {
                continue;
            }
            let mut sorted = seconds.clone();
            sorted.sort_by(f64::total_cmp);
            let median = sorted[sorted.len() / 2];
            let ratios: Vec<String> =
                seconds.iter().zip(&base).map(|(s, b)| format!("{:.1}", s / b)).collect();
            println!(
                "{name:<14}{median:>10.4}{:>10.4}{:>10.4}{:>10.0}{memory:>10.0}  {}",
                sorted[0],
                sorted[sorted.len() - 1],
                flops / median / 1e9,
                ratios.join(" ")
            );
        }
    }
    Ok(())
}

/// Floating-point operations of an epoch's matrix products: forward, the gradient
/// of both weights, and back through the second layer.
fn flops(w: &Workload) -> f64 {
    let [a, b, c] = w.sizes;
    IMAGES as f64 * 2.0 * (2 * a * b + 3 * b * c) as f64
}

/// Runs a measurement: the fastest epoch in seconds, and the peak memory in MB.
fn measure(command: &mut Command) -> anyhow::Result<(f64, f64)> {
    let output = command.output().context("it cannot be started")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow!("{}", text.lines().last().unwrap_or("it failed")));
    }
    let line: Value = serde_json::from_slice(&output.stdout)?;
    let seconds = line["seconds"].as_array().context("no seconds")?.iter().filter_map(Value::as_f64);
    Ok((seconds.fold(f64::MAX, f64::min), line["peak_rss_mb"].as_f64().unwrap_or(0.0)))
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

/// The most memory that this process has had, in MB; 0 where the system does not tell.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
