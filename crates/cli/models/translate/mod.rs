//! Translation.
//!
//! | file | holds |
//! | --- | --- |
//! | `train.rs`, `eval.rs` | `m2g translate train` and `m2g translate eval` |
//! | `own_data.rs` | the data that a run was trained on |
//! | `open.rs` | a model in memory: gradients, and a step to inspect |
//! | `trace.rs` | one recorded training step |
//! | `lab.rs` | training for experiments |
//! | `bench.rs` | the workloads of `m2g bench` |

mod bench;
mod eval;
mod lab;
mod open;
mod own_data;
mod trace;
mod train;

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use m2g_translate::Transformer;
use m2g_translate::training::KIND;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::kind::{ModelKind, OpenModel, TracedStep, ValidationMetric};
use super::run::SavedRun;
use crate::bench::workload::Workload;
use crate::config_file::{as_map, one_line, with_current_names};
use crate::eval::Eval;
use crate::lab::trainer::{Trainer, TypedTrainer};
use crate::train::Train;
use crate::translate::{ask, prepare, score, sentences};

/// The encoder-decoder Transformer.
pub struct Translate;

/// The subcommands of `m2g translate`.
#[derive(Subcommand)]
enum TranslateCommand {
    Prepare(prepare::PreparePairs),
    /// Train a model to translate.
    ///
    /// Without flags, trains on 18,000 Spanish sentences with English translations that a grammar in this
    /// program writes.
    Train(Box<Train<Transformer<f32>>>),
    /// Measure a model on pairs of sentences: loss, accuracy, BLEU, chrF.
    Eval(Eval<Transformer<f32>>),
    Translate(Box<sentences::Translate>),
    Score(score::Score),
    Ask(Box<ask::Ask>),
}

impl ModelKind for Translate {
    fn name(&self) -> &'static str {
        KIND
    }

    fn noun(&self) -> &'static str {
        "a translation model"
    }

    fn command(&self) -> Command {
        let about = "The Transformer of \"Attention is all you need\": train it to translate, and let it";
        TranslateCommand::augment_subcommands(Command::new(KIND)).about(about)
    }

    fn run(&self, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
        match TranslateCommand::from_arg_matches(matches)? {
            TranslateCommand::Prepare(prepare) => prepare.run(),
            TranslateCommand::Train(train) => train.run(),
            TranslateCommand::Eval(eval) => eval.run(),
            TranslateCommand::Translate(translate) => translate.run(),
            TranslateCommand::Score(score) => score.run(),
            TranslateCommand::Ask(ask) => ask.run(),
        }
    }

    fn untrained(&self) -> anyhow::Result<Box<dyn OpenModel>> {
        Ok(Box::new(open::OpenTransformer::untrained()?))
    }

    fn open(&self, run: &Path, file: &str) -> anyhow::Result<Box<dyn OpenModel>> {
        Ok(Box::new(open::OpenTransformer::load(run, file)?))
    }

    fn inspect_flags(&self) -> &'static [&'static str] {
        &["--prompt", "--attention", "--positions", "--head"]
    }

    fn trace_step(&self, run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep> {
        trace::trace_step(run, warm_up)
    }

    fn settings(&self, config: &Value) -> Map<String, Value> {
        with_current_names::<m2g_translate::Config>(config)
    }

    fn default_settings(&self, _: &Map<String, Value>) -> Map<String, Value> {
        as_map(&m2g_translate::Config::default())
    }

    fn wrong_setting(&self, config: &Value) -> Option<String> {
        m2g_translate::Config::deserialize(config).err().map(|error| one_line(&error.to_string()))
    }

    fn validation_metric(&self) -> ValidationMetric {
        ValidationMetric { name: "val_loss", sign: -1.0 }
    }

    fn workloads(&self) -> Vec<&'static dyn Workload> {
        bench::WORKLOADS.iter().map(|workload| workload as &dyn Workload).collect()
    }

    fn measures(&self) -> &'static [&'static str] {
        &["val_loss", "train_loss", "val_perplexity", "val_accuracy", "val_bleu", "val_exact"]
    }

    fn length_setting(&self) -> &'static str {
        "max_iters"
    }

    fn trainer(&self) -> Box<dyn Trainer> {
        Box::new(TypedTrainer::<Transformer<f32>>::default())
    }
}
