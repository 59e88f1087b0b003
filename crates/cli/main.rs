//! `m2g`: the command line of mnist-to-gpt.
//!
//! One file for each subcommand. Results go to stdout, everything for people who
//! watch goes to stderr. Whatever goes wrong is one sentence and an exit code that
//! is not zero: 1 for failures, 2 for a wrong command line, 130 after Ctrl-C.

mod bench;
mod compare;
mod config_file;
mod data;
mod digits;
mod doctor;
mod errors;
mod flags;
mod gpt;
mod inspect;
mod interrupt;
mod lab;
mod machine;
mod output;
mod params;
mod picture;
mod plot;
mod progress;
mod setting_flags;
mod subject;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Learn neural networks from the ground up: from a handwritten-digit classifier to a GPT.
#[derive(Parser)]
#[command(name = "m2g", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The handwritten-digit network: train, evaluate, read your own pictures, plot.
    #[command(subcommand)]
    Digits(digits::DigitsCommand),
    /// The GPT: turn text into tokens, train.
    #[command(subcommand)]
    Gpt(gpt::GptCommand),
    /// What-if experiments: train models that differ in one thing, and compare.
    Lab(Box<lab::Lab>),
    /// Show what two models have in common: the core functions of one training step of each.
    ///
    /// Without arguments: of the digit network and of the GPT, with their default settings. Of
    /// two runs, settings, parameters and curves are compared too. Nothing is saved.
    Compare(compare::Compare),
    /// Look into one step of a model, op by op, and draw its attention.
    Inspect(Box<inspect::Inspect>),
    /// List every parameter of a model.
    Params(params::ListParams),
    /// The datasets: list them, download one, check its files.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Measure how fast training and generation are here, and how much memory they take.
    ///
    /// Every measurement runs in a process of its own; the machine's limits, targets and, with
    /// --against, a peer's figures stand beside it. Data is random, since only time counts.
    Bench(bench::Bench),
    /// Say what this machine has and can, where data is looked for, and what slows trainings down.
    Doctor(doctor::Doctor),
}

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match cli.command {
        Command::Digits(command) => digits::run(command),
        Command::Gpt(command) => gpt::run(command),
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
        // Whoever read our output has stopped reading: nothing is wrong.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", errors::sentence(&error, &matches));
            ExitCode::FAILURE
        }
    }
}
