//! `m2g`: the command line of mnist-to-gpt.
//!
//! One file per subcommand; `models/` defines what each model can do. Results go to stdout, progress
//! and notes go to stderr. An error prints one sentence and sets the exit code: 1 for a failure, 2
//! for an invalid command line, 130 after Ctrl-C.

mod ask;
mod bench;
mod bleu;
mod compare;
mod config_file;
mod data;
mod date;
mod digits;
mod doctor;
mod errors;
mod eval;
mod flags;
#[cfg(test)]
mod fuzz;
mod gpt;
mod help;
mod inspect;
mod interrupt;
mod lab;
mod learn;
mod learning;
mod machine;
mod models;
#[cfg(feature = "page")]
mod open;
mod output;
mod output_file;
mod params;
mod picture;
mod plot;
mod progress;
mod ranks;
mod runs;
mod setting_flags;
mod signals;
mod terminal;
mod train;
mod translate;
mod usage;

use std::env;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use m2g_core::threads;

use self::models::command::ModelCommand;
use self::terminal::program::program;
use self::terminal::width::columns;

/// Learn neural networks from the ground up: from a handwritten-digit classifier to a GPT.
#[derive(Parser)]
#[command(name = "m2g", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One command per model.
    #[command(flatten)]
    Model(ModelCommand),
    #[cfg(feature = "page")]
    Open(open::Open),
    Learn(learn::Learn),
    Lab(Box<lab::Lab>),
    Compare(compare::Compare),
    Inspect(Box<inspect::Inspect>),
    Bleu(bleu::BleuCommand),
    Params(params::ListParams),
    Runs(runs::Runs),
    /// List datasets, download one, or verify its files.
    #[command(subcommand)]
    Data(data::DataCommand),
    Bench(bench::Bench),
    Doctor(doctor::Doctor),
    Completions(help::generate::Completions),
    Man(help::generate::ManPages),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os().skip(1).map(|word| word.to_string_lossy().into()).collect();
    let complete = || help::complete(Cli::command(), &program(), columns()).term_width(columns());
    let command = || learn::help::translate(complete(), &arguments);
    ranks::prepare();
    interrupt::listen();
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage::print(&error, &command()),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage::print(&error, &command()),
    };
    if let Err(error) = threads::default_number() {
        errors::print(&error);
        return ExitCode::FAILURE;
    }
    if let Err(error) = env::current_dir() {
        errors::print(&format!("the current folder cannot be used ({error}): change to another folder"));
        return ExitCode::FAILURE;
    }
    let trains = matches!(&cli.command, Command::Model(command) if command.trains());
    let given = matches.subcommand_name().unwrap_or_default();
    let alone = if trains { Ok(()) } else { ranks::refuse(&format!("m2g {given}")) };
    let result = alone.and_then(|()| machine::choose_instruction_set()).and_then(|()| match cli.command {
        Command::Model(command) => command.run(),
        #[cfg(feature = "page")]
        Command::Open(open) => open.run(),
        Command::Learn(learn) => learn.run(),
        Command::Lab(lab) => lab.run(),
        Command::Compare(compare) => compare.run(),
        Command::Inspect(command) => command.run(),
        Command::Bleu(command) => command.run(),
        Command::Params(command) => command.run(),
        Command::Runs(command) => command.run(),
        Command::Data(command) => data::run(command).map(|()| ExitCode::SUCCESS),
        Command::Bench(bench) => bench.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Completions(completions) => completions.run(command()),
        Command::Man(pages) => pages.run(help::complete(Cli::command(), "m2g", usize::MAX)),
    });
    match result {
        Ok(code) => code,
        // The reader closed the pipe, as `head` does. That is not an error.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            errors::print(&errors::sentence(&error, &matches));
            ExitCode::FAILURE
        }
    }
}
