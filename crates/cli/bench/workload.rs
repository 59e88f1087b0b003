//! A workload: something that is measured, with its target and its peers.

use clap::ValueEnum;
use m2g_core::{Precision, WeightFormat};
use serde::Serialize;

use super::measurement::Measurement;
use super::peers::Peer;
use super::work::Work;

/// Measures some work.
pub type Measure<'a> = &'a mut dyn FnMut(&mut dyn Work) -> anyhow::Result<Measurement>;

/// Something that is measured.
pub trait Workload: Sync {
    /// Its name, its target, and how often it is timed.
    fn facts(&self) -> &Facts;

    /// How much one repetition processes, and the unit of that per second.
    fn amount(&self) -> (usize, &'static str);

    /// The part of it that a profile describes: `a step`.
    fn recorded_part(&self) -> &'static str;

    /// The peers that do the same work, as often.
    fn peers(&self, steps: usize, threads: usize) -> Vec<Peer>;

    /// The format of the stored weights, if each repetition generates text, which reads all of
    /// them for every token.
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
    fn only_steps(&self, steps: u64) -> anyhow::Result<()>;
}

/// What is known of a workload without running it.
#[derive(Clone, Copy)]
pub struct Facts {
    /// The name on the command line.
    pub name: &'static str,
    /// A description in half a line.
    pub what: &'static str,
    /// The precision of matrix products.
    pub precision: Precision,
    /// Timed repetitions per process.
    pub steps: usize,
    /// Recorded steps that a profile averages.
    pub recorded: usize,
    /// The target.
    pub target: Target,
    /// Target ratios of the time of the first and of the last peer to ours.
    pub ratios: Option<[f64; 2]>,
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
    /// Texts of 256 to 4096 tokens, with equally many tokens per step: is the memory constant?
    BlockSize,
}
