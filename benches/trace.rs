//! The cost of tracing a training step.
//!
//! `cargo bench --bench trace` times training steps of the smallest and of a typical model, in
//! turns with the trace off and on. It also times the checks that run while the trace is off.

use std::hint::black_box;
use std::time::{Duration, Instant};

use m2g_core::optim::{AdamW, Optimizer, Sgd};
use m2g_core::threads::with_threads;
use m2g_core::trace::{Phase, Trace};
use m2g_core::train::{Model, Stepper};
use m2g_core::{Tensor, Tokens};
use m2g_digits::{MiniBatch, Network};
use m2g_gpt::{Config, Gpt, TokenBatch};

/// Turns; each measures with the trace off and then on.
const TURNS: usize = 41;

fn main() -> anyhow::Result<()> {
    let mut network = Network::<f32>::new(&[784, 30, 10])?;
    let batch = [MiniBatch { x: Tensor::from_fn(&[10, 784], || 0.5), y: Tensor::zeros(&[10, 10]) }];
    measure("digits 784-30-10, mini-batch 10", &mut network, &batch, &mut Sgd::new(), 2000)?;

    let mut gpt = Gpt::<f32>::new(Config::default().model(65), 1)?;
    let tokens = || Tokens::new([12, 64], (0..12 * 64).map(|i| i * 7 % 65).collect::<Vec<_>>());
    let batch = [TokenBatch { x: tokens()?, y: tokens()? }];
    let mut adamw = AdamW::new(0.1);
    with_threads(2, || measure("GPT 4 layers, 128, block 64, batch 12", &mut gpt, &batch, &mut adamw, 4))??;
    Ok(())
}

/// Times `steps` steps per turn.
fn measure<M: Model<f32>>(
    title: &str,
    model: &mut M,
    batch: &[M::Batch],
    optimizer: &mut dyn Optimizer<f32>,
    steps: u64,
) -> anyhow::Result<()> {
    let mut stepper = Stepper::default();
    let mut turn = |on: bool| -> anyhow::Result<(f64, usize)> {
        let started = Instant::now();
        let mut records = 0;
        for step in 0..steps {
            stepper.tape.trace.switch(on);
            stepper.step(model, batch, optimizer, 1e-3, Some(1.0), step)?;
            records = stepper.tape.trace.take().len();
        }
        Ok((started.elapsed().as_secs_f64() / steps as f64, records))
    };
    turn(false)?;
    let (mut off, mut on, mut records) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        off.push(turn(false)?.0);
        let (seconds, n) = turn(true)?;
        on.push(seconds);
        records = n;
    }
    let mut ratios: Vec<f64> = on.iter().zip(&off).map(|(on, off)| on / off - 1.0).collect();
    let (off, on, ratio) = (median(&mut off), median(&mut on), median(&mut ratios));
    let disabled = records as f64 * cost_of_disabled_record().as_secs_f64();
    println!("{title}: {records} records a step");
    println!(
        "  off {:9.2} us (the check whether to record takes {:.3} % of it)",
        1e6 * off,
        100.0 * disabled / off
    );
    println!("  on  {:9.2} us, {:+.2} % (median of {TURNS} pairs)", 1e6 * on, 100.0 * ratio);
    Ok(())
}

/// The cost of one record while the trace is off: only the checks whether to record.
fn cost_of_disabled_record() -> Duration {
    const N: u32 = 1_000_000;
    let mut trace = Trace::default();
    let started = Instant::now();
    for _ in 0..N {
        let trace = black_box(&mut trace);
        let begun = black_box(trace.start());
        trace.finish(begun, |_| unreachable!("the trace is off"));
        trace.enter(black_box(Phase::Forward), "", "");
    }
    started.elapsed() / N
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
