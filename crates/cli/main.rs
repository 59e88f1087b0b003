//! `m2g`: the command line of mnist-to-gpt.
//!
//! One file per subcommand; `models/` says what each model can do. Results go to stdout, progress
//! and notes go to stderr. An error is one sentence and a non-zero exit code: 1 for failures, 2 for
//! a wrong command line, 130 after Ctrl-C.

mod bench;
mod compare;
mod config_file;
mod data;
mod digits;
mod doctor;
mod errors;
mod eval;
mod flags;
mod gpt;
mod inspect;
mod interrupt;
mod lab;
mod machine;
mod models;
mod output;
mod params;
mod picture;
mod plot;
mod progress;
mod setting_flags;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::models::command::ModelCommand;

/// Learn neural networks from the ground up: from a handwritten-digit classifier to a GPT.
#[derive(Parser)]
#[command(name = "m2g", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The models: train, evaluate, use.
    #[command(flatten)]
    Model(ModelCommand),
    /// What-if experiments: train models that differ in one setting, and compare.
    Lab(Box<lab::Lab>),
    /// Show what two models share: the core functions of one training step of each.
    ///
    /// Without arguments: the digit network and the GPT, with their default settings. For two runs,
    /// also compares settings, parameters and curves. Saves nothing.
    Compare(compare::Compare),
    /// Look into one step of a model, op by op, and draw its attention.
    Inspect(Box<inspect::Inspect>),
    /// List every parameter of a model.
    Params(params::ListParams),
    /// Datasets: list them, download one, verify its files.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Measure how fast training and generation are on this machine, and how much memory they need.
    ///
    /// Every measurement runs in its own process and is compared with the machine's limits, with
    /// targets and, with --against, with a peer. The data is random, since only the time matters.
    Bench(bench::Bench),
    /// Report this machine's hardware and limits, where data is searched, and what slows training
    /// down.
    Doctor(doctor::Doctor),
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match cli.command {
        Command::Model(command) => command.run(),
        Command::Lab(lab) => lab.run(),
        Command::Compare(compare) => compare.run(),
        Command::Inspect(command) => command.run(),
        Command::Params(command) => command.run(),
        Command::Data(command) => data::run(command).map(|()| ExitCode::SUCCESS),
        Command::Bench(bench) => bench.run(),
        Command::Doctor(doctor) => doctor.run(),
    };
    match result {
        Ok(code) => code,
        // The reader of our output has closed it: nothing is wrong.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", errors::sentence(&error, &matches));
            ExitCode::FAILURE
        }
    }
}
