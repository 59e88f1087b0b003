//! `m2g gpt ...`

mod peak;
mod prepare;
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
}

/// Runs the subcommand.
pub fn run(command: GptCommand) -> anyhow::Result<ExitCode> {
    match command {
        GptCommand::Prepare(prepare) => prepare.run(),
        GptCommand::Train(train) => train.run(),
    }
}
