//! `m2g gpt ...`

mod eval;
mod export;
mod import;
mod ladder;
mod prepare;
mod sample;
mod settings;
mod train;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

/// What can be done with the GPT.
#[derive(Subcommand)]
pub enum GptCommand {
    /// Turn text into a folder of tokens, to train on.
    Prepare(prepare::PrepareText),
    /// Train a GPT on any text.
    Train(Box<train::Train>),
    /// Measure a model on text, or on rows of token ids.
    Eval(eval::Eval),
    /// Make a run of a GPT-2 in the format of Hugging Face.
    Import(import::Import),
    /// Write a run in the format of Hugging Face, which transformers loads.
    Export(export::Export),
    /// Let a trained model go on with a text.
    Sample(Box<sample::Sample>),
    /// Climb from a table of pairs to a GPT, as the lecture "Let's build GPT" does.
    Ladder(ladder::Ladder),
}

/// Runs the subcommand.
pub fn run(command: GptCommand) -> anyhow::Result<ExitCode> {
    match command {
        GptCommand::Prepare(prepare) => prepare.run(),
        GptCommand::Train(train) => train.run(),
        GptCommand::Eval(eval) => eval.run(),
        GptCommand::Import(import) => import.run(),
        GptCommand::Export(export) => export.run(),
        GptCommand::Sample(sample) => sample.run(),
        GptCommand::Ladder(ladder) => ladder.run(),
    }
}
