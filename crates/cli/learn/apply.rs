//! `m2g learn use`: the learner's code trains a model, beside ours.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use m2g_core::data::catalogue;
use m2g_core::data::mnist::{self, LabelledImages, Split};
use m2g_gpt::data::OWN_FILES;
use m2g_learn::apply::attention::Programs;
use m2g_learn::apply::{digits, needed, text, used};
use m2g_learn::error::LearnError;
use m2g_learn::exercise::Exercise;
use m2g_learn::exercises::{ALL, named};
use m2g_learn::grade::Verdict;
use m2g_learn::program::{Build, Compiled, Program, compile};
use m2g_text::Source;
use serde_json::json;

use super::course::{Course, verdict};
use crate::output;
use crate::terminal::lines::{fold, visible};
use crate::terminal::width::columns;

/// How long the learner's program may take for one answer when it is used.
const LIMIT: Duration = Duration::from_secs(60);

/// The training and the test images of the network of digits.
const IMAGES: (usize, usize) = (5000, 1000);

/// Steps of the network of digits: three times over its images.
const DIGIT_STEPS: usize = 1500;

/// Steps of the GPT, and the characters that it writes.
const TEXT_STEPS: usize = 1000;
const CHARACTERS: usize = 400;

/// The text to train on if it is on this machine.
const SHAKESPEARE: &str = "tiny-shakespeare";

/// The most bytes of a text.
const MAX_TEXT: u64 = 16 << 20;

/// Use a finished exercise in a model, beside our own code: `backprop` or `update_mini_batch` trains a
/// network on real digits; `head` and `head_backward` train a small GPT, which then writes.
#[derive(Args)]
pub struct Use {
    /// The exercise: a name or a number. Without it, the last one that passes and can be used.
    #[arg(value_name = "EXERCISE")]
    exercise: Option<String>,
    /// Training steps [default: 1500 on digits, 1000 on text].
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// The text for a GPT: a file, a folder or a dataset [default: tiny-shakespeare if it is on this
    /// machine, or else the notes of this project].
    #[arg(long, value_name = "TEXT")]
    data: Option<PathBuf>,
}

impl Use {
    /// Uses this exercise with the default text and steps.
    pub(super) fn of(exercise: &Exercise) -> Self {
        Self { exercise: Some(exercise.name.into()), steps: None, data: None }
    }

    /// The same with this exercise, unless one was given.
    pub(super) fn or(self, exercise: Option<String>) -> Self {
        Self { exercise: self.exercise.or(exercise), ..self }
    }

    /// Trains with the learner's programs.
    pub(super) fn run(self, course: &mut Course) -> anyhow::Result<ExitCode> {
        let last = || ALL.into_iter().rfind(|exercise| course.is_ready_to_use(exercise));
        let exercise = match &self.exercise {
            Some(name) => named(name)?,
            None => last().ok_or(LearnError::NotPassed("backprop"))?,
        };
        if needed(exercise).is_none() {
            let used = used().collect::<Vec<_>>().join(", ");
            return Err(LearnError::Unused { name: exercise.name, used }.into());
        }
        let is_ours = match exercise.name {
            "head" | "head_backward" => self.train_text(course, exercise)?,
            name if self.data.is_some() => return Err(LearnError::NoText(name).into()),
            _ => self.train_digits(course, exercise)?,
        };
        Ok(if is_ours { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Returns whether the learner's network became ours.
    fn train_digits(&self, course: &mut Course, exercise: &'static Exercise) -> anyhow::Result<bool> {
        let mut solver = course.passing_program(exercise)?;
        let data = mnist::load(&catalogue::find("mnist", None)?, Split::default())?;
        let first = |images: &LabelledImages, n: usize| images.slice(0..images.len().min(n));
        let (training, test) = (first(&data.train, IMAGES.0), first(&data.test, IMAGES.1));
        let (images, tests) = (training.len().to_string(), test.len().to_string());
        let (texts, is_json) = (&course.texts, course.json);
        if !is_json {
            course.line(&texts.say("use_mnist", &[("name", exercise.name), ("images", &images)]))?;
        }
        let mut written = Ok(());
        let report = &mut |epoch: digits::Epoch| {
            let (number, yours, ours) =
                (epoch.epoch.to_string(), epoch.yours.to_string(), epoch.ours.to_string());
            let inserts = [("epoch", &*number), ("yours", &yours), ("ours", &ours), ("tests", &tests)];
            let line = match is_json {
                true => output::line(json!({
                    "event": "use", "exercise": exercise.name, "epoch": epoch.epoch, "yours": epoch.yours,
                    "ours": epoch.ours, "tests": test.len(),
                })),
                false => course.line(&texts.say("use_mnist_epoch", &inserts)),
            };
            written = std::mem::replace(&mut written, Ok(())).and(line);
        };
        let steps = self.steps.unwrap_or(DIGIT_STEPS);
        let digits::Comparison { difference, differs_from, right } =
            digits::train(exercise, &mut solver, (&training, &test), steps, report)?;
        written?;
        if is_json {
            output::line(json!({
                "event": "used", "exercise": exercise.name, "difference": difference,
                "differs_from_step": differs_from, "right": right, "tests": test.len(),
            }))?;
            return Ok(differs_from.is_none());
        }
        let sentence = match differs_from {
            Some(_) => "use_mnist_differs",
            // Guessing reads one digit in ten.
            None if 2 * right < test.len() => "use_mnist_short",
            None => "use_mnist_end",
        };
        let step = differs_from.unwrap_or_default().to_string();
        let (difference, right) = (format!("{difference:.1e}"), right.to_string());
        let inserts = [("step", &*step), ("difference", &difference), ("right", &right), ("tests", &tests)];
        course.line(&texts.say(sentence, &inserts))?;
        Ok(differs_from.is_none())
    }

    /// Returns whether the learner's model learnt as ours.
    fn train_text(&self, course: &mut Course, exercise: &'static Exercise) -> anyhow::Result<bool> {
        let [head, backward] = ["head", "head_backward"];
        let head = Box::new(course.passing_program(named(head)?)?);
        let backward = Box::new(course.passing_program(named(backward)?)?);
        let programs = Programs { head, backward, failed: None };
        let data = self.text()?;
        let (texts, is_json) = (&course.texts, course.json);
        if !is_json {
            let characters = data.chars().count().to_string();
            course.line(&texts.say("use_text", &[("name", exercise.name), ("characters", &characters)]))?;
        }
        let mut written = Ok(());
        let report = &mut |losses: text::Losses| {
            let text::Losses { step, yours, ours } = losses;
            let line = match is_json {
                true => output::line(json!({
                    "event": "use", "exercise": exercise.name, "step": step, "yours": yours, "ours": ours,
                })),
                false => {
                    let (step, yours, ours) = (step.to_string(), format!("{yours:.4}"), format!("{ours:.4}"));
                    let inserts = [("step", &*step), ("yours", &*yours), ("ours", &*ours)];
                    course.line(&texts.say("use_text_step", &inserts))
                }
            };
            written = std::mem::replace(&mut written, Ok(())).and(line);
        };
        let steps = self.steps.unwrap_or(TEXT_STEPS);
        let text::Written { sample, differs_from } =
            text::train_and_write(programs, &data, steps, CHARACTERS, report)?;
        written?;
        if is_json {
            output::line(json!({
                "event": "used", "exercise": exercise.name, "sample": sample,
                "differs_from_step": differs_from,
            }))?;
            return Ok(differs_from.is_none());
        }
        course.line(&texts.say("use_text_sample", &[]))?;
        output::line(fold(&visible(&sample), columns()))?;
        if let Some(step) = differs_from {
            course.line(&texts.say("use_text_differs", &[("step", &step.to_string())]))?;
        }
        Ok(differs_from.is_none())
    }

    /// The text to train on.
    fn text(&self) -> anyhow::Result<String> {
        let shakespeare = || catalogue::find(SHAKESPEARE, None).is_ok().then(|| PathBuf::from(SHAKESPEARE));
        match self.data.clone().or_else(shakespeare) {
            Some(name) => Ok(Source::named(Path::new(&name))?.read_to_string(MAX_TEXT)?.0),
            None => {
                let notes = OWN_FILES.iter().filter(|(name, _)| name.ends_with(".md"));
                Ok(notes.map(|(_, text)| text).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl Course {
    /// The optimised program of an exercise that passes.
    fn passing_program(&mut self, exercise: &'static Exercise) -> anyhow::Result<Program> {
        let build = Build { release: true, colour: false };
        let passing = match compile(self.folder.path(), exercise.sources.program, build)? {
            Compiled::Program { path, .. } => {
                matches!(verdict(exercise, path.clone())?, Verdict::Passed { .. }).then_some(path)
            }
            Compiled::Refused(_) => None,
        };
        // The learner did not ask to go on with this exercise.
        self.folder.note_aside(exercise, passing.is_some())?;
        let path = passing.ok_or(LearnError::NotPassed(exercise.name))?;
        Ok(Program::to_use(path, LIMIT))
    }
}
