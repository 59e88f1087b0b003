//! `m2g MODEL train` for every model: shared arguments, progress, stopping, resuming.

pub mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::Error;
use m2g_core::threads::with_threads;
use m2g_core::train::run_folder::CONFIG;
use m2g_core::train::{Ended, Outcome, RunLock, Save, Session, Trainable};
use serde_json::Value;

use self::watch::{Log, Watch};
use crate::flags::{new_run_path, quoted, run_path};
use crate::interrupt::{self, Work};
use crate::output_file::followed_folder;
use crate::terminal::lines::note;
use crate::terminal::notes;
use crate::terminal::program::command;

/// The arguments of a training run that all models share.
#[derive(Args)]
pub struct TrainArgs {
    /// Number of threads; the result is the same for any number [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where to save: a name under runs/, or a path [default: runs/MODEL, runs/MODEL-2, ...].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Replace the run if it exists.
    #[arg(long)]
    overwrite: bool,
    /// Resume a stopped run, or extend a finished one by giving it more steps or epochs.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "overwrite"])]
    resume: Option<String>,
    /// Print one JSON object per logged step and per evaluation, and a final one, to stdout.
    #[arg(long)]
    json: bool,
}

/// A model with the subcommand `train`.
pub trait TrainCommand: Trainable + 'static {
    /// The flags of the model's settings.
    type Settings: Args + Send + Sync;

    /// The subcommand to suggest after training: `eval`.
    const USE_WITH: &'static str;

    /// The flag that extends a run: `--epochs N`.
    const LENGTH_FLAG: &'static str;

    /// The length of a run: `30 epochs`.
    fn length(description: &Self::Description) -> String;

    /// The first flag that would change a setting of a resumed run, if one is given.
    fn fixed_flag(settings: &Self::Settings) -> Option<String>;

    /// The configuration and the data of a new run.
    fn prepare(settings: &Self::Settings) -> anyhow::Result<(Self::Config, Self::Data)>;

    /// The same settings on top of those in the file `config.toml` of a run.
    fn on_top_of(settings: &Self::Settings, config: &Path) -> Self::Settings;

    /// The description of a saved run, with the new values of resumable settings, and its data.
    fn reopen(settings: &Self::Settings, run: &Path) -> anyhow::Result<(Self::Description, Self::Data)>;

    /// Describes the model and the data on stderr. Returns what to log.
    fn introduce(session: &Session<'_, Self>, data: &Self::Data) -> anyhow::Result<Log>;

    /// The results of a finished run, as the fields of a JSON object.
    fn json(session: &Session<'_, Self>, outcome: &Outcome, tokens_per_second: f64) -> Value;

    /// The results of a finished run, as text.
    fn text(
        session: &Session<'_, Self>,
        data: &Self::Data,
        outcome: &Outcome,
        tokens_per_second: f64,
    ) -> anyhow::Result<String>;
}

/// `m2g MODEL train`.
#[derive(Args)]
pub struct Train<M: TrainCommand> {
    #[command(flatten)]
    settings: M::Settings,
    #[command(flatten)]
    args: TrainArgs,
}

impl<M: TrainCommand> Train<M> {
    /// Trains and reports.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let threads = usize::from(self.args.threads.unwrap_or(0));
        with_threads(threads, || match &self.args.resume {
            Some(run) => self.resume(&run_path(run)),
            None => self.start(),
        })?
    }

    fn start(&self) -> anyhow::Result<ExitCode> {
        let path = match &self.args.run {
            Some(name) => run_path(name),
            None => new_run_path(M::KIND),
        };
        let (config, data) = M::prepare(&self.settings)?;
        let work = Work::orderly();
        let folder = followed_folder(&path);
        let session = match Session::<M>::new(config, &data, Save::at(&folder, self.args.overwrite)) {
            // Another process took the free name just now.
            Err(Error::RunExists { .. } | Error::BeingWritten(_)) if self.args.run.is_none() => {
                return self.start();
            }
            session => session?,
        };
        self.train(session, &data, &path, work)
    }

    fn resume(&self, path: &Path) -> anyhow::Result<ExitCode> {
        if let Some(flag) = M::fixed_flag(&self.settings) {
            bail!(
                "{flag} cannot change when a run is resumed: its settings are in {}",
                path.join("config.toml").display()
            );
        }
        let lock = RunLock::take(path)?;
        if lock.is_blank() {
            drop(lock);
            return self.start_again(path);
        }
        let (description, data) = M::reopen(&self.settings, path)?;
        let work = Work::orderly();
        let session = Session::<M>::resume_locked(lock, &data, description)?;
        let why = match session.ended() {
            None => {
                notes::line(format_args!("resuming {} after step {}", path.display(), session.state.step));
                return self.train(session, &data, path, work);
            }
            Some(Ended::OutOfPatience) => "has run out of patience".into(),
            Some(_) => {
                let length = M::length(&session.description);
                format!("has finished all its {length}: give more with {}", M::LENGTH_FLAG)
            }
        };
        bail!("{} {why}; or use it with `{}`", path.display(), use_command::<M>(path))
    }

    /// Starts a run from the beginning. Older versions wrote no checkpoint at step 0, so a run that was killed
    /// early has nothing to resume from.
    fn start_again(&self, path: &Path) -> anyhow::Result<ExitCode> {
        let settings = M::on_top_of(&self.settings, &path.join(CONFIG));
        let (config, data) = M::prepare(&settings)?;
        let work = Work::orderly();
        let session = Session::<M>::new(config, &data, Save::Replace(path))?;
        note(&format!("{} has no checkpoint yet, so it starts from the beginning", path.display()));
        self.train(session, &data, path, work)
    }

    /// Trains, which is `work`, and reports.
    fn train(
        &self,
        mut session: Session<'_, M>,
        data: &M::Data,
        path: &Path,
        work: Work,
    ) -> anyhow::Result<ExitCode> {
        session.notes.iter().for_each(|text| note(text));
        let steps = session.options().steps;
        let log = M::introduce(&session, data)?;
        let mut watch = Watch::new((session.state.step, steps), log, self.args.json);
        let outcome = session.run(&mut watch);
        let tokens_per_second = watch.tokens_per_second();
        let mut results = watch.finish();
        let outcome = outcome?;
        drop(work);
        if outcome.ended == Ended::Stopped && session.ended().is_some() {
            note(&format!(
                "stopped before the test; all steps are taken and saved in {}; next:",
                path.display()
            ));
            notes::line(format_args!("  {}", use_command::<M>(path)));
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        if outcome.ended == Ended::Stopped {
            note(&format!("stopped and saved after {} of {steps} steps; to resume:", outcome.steps));
            notes::line(format_args!(
                "  {}",
                command(&format!("{} train --resume {}", M::KIND, quoted(path)))
            ));
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        if self.args.json {
            let mut json = M::json(&session, &outcome, tokens_per_second);
            json["event"] = "done".into();
            json["run"] = serde_json::to_value(path)?;
            results.line(json);
        } else {
            results.line(M::text(&session, data, &outcome, tokens_per_second)?);
        }
        notes::line(format_args!("saved in {}; next:\n  {}", path.display(), use_command::<M>(path)));
        results.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The command that uses a run.
fn use_command<M: TrainCommand>(path: &Path) -> String {
    command(&format!("{} {} {}", M::KIND, M::USE_WITH, quoted(path)))
}
