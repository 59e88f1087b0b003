//! The commands of the models, `m2g digits`, `m2g gpt` and `m2g translate`, built from the list of models.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, Error, FromArgMatches, Subcommand};

use super::kind::ModelKind;
use super::{MODELS, named, names};

/// A command of a model.
pub struct ModelCommand {
    model: &'static dyn ModelKind,
    matches: ArgMatches,
}

impl ModelCommand {
    /// Whether it trains a model, which several processes can do together.
    pub fn trains(&self) -> bool {
        self.matches.subcommand_name() == Some("train")
    }

    /// Runs the command.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.model.run(&self.matches)
    }
}

impl FromArgMatches for ModelCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let found = matches.subcommand().and_then(|(name, matches)| Some((named(name)?, matches.clone())));
        match found {
            Some((model, matches)) => Ok(Self { model, matches }),
            None => {
                let known = names().collect::<Vec<_>>().join(", ");
                Err(Error::raw(ErrorKind::MissingSubcommand, format!("give a model: {known}\n")))
            }
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for ModelCommand {
    fn augment_subcommands(command: Command) -> Command {
        MODELS.iter().fold(command, |command, model| {
            let subcommand = model.command().subcommand_required(true).arg_required_else_help(true);
            command.subcommand(subcommand)
        })
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        named(name).is_some()
    }
}
