//! A workload: a task to measure, with its target and its peers.

use anyhow::bail;
use clap::ValueEnum;
use m2g_core::{Precision, WeightFormat};
use serde::Serialize;

use super::measurement::Measurement;
use super::peers::Peer;
use super::work::Work;

/// Measures some work.
pub type Measure<'a> = &'a mut dyn FnMut(&mut dyn Work) -> anyhow::Result<Measurement>;

/// A task to measure.
pub trait Workload: Sync {
    /// Its name, target, number of repetitions, and so on.
    fn facts(&self) -> &Facts;

    /// The number of items that one repetition processes, and the unit of their rate.
    fn amount(&self) -> (usize, &'static str);

    /// The part that a profile describes: `a step`.
    fn recorded_part(&self) -> &'static str;

    /// The peers that do the same work the same number of times.
    fn peers(&self, steps: usize, threads: usize) -> Vec<Peer>;

    /// The format of the stored weights, for a workload that generates text and so reads all weights
    /// for every token.
    fn stored_weights(&self) -> Option<WeightFormat> {
        None
    }

    /// The batch of a training step, if it can be resized.
    fn batch(&self) -> Option<Batch> {
        None
    }

    /// Prepares the work, with another batch if one is given, and measures it.
    fn with_work(&self, batch: Option<Batch>, measure: Measure<'_>) -> anyhow::Result<Measurement>;

    /// Takes `steps` training steps and does nothing else.
    fn only_steps(&self, _steps: u64) -> anyhow::Result<()> {
        bail!("--only-steps is for digit networks")
    }
}

/// The constants of a workload.
#[derive(Clone, Copy)]
pub struct Facts {
    /// The name on the command line.
    pub name: &'static str,
    /// A short description.
    pub what: &'static str,
    /// The precision of matrix products.
    pub precision: Precision,
    /// Timed repetitions per process.
    pub steps: usize,
    /// The number of recorded steps that a profile averages.
    pub recorded: usize,
    /// The target.
    pub target: Target,
    /// Target ratios of the first and the last peer's time to ours.
    pub ratios: [Option<f64>; 2],
    /// The scalings it is measured with by default.
    pub scalings: &'static [Scaling],
}

/// A target.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// At most this many seconds per repetition.
    Seconds(f64),
    /// At least this many tokens per second.
    TokensPerSecond(f64),
}

/// The size of a batch of texts.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// B.
    pub batch_size: usize,
    /// T.
    pub block_size: usize,
}

/// What `--scaling` varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// One thread and all threads: how many times faster is a step?
    Threads,
    /// Batches of 1 to 64 texts: is the time per token constant?
    BatchSize,
    /// Texts of 256 to 4096 tokens, with the same number of tokens per step: is the memory constant?
    BlockSize,
    /// One process and several, started by mpirun: how many times faster is a step?
    Ranks,
}
