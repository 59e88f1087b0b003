//! `m2g runs`: lists, shows, renames and deletes training runs.
//!
//! | file | holds |
//! | --- | --- |
//! | `summary.rs` | what is known of a run, and what is wrong with it |
//! | `folders.rs` | the folders in runs/, and the run that someone meant by a name |
//! | `list.rs`, `show.rs` | runs as text |
//! | `name.rs` | what a run may be called |
//! | `manage.rs` | renaming and deleting, with all that is checked before |

pub mod folders;
mod list;
pub mod manage;
pub mod name;
mod show;
pub mod summary;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// List, show, rename and delete training runs.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// Print one JSON array to stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum RunsCommand {
    List(list::List),
    Show(show::Show),
    Rename(manage::Rename),
    Delete(manage::Delete),
}

impl Runs {
    /// Runs the subcommand; without one, lists the runs.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => list::List { json: self.json }.run()?,
            Some(RunsCommand::List(list)) => list.run()?,
            Some(RunsCommand::Show(show)) => show.run()?,
            Some(RunsCommand::Rename(rename)) => rename.run()?,
            Some(RunsCommand::Delete(delete)) => delete.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
