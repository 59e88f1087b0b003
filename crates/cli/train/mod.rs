//! `m2g MODEL train` for every model: shared arguments, progress, stopping, resuming.

mod resumed;
mod unsaved;
pub mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::Error;
use m2g_core::ranks::Ranks;
use m2g_core::threads::{self, with_threads};
use m2g_core::train::run_folder::CONFIG;
use m2g_core::train::{Ended, Outcome, RunLock, Save, Session, SessionModel, copy_run, this_program};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::watch::{Log, Watch};
use crate::flags::{Threads, new_run_path, quoted, run_path};
use crate::interrupt::{self, Work};
use crate::output_file::followed_folder;
use crate::ranks;
use crate::runs::name::new_run;
use crate::terminal::lines::{counted, fact, note};
use crate::terminal::notes;
use crate::terminal::program::command;

/// The arguments of a training run that all models share.
#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    threads: Threads,
    /// Where to save: a name under runs/, or a path [default: runs/MODEL, runs/MODEL-2, ...].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Replace the run if it exists.
    #[arg(long)]
    overwrite: bool,
    /// Resume a stopped run, or extend a finished one by giving it more steps or epochs.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "overwrite"])]
    resume: Option<String>,
    /// Print one JSON object per logged step and per evaluation (digits: per epoch) and, unless it is stopped, a final
    /// one, to stdout.
    #[arg(long)]
    json: bool,
    /// Refuse to train unless this number of processes does it together, started by mpirun.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    ranks_expected: Option<u16>,
}

/// The flags of a model's settings.
pub trait TrainSettings: Args + Send + Sync {
    /// The first flag given that cannot change when a run is resumed.
    fn first_fixed(&self) -> Option<String>;

    /// The same flags on top of the settings in the file `config.toml` of a run.
    fn on_top_of(&self, config: &Path) -> Self;
}

/// A model with the subcommand `train`.
pub trait TrainCommand: SessionModel<Config: DeserializeOwned> {
    /// The flags of the model's settings.
    type Settings: TrainSettings;

    /// The subcommand to suggest after training: `eval`.
    const USE_WITH: &'static str;

    /// The flag that extends a run: `--epochs N`.
    const LENGTH_FLAG: &'static str;

    /// The length of a run: `30 epochs`.
    fn length(description: &Self::Description) -> String;

    /// What a run has taken of it so far: `12 epochs`.
    fn taken(session: &Session<'_, Self>) -> String {
        counted(session.state.step, "step")
    }

    /// The configuration and the data of a new run.
    fn prepare(settings: &Self::Settings) -> anyhow::Result<(Self::Config, Self::Data)>;

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
        let ranks = ranks::together(self.args.ranks_expected)?;
        let threads = self.args.threads.given.map_or_else(ranks::default_threads, usize::from);
        with_threads(threads, || match &self.args.resume {
            Some(run) if ranks.is_alone() => self.resume(&run_path(run)),
            Some(run) => self.resume_together(&run_path(run), ranks),
            None => self.start(ranks),
        })?
    }

    /// Starts a new run. Of several processes, only the first saves it.
    fn start(&self, mut ranks: Ranks) -> anyhow::Result<ExitCode> {
        let path = match &self.args.run {
            Some(name) => new_run(name)?,
            None => new_run_path(M::KIND),
        };
        let (config, data) = ranks.agree(M::prepare(&self.settings))?;
        let work = Work::orderly();
        let folder = followed_folder(&path);
        let save = match ranks.rank() {
            0 => Save::at(&folder, self.args.overwrite),
            _ => Save::Nowhere,
        };
        let session = match Session::<M>::new(config, &data, save) {
            // Another process took the free name just now.
            Err(Error::RunExists { .. } | Error::BeingWritten(_))
                if self.args.run.is_none() && ranks.is_alone() =>
            {
                return self.start(ranks);
            }
            session => ranks.agree(session)?,
        };
        self.train(joined(session, ranks)?, &data, &path, work)
    }

    /// Resumes a run in several processes. All but the first work on a copy of it, and save nothing.
    fn resume_together(&self, path: &Path, mut ranks: Ranks) -> anyhow::Result<ExitCode> {
        // Each check is agreed on: a process that ended alone would be killed by MPI before it has said why.
        ranks.agree(self.check_settings_are_kept(path))?;
        let lock = match ranks.rank() {
            0 => Some(ranks.agree(RunLock::take(path))?),
            _ => ranks.agree(Ok::<_, Error>(None))?,
        };
        let folder = ranks.agree(tempfile::tempdir().map_err(Error::temporary))?;
        let copy = folder.path().join("run");
        copy_run(&mut ranks, path, &copy)?;
        let lock = ranks.agree(lock.map_or_else(|| RunLock::take(&copy), Ok))?;
        let told = match ranks.rank() {
            0 => resumed::tell_of_other_settings::<M>(path),
            _ => Ok(()),
        };
        ranks.agree(told)?;
        let (description, data) = ranks.agree(M::reopen(&self.settings, lock.path()))?;
        let work = Work::orderly();
        let session = ranks.agree(Session::<M>::resume_locked(lock, &data, description))?;
        ranks.agree(check_has_not_ended(&session, path))?;
        notes::line(format_args!("resuming {} after step {}", path.display(), session.state.step));
        self.train(joined(session, ranks)?, &data, path, work)
    }

    fn check_settings_are_kept(&self, path: &Path) -> anyhow::Result<()> {
        match self.settings.first_fixed() {
            Some(flag) => bail!(
                "{flag} cannot change when a run is resumed, since the checkpoints of {} hold its settings: start a \
                 new run with --run NAME",
                path.display()
            ),
            None => Ok(()),
        }
    }

    fn resume(&self, path: &Path) -> anyhow::Result<ExitCode> {
        self.check_settings_are_kept(path)?;
        let lock = RunLock::take(path)?;
        if lock.is_blank() {
            drop(lock);
            return self.start_again(path);
        }
        resumed::tell_of_other_settings::<M>(path)?;
        let (description, data) = M::reopen(&self.settings, path)?;
        let work = Work::orderly();
        let session = Session::<M>::resume_locked(lock, &data, description)?;
        check_has_not_ended(&session, path)?;
        notes::line(format_args!("resuming {} after step {}", path.display(), session.state.step));
        self.train(session, &data, path, work)
    }

    /// Starts a run from the beginning. Older versions wrote no checkpoint at step 0, so a run that was killed
    /// early has nothing to resume from.
    fn start_again(&self, path: &Path) -> anyhow::Result<ExitCode> {
        let settings = self.settings.on_top_of(&path.join(CONFIG));
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
        introduce_processes(&session);
        let mut watch = Watch::new((session.state.step, steps), log, self.args.json);
        let outcome = session.run(&mut watch);
        let tokens_per_second = watch.tokens_per_second();
        let mut results = watch.finish();
        let outcome = outcome.map_err(|error| {
            let ended = session.ended().map(|_| (session.state.step, use_command::<M>(path)));
            unsaved::with_advice(error, M::KIND, path, ended)
        })?;
        drop(work);
        if session.ranks().rank() > 0 {
            let stopped = outcome.ended == Ended::Stopped;
            session.leave()?;
            return Ok(if stopped { ExitCode::from(interrupt::EXIT_CODE) } else { ExitCode::SUCCESS });
        }
        if outcome.ended == Ended::Stopped {
            let (said, next) = match session.ended() {
                Some(_) => (
                    format!(
                        "stopped before the test; all steps are taken and saved in {}; next:",
                        path.display()
                    ),
                    use_command::<M>(path),
                ),
                None => (
                    format!(
                        "stopped and saved after {} of {}; to resume:",
                        outcome.steps,
                        counted(steps, "step")
                    ),
                    command(&format!("{} train --resume {}", M::KIND, quoted(path))),
                ),
            };
            note(&said);
            notes::line(format_args!("  {next}"));
            session.leave()?;
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        if self.args.json {
            let mut json = M::json(&session, &outcome, tokens_per_second);
            json["event"] = "done".into();
            json["run"] = path.to_string_lossy().into();
            results.line(json);
        } else {
            results.line(M::text(&session, data, &outcome, tokens_per_second)?);
        }
        notes::line(format_args!("saved in {}; next:\n  {}", path.display(), use_command::<M>(path)));
        session.leave()?;
        results.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A session that trains together with other processes, if there are any.
fn joined<'a, M: SessionModel>(
    mut session: Session<'a, M>,
    mut ranks: Ranks,
) -> anyhow::Result<Session<'a, M>> {
    if !ranks.is_alone() {
        let program = ranks.agree(this_program())?;
        session.join(ranks, &program)?;
    }
    Ok(session)
}

/// Says how the work is shared.
fn introduce_processes<M: SessionModel>(session: &Session<'_, M>) {
    let ranks = session.ranks();
    if !ranks.is_alone() {
        let shards = session.options().shards;
        let text = format!(
            "{} share the {shards} shards of a step, with {} each; communication is the time in which the first waits \
             for others",
            ranks.size(),
            counted(threads::current(), "thread"),
        );
        fact("processes", &text);
    }
}

/// Refuses to resume a run that has no steps left.
fn check_has_not_ended<M: TrainCommand>(session: &Session<'_, M>, path: &Path) -> anyhow::Result<()> {
    let why = match session.ended() {
        None => return Ok(()),
        Some(Ended::OutOfPatience) => "has run out of patience".into(),
        Some(_) if session.state.step > session.options().steps => {
            format!("already has {}: give more with {}", M::taken(session), M::LENGTH_FLAG)
        }
        Some(_) => {
            let length = M::length(&session.description);
            format!("has finished its {length}: give more with {}", M::LENGTH_FLAG)
        }
    };
    bail!("{} {why}; or use it with `{}`", path.display(), use_command::<M>(path))
}

/// The command that uses a run.
fn use_command<M: TrainCommand>(path: &Path) -> String {
    command(&format!("{} {} {}", M::KIND, M::USE_WITH, quoted(path)))
}
