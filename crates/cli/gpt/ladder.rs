//! `m2g gpt ladder`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use m2g_core::data::catalogue::{self, Dataset};
use m2g_core::error::hint;
use m2g_core::threads::with_threads;
use m2g_core::train::Ended;
use m2g_gpt::data::Corpus;
use m2g_gpt::ladder::{RUNGS, Rung, RungResult};
use m2g_text::TokenizerKind;
use serde_json::json;

use crate::errors::without_advice;
use crate::flags::Threads;
use crate::interrupt::{self, Work};
use crate::output;
use crate::terminal::lines::{fit, note};
use crate::terminal::notes;
use crate::terminal::width::{columns, pad};
use crate::train::watch::{Log, Watch};

/// Climb from a bigram table to a GPT, as the lecture "Let's build GPT" does (Karpathy 2023).
///
/// Trains each model with the lecture's settings and prints its loss next to the lecture's.
#[derive(Args)]
pub struct Ladder {
    /// The text to train on, with characters as tokens: a file, or the name of a dataset.
    #[arg(long, value_name = "DATA", default_value = DATA)]
    data: String,
    /// Train only these rungs: bigram, one-head, multi-head, feed-forward, residual, layer-norm, scaled.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "full")]
    rungs: Vec<String>,
    /// Include the scaled rung, which takes hours without a GPU.
    #[arg(long)]
    full: bool,
    /// Train each rung for N steps instead of the lecture's number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// The random seed.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Choice")]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
    /// Print one JSON object per rung, and a final one, to stdout.
    #[arg(long)]
    json: bool,
}

/// The data of the lecture.
const DATA: &str = "tiny-shakespeare";

impl Ladder {
    /// Climbs, and prints a table of the losses.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let _work = Work::stoppable();
        with_threads(self.threads.number(), || self.climb())?
    }

    fn climb(&self) -> anyhow::Result<ExitCode> {
        let rungs = self.chosen()?;
        let corpus = Corpus::load(&self.data, TokenizerKind::Char)?;
        corpus.reports.iter().for_each(|report| note(without_advice(report)));
        rungs.iter().try_for_each(|rung| rung.check_length(&corpus))?;
        let comparable = self.steps.is_none() && is_lectures_text(&self.data);
        if !self.json {
            output::line(line(COLUMNS.map(|(_, title, _)| title.into()), comparable))?;
        }
        let (mut worst, mut seconds) = (0.0_f64, 0.0);
        for rung in &rungs {
            note(&format!("{}: {}", rung.name, rung.about));
            let mut watch = Watch::new((0, rung.steps), Log::default(), false);
            let result = rung.train(&corpus, self.seed, &mut watch);
            watch.finish();
            let result = result?;
            if result.ended == Ended::Stopped {
                notes::line(format_args!("stopped on the rung {}", rung.name));
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            }
            let difference = rung.difference(result.val_loss_estimate);
            (worst, seconds) = (worst.max(difference.abs()), seconds + result.seconds);
            match self.json {
                true => output::line(object(rung, &result, comparable))?,
                false => output::line(line(row(rung, &result), comparable))?,
            }
        }
        if self.json {
            output::line(json!({
                "event": "done", "rungs": rungs.len(), "worst_difference": comparable.then_some(worst),
                "seconds": seconds,
            }))?;
        } else if !comparable {
            note(&format!(
                "not compared with the lecture, whose losses are for {DATA} and its own numbers of steps"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The chosen rungs, with the chosen number of steps.
    fn chosen(&self) -> anyhow::Result<Vec<Rung>> {
        let mut rungs = match &self.rungs[..] {
            [] => RUNGS[..if self.full { RUNGS.len() } else { RUNGS.len() - 1 }].to_vec(),
            names => names.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
        };
        if let Some(steps) = self.steps {
            rungs.iter_mut().for_each(|rung| rung.steps = steps);
        }
        Ok(rungs)
    }
}

fn named(name: &str) -> anyhow::Result<Rung> {
    Rung::named(name.trim()).copied().ok_or_else(|| {
        let hint = hint(name, "the rungs", &RUNGS.map(|rung| rung.name));
        anyhow!("no rung is called \"{name}\": {hint}")
    })
}

/// Whether the text is the lecture's: the dataset by name, or a file with its content. Only then can
/// losses be compared.
fn is_lectures_text(data: &str) -> bool {
    let same = |dataset: &Dataset| {
        let [file] = dataset.files else { return false };
        let path = Path::new(data);
        let path = if path.is_dir() { catalogue::local(path, file) } else { Some(path.to_path_buf()) };
        path.is_some_and(|path| path.is_file() && catalogue::check(&path, file).is_ok())
    };
    data == DATA || catalogue::named(DATA).is_ok_and(same)
}

/// The columns of the table, with the rank in which they are left out in a narrow terminal. The measured
/// loss is the mean of 200 random batches, as in the lecture.
const COLUMNS: [(u8, &str, usize); 7] = [
    (0, "rung", 13),
    (3, "parameters", 10),
    (1, "lecture", 9),
    (0, "measured", 8),
    (2, "difference", 10),
    (4, "whole split", 11),
    (5, "seconds", 7),
];

/// A line of the table: the losses are compared with those of the lecture only if they can be.
fn line(cells: [String; 7], comparable: bool) -> String {
    let cells = COLUMNS.iter().zip(cells).enumerate();
    let cells =
        cells.filter(|(_, ((_, title, _), _))| comparable || !["lecture", "difference"].contains(title));
    let cells: Vec<(u8, String)> =
        cells.map(|(i, ((rank, _, width), cell))| (*rank, pad(&cell, *width, i > 0))).collect();
    fit(&cells, columns())
}

fn row(rung: &Rung, result: &RungResult) -> [String; 7] {
    [
        rung.name.into(),
        result.params.to_string(),
        lecture(rung),
        format!("{:.3}", result.val_loss_estimate),
        format!("{:+.3}", rung.difference(result.val_loss_estimate)),
        format!("{:.3}", result.val_loss),
        format!("{:.1}", result.seconds),
    ]
}

/// The lecture's loss, or its range of losses.
fn lecture(rung: &Rung) -> String {
    match rung.lecture {
        (low, high) if low == high => format!("{low:.2}"),
        (low, high) => format!("{low:.2}-{high:.2}"),
    }
}

fn object(rung: &Rung, result: &RungResult, comparable: bool) -> serde_json::Value {
    json!({
        "event": "rung", "rung": rung.name, "parameters": result.params, "steps": rung.steps,
        "val_loss_estimate": result.val_loss_estimate, "val_loss": result.val_loss,
        "comparable": comparable, "lecture": comparable.then_some([rung.lecture.0, rung.lecture.1]),
        "difference": comparable.then(|| rung.difference(result.val_loss_estimate)), "seconds": result.seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_compared_has_no_difference() {
        let result = RungResult {
            ended: Ended::Finished,
            params: 1,
            val_loss_estimate: 2.0,
            val_loss: 2.0,
            seconds: 1.0,
        };
        let [compared, alone] = [true, false].map(|comparable| object(&RUNGS[0], &result, comparable));
        assert!(compared["difference"].is_f64() && compared["lecture"].is_array());
        assert!(alone["difference"].is_null() && alone["lecture"].is_null());
    }

    #[test]
    fn only_the_lectures_text_is_compared() {
        assert!(is_lectures_text(DATA));
        assert!(!is_lectures_text("tales") && !is_lectures_text("Cargo.toml") && !is_lectures_text("crates"));
        let cells = || COLUMNS.map(|(_, title, _)| title.to_string());
        assert_eq!(line(cells(), false).split_whitespace().count(), 6, "\"whole split\" are two words");
        assert!(!line(cells(), false).contains("difference") && line(cells(), true).contains("difference"));
    }
}
