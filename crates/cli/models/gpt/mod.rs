//! The GPT.
//!
//! | file | holds |
//! | --- | --- |
//! | `train.rs`, `eval.rs` | `m2g gpt train` and `m2g gpt eval` |
//! | `open.rs` | a model in memory: gradients, and a step to inspect |
//! | `trace.rs` | one recorded training step |
//! | `bench.rs`, `work.rs` | the workloads, and the work that they time |
//! | `lab.rs` | training for experiments |

mod bench;
mod eval;
mod lab;
mod open;
mod trace;
mod train;
mod work;

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use m2g_gpt::training::KIND;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::kind::{ModelKind, OpenModel, TracedStep, ValidationMetric};
use super::run::SavedRun;
use crate::bench::workload::Workload;
use crate::config_file::{as_map, one_line, with_current_names};
use crate::eval::Eval;
use crate::gpt::{ask, chat, export, import, ladder, plot, prepare, sample};
use crate::lab::trainer::{Trainer, TypedTrainer};
use crate::train::Train;

/// The GPT.
pub struct Gpt;

/// The subcommands of `m2g gpt`.
#[derive(Subcommand)]
enum GptCommand {
    Prepare(prepare::PrepareText),
    /// Train a GPT on any text.
    ///
    /// Without flags, trains a small GPT on short tales in English and Spanish, which a grammar in this program
    /// writes.
    Train(Box<Train<m2g_gpt::Gpt<f32>>>),
    /// Measure a model on text, or on rows of token ids.
    Eval(Eval<m2g_gpt::Gpt<f32>>),
    Plot(plot::Plot),
    Import(import::Import),
    Export(export::Export),
    Sample(Box<sample::Sample>),
    Chat(Box<chat::Chat>),
    Ask(Box<ask::Ask>),
    Ladder(ladder::Ladder),
}

impl ModelKind for Gpt {
    fn name(&self) -> &'static str {
        KIND
    }

    fn noun(&self) -> &'static str {
        "a GPT"
    }

    fn command(&self) -> Command {
        let about = "The GPT: tokenize text, train, evaluate, generate text";
        GptCommand::augment_subcommands(Command::new(KIND)).about(about)
    }

    fn run(&self, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
        match GptCommand::from_arg_matches(matches)? {
            GptCommand::Prepare(prepare) => prepare.run(),
            GptCommand::Train(train) => train.run(),
            GptCommand::Eval(eval) => eval.run(),
            GptCommand::Plot(plot) => plot.run(),
            GptCommand::Import(import) => import.run(),
            GptCommand::Export(export) => export.run(),
            GptCommand::Sample(sample) => sample.run(),
            GptCommand::Chat(chat) => chat.run(),
            GptCommand::Ask(ask) => ask.run(),
            GptCommand::Ladder(ladder) => ladder.run(),
        }
    }

    fn untrained(&self) -> anyhow::Result<Box<dyn OpenModel>> {
        Ok(Box::new(open::OpenGpt::untrained()?))
    }

    fn open(&self, run: &Path, file: &str) -> anyhow::Result<Box<dyn OpenModel>> {
        Ok(Box::new(open::OpenGpt::load(run, file)?))
    }

    fn inspect_flags(&self) -> &'static [&'static str] {
        &["--prompt", "--attention", "--positions", "--head"]
    }

    fn trace_step(&self, run: Option<&SavedRun>, warm_up: u64) -> anyhow::Result<TracedStep> {
        trace::trace_step(run, warm_up)
    }

    fn settings(&self, config: &Value) -> Map<String, Value> {
        with_current_names::<m2g_gpt::Config>(config)
    }

    fn default_settings(&self, settings: &Map<String, Value>) -> Map<String, Value> {
        let data = settings.get("data").and_then(Value::as_str);
        let mut config = m2g_gpt::Config::default();
        // The data decides what the tokenizer auto stands for.
        let on_its_data =
            m2g_gpt::Config { data: data.map_or(config.data.clone(), String::from), ..config.clone() };
        if let Ok(kind) = on_its_data.tokenizer_kind() {
            config.tokenizer = kind.to_string();
        }
        as_map(&config)
    }

    fn wrong_setting(&self, config: &Value) -> Option<String> {
        m2g_gpt::Config::deserialize(config).err().map(|error| one_line(&error.to_string()))
    }

    fn validation_metric(&self) -> ValidationMetric {
        ValidationMetric { name: "val_loss", sign: -1.0 }
    }

    fn workloads(&self) -> Vec<&'static dyn Workload> {
        bench::WORKLOADS.iter().map(|workload| workload as &dyn Workload).collect()
    }

    fn measures(&self) -> &'static [&'static str] {
        &["val_loss", "train_loss", "generation_loss"]
    }

    fn length_setting(&self) -> &'static str {
        "max_iters"
    }

    fn trainer(&self) -> Box<dyn Trainer> {
        Box::new(TypedTrainer::<m2g_gpt::Gpt<f32>>::default())
    }
}
