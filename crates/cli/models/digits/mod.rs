//! The digit network.
//!
//! | file | holds |
//! | --- | --- |
//! | `train.rs`, `eval.rs` | `m2g digits train` and `m2g digits eval` |
//! | `open.rs` | a network in memory: gradients, and a step to inspect |
//! | `trace.rs` | one recorded training step |
//! | `bench.rs` | the workloads |
//! | `lab.rs` | training for experiments |

mod bench;
mod eval;
mod lab;
mod open;
mod trace;
mod train;

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use m2g_digits::Network;
use m2g_digits::training::KIND;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::kind::{ModelKind, OpenModel, TracedStep, ValidationMetric};
use super::run::SavedRun;
use crate::bench::workload::Workload;
use crate::config_file::{as_map, one_line, with_current_names};
use crate::digits::{plot, predict};
use crate::eval::Eval;
use crate::lab::trainer::{Trainer, TypedTrainer};
use crate::train::Train;

/// The digit network.
pub struct Digits;

/// The subcommands of `m2g digits`.
#[derive(Subcommand)]
enum DigitsCommand {
    /// Train a network on MNIST, or on other data in the same IDX format.
    ///
    /// Without flags, trains the book's [784, 30, 10] on MNIST, with the initial weights of its chapter 3; the first
    /// network of the book is --config book-ch1.
    Train(Box<Train<Network<f32>>>),
    /// Measure a trained network on the test images.
    Eval(Eval<Network<f32>>),
    Predict(predict::Predict),
    Plot(plot::Plot),
}

impl ModelKind for Digits {
    fn name(&self) -> &'static str {
        KIND
    }

    fn noun(&self) -> &'static str {
        "a digit network"
    }

    fn command(&self) -> Command {
        let about = "The handwritten-digit network: train, evaluate, read your own pictures, plot";
        DigitsCommand::augment_subcommands(Command::new(KIND)).about(about)
    }

    fn run(&self, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
        match DigitsCommand::from_arg_matches(matches)? {
            DigitsCommand::Train(train) => train.run(),
            DigitsCommand::Eval(eval) => eval.run(),
            DigitsCommand::Predict(predict) => predict.run(),
            DigitsCommand::Plot(plot) => plot.run(),
        }
    }

    fn untrained(&self) -> anyhow::Result<Box<dyn OpenModel>> {
        Ok(Box::new(open::OpenNetwork::untrained()?))
    }

    fn open(&self, run: &Path, file: &str) -> anyhow::Result<Box<dyn OpenModel>> {
        Ok(Box::new(open::OpenNetwork::load(run, file)?))
    }

    fn inspect_flags(&self) -> &'static [&'static str] {
        &["--image"]
    }

    fn trace_step(&self, run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep> {
        trace::trace_step(run, warm_up)
    }

    fn settings(&self, config: &Value) -> Map<String, Value> {
        with_current_names::<m2g_digits::Config>(config)
    }

    fn default_settings(&self, _: &Map<String, Value>) -> Map<String, Value> {
        as_map(&m2g_digits::Config::default())
    }

    fn wrong_setting(&self, config: &Value) -> Option<String> {
        m2g_digits::Config::deserialize(config).err().map(|error| one_line(&error.to_string()))
    }

    fn validation_metric(&self) -> ValidationMetric {
        ValidationMetric { name: "validation_accuracy", sign: 1.0 }
    }

    fn workloads(&self) -> Vec<&'static dyn Workload> {
        bench::WORKLOADS.iter().map(|workload| workload as &dyn Workload).collect()
    }

    fn measures(&self) -> &'static [&'static str] {
        &["test_accuracy", "validation_accuracy", "train_loss"]
    }

    fn length_setting(&self) -> &'static str {
        "epochs"
    }

    fn trainer(&self) -> Box<dyn Trainer> {
        Box::new(TypedTrainer::<Network<f32>>::default())
    }
}
