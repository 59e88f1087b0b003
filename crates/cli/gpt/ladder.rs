//! `m2g gpt ladder`

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::threads::with_threads;
use m2g_core::train::{Ended, Observer, Progress};
use m2g_gpt::data::Corpus;
use m2g_gpt::ladder::{Climbed, RUNGS, Rung};
use m2g_text::TokenizerKind;
use serde_json::json;

use crate::flags::nearest;
use crate::progress::Bar;
use crate::{interrupt, output};

/// Climb from a table of pairs to a GPT, as the lecture "Let's build GPT" does (Karpathy
/// 2023): train each model with the lecture's settings, and print its loss beside the
/// lecture's.
#[derive(Args)]
pub struct Ladder {
    /// The text, whose characters are the tokens: a file, or the name of a dataset.
    #[arg(long, value_name = "DATA", default_value = DATA)]
    data: String,
    /// Only these rungs: bigram, one-head, multi-head, feed-forward, residual, layer-norm, scaled.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "full")]
    rungs: Vec<String>,
    /// The scaled rung too, which takes hours without a GPU.
    #[arg(long)]
    full: bool,
    /// Steps of each rung, instead of the lecture's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// The seed of all random numbers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many threads to use; the result is the same for any number [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write one JSON object for each rung, and a last one, to stdout.
    #[arg(long)]
    json: bool,
}

/// What the lecture trains on.
const DATA: &str = "tiny-shakespeare";

impl Ladder {
    /// Climbs, and prints a table of what was reached.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        interrupt::listen();
        with_threads(usize::from(self.threads.unwrap_or(0)), || self.climb())?
    }

    fn climb(&self) -> anyhow::Result<ExitCode> {
        let rungs = self.chosen()?;
        let corpus = Corpus::load(&self.data, TokenizerKind::Char)?;
        corpus.reports.iter().for_each(|report| eprintln!("{report}"));
        if !self.json {
            output::line(HEAD)?;
        }
        let (mut worst, mut seconds) = (0.0_f64, 0.0);
        for rung in &rungs {
            let mut watch = Watch::new(rung);
            let climbed = rung.train(&corpus, self.seed, &mut watch);
            watch.bar.finish();
            let climbed = climbed?;
            if climbed.ended == Ended::Stopped {
                eprintln!("stopped on the rung {}", rung.name);
                return Ok(ExitCode::from(interrupt::EXIT_CODE));
            }
            let difference = rung.difference(climbed.val_loss_estimate);
            (worst, seconds) = (worst.max(difference.abs()), seconds + climbed.seconds);
            match self.json {
                true => output::line(object(rung, &climbed))?,
                false => output::line(row(rung, &climbed))?,
            }
        }
        if self.json {
            output::line(json!({
                "event": "done", "rungs": rungs.len(), "worst_difference": worst, "seconds": seconds,
            }))?;
        } else if self.data != DATA || self.steps.is_some() {
            eprintln!("the lecture's losses are those of {DATA}, with its own numbers of steps");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The rungs to climb, with as many steps as were asked for.
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
    if let Some(rung) = Rung::named(name.trim()) {
        return Ok(*rung);
    }
    let names = RUNGS.map(|rung| rung.name);
    match nearest(name, names) {
        Some(near) => bail!("there is no rung called \"{name}\": did you mean {near}?"),
        None => bail!("there is no rung called \"{name}\": there are {}", names.join(", ")),
    }
}

/// The head of the table: the loss is that of 200 random batches, as in the lecture.
const HEAD: &str = "rung           parameters   lecture      measured  difference  whole split  seconds";

fn row(rung: &Rung, climbed: &Climbed) -> String {
    format!(
        "{:<13}  {:>10}   {:<11}  {:>8.3}  {:>+10.3}  {:>11.3}  {:>7.1}",
        rung.name,
        climbed.params,
        lecture(rung),
        climbed.val_loss_estimate,
        rung.difference(climbed.val_loss_estimate),
        climbed.val_loss,
        climbed.seconds
    )
}

/// The lecture's loss, or the range of losses that it shows.
fn lecture(rung: &Rung) -> String {
    match rung.lecture {
        (low, high) if low == high => format!("{low:.2}"),
        (low, high) => format!("{low:.2}-{high:.2}"),
    }
}

fn object(rung: &Rung, climbed: &Climbed) -> serde_json::Value {
    json!({
        "event": "rung", "rung": rung.name, "parameters": climbed.params, "steps": rung.steps,
        "val_loss_estimate": climbed.val_loss_estimate, "val_loss": climbed.val_loss,
        "lecture": [rung.lecture.0, rung.lecture.1],
        "difference": rung.difference(climbed.val_loss_estimate), "seconds": climbed.seconds,
    })
}

/// Shows a progress bar for one rung.
struct Watch {
    bar: Bar,
}

/// Steps between two updates of the bar.
const STEPS_PER_UPDATE: u64 = 20;

impl Watch {
    fn new(rung: &Rung) -> Self {
        let bar = Bar::new(0, rung.steps);
        bar.say(&format!("{}: {}", rung.name, rung.about));
        Self { bar }
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        if progress.step.is_multiple_of(STEPS_PER_UPDATE) {
            self.bar.at(progress.step);
        }
    }

    fn warning(&mut self, message: &str) {
        self.bar.say(&format!("warning: {message}"));
    }

    fn stop(&mut self) -> bool {
        interrupt::asked()
    }
}
