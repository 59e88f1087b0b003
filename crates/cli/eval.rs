//! `m2g MODEL eval`, the same for every model.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::flags::{Checkpoint, run_path};
use crate::output;

/// A model with the subcommand `eval`.
pub trait EvalCommand: 'static {
    /// The flags that only this model has.
    type Flags: Args + Send + Sync;

    /// Measures the checkpoint `file` of a run.
    fn evaluate(flags: Self::Flags, run: &Path, file: &str) -> anyhow::Result<Measured>;
}

/// The result of an evaluation.
pub struct Measured {
    /// The result as text.
    pub text: String,
    /// The result as a JSON object.
    pub json: Value,
}

/// `m2g MODEL eval`.
#[derive(Args)]
pub struct Eval<M: EvalCommand> {
    /// The run: a name under runs/, or a path.
    run: String,
    #[command(flatten)]
    flags: M::Flags,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Print one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

impl<M: EvalCommand> Eval<M> {
    /// Measures and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Measured { text, mut json } =
            M::evaluate(self.flags, &run_path(&self.run), self.checkpoint.file())?;
        json["event"] = "eval".into();
        match self.json {
            true => output::line(json)?,
            false => output::line(text)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
