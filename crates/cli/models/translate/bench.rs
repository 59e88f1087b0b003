//! The workloads of translation: training steps, on the code path of `m2g translate train`.

use std::sync::Arc;

use m2g_core::optim::AdamW;
use m2g_core::rng::{Streams, below};
use m2g_core::{Precision, Tokens};
use m2g_translate::presets::preset;
use m2g_translate::{Config, PairBatch, Transformer};

use crate::bench::measurement::Measurement;
use crate::bench::peers::Peer;
use crate::bench::work::{TrainingSteps, Work};
use crate::bench::workload::{Batch, Facts, Measure, Target, Workload};

/// The pairs of a batch, and the lengths to which their sources and targets are padded: 4096 target tokens with the
/// padding, 3712 without.
const B: usize = 256;
const S: usize = 18;
const T: usize = 16;

/// The number of tokens of source `i`.
fn source_length(i: usize) -> usize {
    S - 5 * i % 8
}

/// The number of tokens of target `i`.
fn target_length(i: usize) -> usize {
    T - i % 4
}

/// A translation model that trains.
pub struct TranslateWorkload {
    facts: Facts,
    /// The preset, and the number of tokens in the vocabulary.
    preset: &'static str,
    vocab_size: usize,
}

/// The workloads.
pub static WORKLOADS: [TranslateWorkload; 5] = [
    train("train-translate-tiny", TINY, 20),
    train("train-translate-small", SMALL, 8),
    train("train-translate-base", BASE, 2),
    in_bf16(train("train-translate-tiny-bf16", TINY, 20)),
    in_bf16(train("train-translate-small-bf16", SMALL, 8)),
];

/// A preset, what a step of it is, the size of its vocabulary, and the most seconds a step should take.
type Size = (&'static str, &'static str, usize, f64);
const TINY: Size = ("tiny", "a step of 4+4 layers, 128 wide, 3712 target tokens", 9712, 0.40);
const SMALL: Size = ("small", "a step of 3+3 layers, 256 wide, 3712 target tokens", 8000, 0.75);
const BASE: Size = ("base", "a step of the paper's base model, 3712 target tokens", 10_000, 5.0);

const fn train(
    name: &'static str,
    (preset, what, vocab_size, seconds): Size,
    steps: usize,
) -> TranslateWorkload {
    let facts = Facts {
        name,
        what,
        precision: Precision::F32,
        steps,
        recorded: 2,
        target: Target::Seconds(seconds),
        ratios: [Some(1.3); 2],
        scalings: &[],
    };
    TranslateWorkload { facts, preset, vocab_size }
}

const fn in_bf16(workload: TranslateWorkload) -> TranslateWorkload {
    let facts = Facts { precision: Precision::Bf16, ..workload.facts };
    TranslateWorkload { facts, ..workload }
}

impl Workload for TranslateWorkload {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn amount(&self) -> (usize, &'static str) {
        ((0..B).map(target_length).sum(), "tokens/s")
    }

    fn recorded_part(&self) -> &'static str {
        "a step"
    }

    fn peers(&self, steps: usize, threads: usize) -> Vec<Peer> {
        let [first, last] = self.facts.ratios;
        let (steps, threads) = (steps.to_string(), threads.to_string());
        let dtype = self.facts.precision.name();
        let args = ["--workload", self.preset, "--steps", &steps, "--threads", &threads, "--dtype", dtype];
        let peer = |name, model, mode, target| {
            let args = [&args[..], &["--model", model, "--mode", mode]].concat();
            Peer::new(name, "translate_torch.py", &["torch"], &args, target)
        };
        vec![
            peer("nn.Transformer eager", "nn", "eager", first),
            peer("PyTorch eager", "fused", "eager", first),
            peer("PyTorch compiled", "fused", "compile", last),
        ]
    }

    fn with_work(&self, _: Option<Batch>, measure: Measure<'_>) -> anyhow::Result<Measurement> {
        measure(&mut training(self)?)
    }
}

/// The token of the padding.
const PADDING: u32 = 0;

/// Training steps of this workload's model, on random tokens.
fn training(workload: &TranslateWorkload) -> anyhow::Result<impl Work> {
    let mut all = toml::Table::try_from(Config::default())?;
    all.extend(toml::from_str::<toml::Table>(preset(workload.preset).unwrap_or_default())?);
    let config = Config { precision: workload.facts.precision, ..all.try_into()? };
    let mut adamw = AdamW::new(0.0);
    (adamw.betas, adamw.eps) = ((config.beta1, config.beta2), config.eps);
    let model = Transformer::new(config.model(workload.vocab_size), 1)?;
    let (v, mut rng) = (workload.vocab_size as u32, Streams::new(1).stream("bench", 0));
    // (B, longest), each row followed by padding
    let mut tokens = move |longest: usize, length: fn(usize) -> usize| {
        let mut ids = Vec::with_capacity(B * longest);
        for i in 0..B {
            ids.extend((0..length(i)).map(|_| PADDING + 1 + below(&mut rng, v - PADDING - 1)));
            ids.resize((i + 1) * longest, PADDING);
        }
        Tokens::new([B, longest], ids)
    };
    let lengths = |length: fn(usize) -> usize| -> Arc<[usize]> { (0..B).map(length).collect() };
    let next_batch = move || {
        Ok(PairBatch {
            source: tokens(S, source_length)?,
            source_lengths: lengths(source_length),
            input: tokens(T, target_length)?,
            target: tokens(T, target_length)?,
            target_lengths: lengths(target_length),
            padding: PADDING,
            rows: None,
        })
    };
    Ok(TrainingSteps::new(model, adamw, next_batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_counts_the_tokens_of_the_rate() {
        for workload in &WORKLOADS {
            let tokens = format!(" {} target tokens", workload.amount().0);
            assert!(workload.facts.what.ends_with(&tokens), "{}", workload.facts.what);
        }
    }
}
