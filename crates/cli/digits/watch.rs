//! What a person, or a machine, sees of a training.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use m2g_core::train::{EvaluationRecord, Observer, Progress};
use serde_json::json;

use crate::{interrupt, output};

/// Steps between two updates of the bar: small steps take microseconds.
const STEPS_PER_UPDATE: u64 = 50;

/// Shows a training on stderr, and with `json` one object for each epoch on stdout.
pub struct Watch {
    bar: ProgressBar,
    epochs: u64,
    json: bool,
    /// The first error of writing to stdout.
    pub failed: Option<anyhow::Error>,
}

impl Watch {
    /// Watches from step `step` of `steps` on.
    pub fn new(step: u64, steps: u64, epochs: u64, json: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let style = "{elapsed_precise} [{bar:30}] {percent:>3} %, {eta} to go  {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        bar.set_position(step);
        bar.reset_eta();
        Self { bar, epochs, json, failed: None }
    }

    /// Writes a line for people.
    pub fn say(&self, text: &str) {
        match self.bar.is_hidden() {
            true => eprintln!("{text}"),
            false => self.bar.println(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        if progress.step.is_multiple_of(STEPS_PER_UPDATE) {
            self.bar.set_position(progress.step);
        }
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let (epoch, epochs) = (record.evaluation, self.epochs);
        let accuracy = record.metrics.iter().find(|(name, _)| *name == "validation_accuracy").map(|m| m.1);
        let measured = match accuracy {
            Some(accuracy) => format!("validation {}", output::percent(accuracy)),
            None => "no validation".into(),
        };
        self.bar.set_message(measured.clone());
        let width = epochs.to_string().len();
        self.say(&format!(
            "epoch {epoch:>width$}/{epochs}  training cost {:.5}  {measured}{}  {:.1} s",
            record.train_loss,
            if record.best && accuracy.is_some() { " *" } else { "  " },
            record.seconds
        ));
        if self.json {
            let line = json!({
                "event": "epoch", "epoch": epoch, "step": record.step, "train_loss": record.train_loss,
                "validation_accuracy": accuracy, "lr": record.lr, "best": record.best,
                "seconds": record.seconds,
            });
            if let Err(error) = output::line(line) {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn warning(&mut self, message: &str) {
        self.say(&format!("warning: {message}"));
    }

    fn stop(&mut self) -> bool {
        interrupt::asked() || self.failed.is_some()
    }
}
