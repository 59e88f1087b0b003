//! What a person, or a machine, sees of a training.

use m2g_core::train::{EvaluationRecord, Observer, Progress};
use serde_json::json;

use crate::progress::Bar;
use crate::{interrupt, output};

/// Steps between two updates of the bar: small steps take microseconds.
const STEPS_PER_UPDATE: u64 = 50;

/// Shows a training on stderr, and with `json` one object for each epoch on stdout.
pub struct Watch {
    bar: Bar,
    epochs: u64,
    json: bool,
    /// The first error of writing to stdout.
    pub failed: Option<anyhow::Error>,
}

impl Watch {
    /// Watches from step `step` of `steps` on.
    pub fn new(step: u64, steps: u64, epochs: u64, json: bool) -> Self {
        Self { bar: Bar::new(step, steps), epochs, json, failed: None }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        if progress.step.is_multiple_of(STEPS_PER_UPDATE) {
            self.bar.at(progress.step);
        }
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let (epoch, epochs) = (record.evaluation, self.epochs);
        let accuracy = record.metrics.iter().find(|(name, _)| *name == "validation_accuracy").map(|m| m.1);
        let measured = match accuracy {
            Some(accuracy) => format!("validation {}", output::percent(accuracy)),
            None => "no validation".into(),
        };
        self.bar.message(measured.clone());
        let width = epochs.to_string().len();
        self.bar.say(&format!(
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
        self.bar.say(&format!("warning: {message}"));
    }

    fn stop(&mut self) -> bool {
        interrupt::asked() || self.failed.is_some()
    }
}
