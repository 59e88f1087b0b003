//! `m2g learn`: exercises that are graded whenever the learner saves.
//!
//! | file | holds |
//! | --- | --- |
//! | `mod.rs` | the command: watching, hints, solutions, the list |
//! | `course.rs` | the learner's folder, grading, and what is said about it |
//! | `apply.rs` | `m2g learn use`: the learner's code trains a model, beside ours |
//! | `help.rs` | the help in Spanish |

mod apply;
mod course;
pub mod help;

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use m2g_learn::error::LearnError;
use m2g_learn::exercise::Exercise;
use m2g_learn::exercises::{ALL, named};
use m2g_learn::folder::Folder;
use m2g_learn::texts::Language;
use serde_json::json;

use self::course::{Course, Grade, with_flags};
use crate::flags::quoted;
use crate::interrupt::{self, Work};
use crate::output;
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::columns;

/// The folder of the exercises, unless the user chooses another one.
const FOLDER: &str = "learn";

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Learn by writing it yourself: exercises from a neuron to a GPT, graded whenever you save.
///
/// The exercises are small Rust files with a gap, in the folder learn (or --dir). In a terminal, the
/// command watches the file of an exercise, and compiles and grades it again at each save; elsewhere it
/// grades once, and the exit code is 0 if the exercise passes.
#[derive(Args)]
pub struct Learn {
    /// The exercise: a name or a number from the list. Without it, the next one.
    #[arg(value_name = "EXERCISE")]
    exercise: Option<String>,
    /// Grade once instead of watching the file.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    action: Option<Action>,
}

/// Flags of all actions.
#[derive(Args)]
struct Options {
    /// The folder for the exercises and your progress; it is created.
    #[arg(long, value_name = "DIR", default_value = FOLDER, global = true)]
    dir: PathBuf,
    /// The language of tasks, hints and answers [default: that of the environment].
    #[arg(long, value_name = "LANGUAGE", global = true, value_parser = language())]
    lang: Option<Language>,
    /// Print JSON to stdout.
    #[arg(long, global = true)]
    json: bool,
}

/// A language by its two letters.
fn language() -> impl TypedValueParser<Value = Language> {
    let known = [("en", "English"), ("es", "Spanish, español")];
    let known = known.map(|(code, name)| PossibleValue::new(code).help(name));
    PossibleValuesParser::new(known).map(|code| Language::of_locale(&code))
}

#[derive(Subcommand)]
enum Action {
    /// Show the next hint of an exercise; there are three steps.
    Hint(Named),
    /// Show a solution.
    Solution(Named),
    /// Put an exercise back as it was. Your version is kept in the folder old.
    Reset(Named),
    /// List all exercises, and which of them pass.
    List,
    Use(apply::Use),
}

#[derive(Args)]
struct Named {
    /// The exercise: a name or a number. Without it, the current one.
    #[arg(value_name = "EXERCISE")]
    exercise: Option<String>,
}

impl Learn {
    /// Runs the action.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let language = self.options.lang.unwrap_or_else(of_environment);
        let (texts, flags) = (language.texts(), self.options.flags());
        self.act(language).map_err(|error| {
            let translated = error.downcast_ref().and_then(|error| texts.error(error));
            let text = translated.clone().unwrap_or_else(|| error.to_string());
            let complete = with_flags(&text, &flags);
            match translated.is_some() || complete != text {
                true => anyhow::Error::msg(complete),
                false => error,
            }
        })
    }

    fn act(self, language: Language) -> anyhow::Result<ExitCode> {
        let folder = Folder::open(&self.options.dir, language)?;
        let (json, flags) = (self.options.json, self.options.flags());
        let mut course = Course { folder, texts: language.texts(), json, flags };
        // `learn NAME hint` means the same as `learn hint NAME`.
        let outer = self.exercise;
        let chosen = |inner: Option<String>| inner.or(outer.clone()).as_deref().map(named).transpose();
        match self.action {
            None => course.learn(chosen(None)?, self.once),
            Some(Action::Hint(name)) => course.hint(chosen(name.exercise)?),
            Some(Action::Solution(name)) => course.solution(chosen(name.exercise)?),
            Some(Action::Reset(name)) => course.reset(chosen(name.exercise)?),
            Some(Action::List) => course.list(),
            Some(Action::Use(apply)) => apply.or(outer).run(&mut course),
        }
    }
}

impl Options {
    /// The flags that a command for the same folder in the same language needs.
    fn flags(&self) -> String {
        let dir = (self.dir != Path::new(FOLDER)).then(|| format!(" --dir {}", quoted(&self.dir)));
        let lang = self.lang.map(|language| format!(" --lang {}", language.code()));
        dir.unwrap_or_default() + &lang.unwrap_or_default()
    }
}

/// The language that the environment asks for.
fn of_environment() -> Language {
    let set = |name: &&str| env::var(name).is_ok_and(|locale| !locale.is_empty());
    let name = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find(set);
    Language::of_locale(&name.and_then(|name| env::var(name).ok()).unwrap_or_default())
}

impl Course {
    fn learn(&mut self, chosen: Option<&'static Exercise>, once: bool) -> anyhow::Result<ExitCode> {
        let Some(mut exercise) = chosen.or_else(|| self.folder.current()) else {
            self.say_all_done()?;
            return Ok(ExitCode::SUCCESS);
        };
        let watches = !once && !self.json && io::stdin().is_terminal() && io::stdout().is_terminal();
        self.introduce(exercise);
        if !watches {
            let Grade { passes, .. } = self.grade(exercise)?;
            return Ok(if passes { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        self.note(&self.texts.say("watching", &[]));
        let work = Work::stoppable();
        let mut seen = None;
        while !interrupt::requested() {
            let changed = self.folder.changed(exercise);
            if changed.is_some() && changed != seen {
                seen = changed;
                let Grade { passes, is_new } = match self.grade(exercise) {
                    // Ctrl-C ends cargo, and the learner's program, too.
                    Err(_) if interrupt::requested_if_child_failed() => break,
                    graded => graded?,
                };
                // The exercise passes, whatever comes of its use.
                if is_new
                    && self.is_ready_to_use(exercise)
                    && let Err(error) = apply::Use::of(exercise).run(self)
                    && !interrupt::requested_if_child_failed()
                {
                    let translated = error.downcast_ref().and_then(|error| self.texts.error(error));
                    self.note(&translated.unwrap_or_else(|| format!("{error:#}")));
                }
                if passes && !interrupt::requested() {
                    let Some(next) = self.folder.current() else { break };
                    exercise = next;
                    seen = self.folder.changed(exercise);
                    self.introduce(exercise);
                }
            }
            sleep(POLL);
        }
        drop(work);
        Ok(ExitCode::SUCCESS)
    }

    fn hint(&mut self, chosen: Option<&'static Exercise>) -> anyhow::Result<ExitCode> {
        let Some(exercise) = chosen.or_else(|| self.folder.current()) else {
            self.say_all_done()?;
            return Ok(ExitCode::SUCCESS);
        };
        let hints = self.texts.hints(exercise);
        let read = self.folder.progress.hints.get(exercise.name).copied().unwrap_or(0);
        // The last hint stays.
        let step = (read + 1).min(hints.len());
        let hint = hints.get(step.saturating_sub(1)).map_or("", String::as_str);
        match self.json {
            true => output::line(json!({
                "event": "hint", "exercise": exercise.name, "step": step, "steps": hints.len(), "hint": hint,
            }))?,
            false => {
                let (step, steps) = (step.to_string(), hints.len().to_string());
                let text = self.texts.say("hint", &[("step", &step), ("steps", &steps), ("hint", hint)]);
                self.line(&format!("{}: {text}", exercise.name))?;
                if read >= hints.len() {
                    self.note(&self.texts.say("no_more_hints", &[]));
                }
            }
        }
        self.folder.progress.hints.insert(exercise.name.into(), step);
        self.folder.save()?;
        Ok(ExitCode::SUCCESS)
    }

    fn solution(&self, chosen: Option<&'static Exercise>) -> anyhow::Result<ExitCode> {
        let Some(exercise) = chosen.or_else(|| self.folder.current()) else {
            self.say_all_done()?;
            return Ok(ExitCode::SUCCESS);
        };
        let solution = exercise.sources.solution.trim();
        match self.json {
            true => {
                output::line(json!({"event": "solution", "exercise": exercise.name, "solution": solution}))?
            }
            false => output::line(solution)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn reset(&mut self, chosen: Option<&'static Exercise>) -> anyhow::Result<ExitCode> {
        let exercise = chosen.or_else(|| self.folder.current()).ok_or(LearnError::AllDone)?;
        let kept = self.folder.reset(exercise, &self.texts)?;
        let path = quoted(&self.folder.file(exercise));
        if self.json {
            let kept = kept.as_ref().map(|path| path.to_string_lossy());
            output::line(json!({"event": "reset", "exercise": exercise.name, "kept": kept}))?;
            return Ok(ExitCode::SUCCESS);
        }
        match kept {
            Some(kept) => {
                self.line(&self.texts.say("reset", &[("path", &path)]))?;
                self.line(&self.texts.say("kept", &[("path", &quoted(&kept))]))?;
            }
            None => self.line(&self.texts.say("untouched", &[("path", &path)]))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn list(&self) -> anyhow::Result<ExitCode> {
        let progress = &self.folder.progress;
        let passes = |exercise: &Exercise| progress.passed.contains(exercise.name);
        if self.json {
            let all = ALL.iter().enumerate().map(|(i, exercise)| {
                json!({
                    "number": i + 1, "name": exercise.name, "title": self.texts.title(exercise),
                    "passed": passes(exercise), "file": self.folder.file(exercise).to_string_lossy(),
                    "hints_read": progress.hints.get(exercise.name).copied().unwrap_or(0),
                })
            });
            output::line(json!({"event": "list", "exercises": all.collect::<Vec<_>>()}))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new()
            .number("", Narrow::Keep)
            .text("", Narrow::Keep)
            .text("", Narrow::Keep)
            .text("", Narrow::Fold(1));
        for (i, exercise) in ALL.iter().enumerate() {
            let mark = if passes(exercise) { "x" } else { "-" };
            table.row([(i + 1).to_string(), mark.into(), exercise.name.into(), self.texts.title(exercise)]);
        }
        output::line(table.render(columns()))?;
        self.say_progress()?;
        Ok(ExitCode::SUCCESS)
    }
}
