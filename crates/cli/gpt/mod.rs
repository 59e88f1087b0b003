//! `m2g gpt ...`

mod prepare;

use std::process::ExitCode;

use clap::Subcommand;

/// What can be done with the GPT.
#[derive(Subcommand)]
pub enum GptCommand {
    /// Turn text into a folder of tokens, to train on.
    Prepare(prepare::PrepareText),
}

/// Runs the subcommand.
pub fn run(command: GptCommand) -> anyhow::Result<ExitCode> {
    match command {
        GptCommand::Prepare(prepare) => prepare.run(),
    }
}
