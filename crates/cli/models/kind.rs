//! What the command line needs to know about a model.

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use m2g_core::inspect::Inspection;
use m2g_core::trace::Record;
use m2g_core::{Grads, Params};
use serde_json::{Map, Value};

use super::run::SavedRun;
use crate::bench::workload::Workload;
use crate::inspect::input::Input;
use crate::inspect::positions::PositionSettings;
use crate::lab::trainer::Trainer;

/// A kind of model. All commands that work for any model use this trait.
pub trait ModelKind: Sync {
    /// The name in checkpoints and on the command line: `gpt`.
    fn name(&self) -> &'static str;

    /// A noun for messages: `a GPT`.
    fn noun(&self) -> &'static str;

    /// The command `m2g NAME`, with the subcommands of this model.
    fn command(&self) -> Command;

    /// Runs the subcommand that was parsed by [`ModelKind::command`].
    fn run(&self, matches: &ArgMatches) -> anyhow::Result<ExitCode>;

    /// The model with its default settings and initial weights.
    fn untrained(&self) -> anyhow::Result<Box<dyn OpenModel>>;

    /// Opens a checkpoint of a run; `file` is its name in the folder.
    fn open(&self, run: &Path, file: &str) -> anyhow::Result<Box<dyn OpenModel>>;

    /// The model-specific flags of `m2g inspect` that this model accepts.
    fn inspect_flags(&self) -> &'static [&'static str];

    /// Takes `warm_up` training steps and records one more, on the data of the run or, without a
    /// run, on the default data. Saves nothing.
    fn trace_step(&self, run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep>;

    /// The settings in the metadata of a checkpoint, under their current names.
    fn settings(&self, config: &Value) -> Map<String, Value>;

    /// The settings of a run without flags on the data of these settings, which may decide some of them.
    fn default_settings(&self, settings: &Map<String, Value>) -> Map<String, Value>;

    /// What is wrong with settings that were read from a file, if anything is.
    fn wrong_setting(&self, config: &Value) -> Option<String>;

    /// The metric on held-out data by which the best checkpoint is chosen.
    fn validation_metric(&self) -> ValidationMetric;

    /// What `m2g bench` measures.
    fn workloads(&self) -> Vec<&'static dyn Workload>;

    /// The measures that an experiment file can name.
    fn measures(&self) -> &'static [&'static str];

    /// The setting for the length of a training run.
    fn length_setting(&self) -> &'static str;

    /// Trains the arms of an experiment.
    fn trainer(&self) -> Box<dyn Trainer>;
}

/// A model in memory, initialised or loaded.
pub trait OpenModel {
    /// The parameters.
    fn params(&self) -> &Params<f32>;

    /// What a reader should know of the model: a sentence.
    fn remark(&self) -> Option<String> {
        None
    }

    /// The gradient on the first training batch, and its loss.
    fn gradients(&self) -> anyhow::Result<(Grads<f32>, f64)>;

    /// The parameter that the output layer shares, and the name of the output layer's weight.
    fn tied_parameter(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Runs one step on an input and keeps all intermediate values.
    fn inspect(&self, input: &Input) -> anyhow::Result<Inspection>;

    /// The positional encoding, if the model has one.
    fn positions(&self) -> Option<PositionSettings> {
        None
    }
}

/// One recorded training step.
pub struct TracedStep {
    /// The data that the step trained on.
    pub data: String,
    /// A description of the batch: `10 images`.
    pub batch: String,
    /// The parameters before the step.
    pub params: Params<f32>,
    /// The trace.
    pub records: Vec<Record>,
    /// Remarks for the reader.
    pub notes: Vec<String>,
}

/// A metric on held-out data.
#[derive(Debug, Clone, Copy)]
pub struct ValidationMetric {
    /// The name in the metrics: `val_loss`.
    pub name: &'static str,
    /// `metric = sign * score`. The best checkpoint has the highest score.
    pub sign: f64,
}
