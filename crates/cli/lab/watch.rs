//! Observes the training runs of an experiment.

use std::collections::BTreeMap;

use m2g_core::Error;
use m2g_core::train::{Ended, EvaluationRecord, Observer, Progress};

use super::trainer::Trained;
use crate::interrupt;
use crate::progress::Bar;

/// Steps between two updates of the bar.
const STEPS_PER_UPDATE: u64 = 20;

/// The result of one training run.
pub struct Measured {
    /// The measures by name.
    pub measures: BTreeMap<String, f64>,
    /// Step and value of the first measure at each evaluation.
    pub curve: Vec<(u64, f64)>,
    /// The training time in seconds at each of them.
    pub times: Vec<f64>,
    /// The error that says where training diverged, if it did.
    pub diverged: Option<String>,
    /// The training time in seconds.
    pub seconds: f64,
}

/// Shows one bar over all training runs, and keeps the evaluations of the current one.
pub struct Watch {
    /// The bar.
    pub bar: Bar,
    /// The total steps of the previous training runs.
    pub before: u64,
    curve_of: String,
    curve: Vec<(u64, f64)>,
    times: Vec<f64>,
    /// The last evaluation.
    last: BTreeMap<String, f64>,
}

impl Watch {
    /// Watches training runs of `steps` steps in total; `before` steps are already done.
    pub fn new(before: u64, steps: u64) -> Self {
        let bar = Bar::new(before, steps);
        Self {
            bar,
            before,
            curve_of: String::new(),
            curve: Vec::new(),
            times: Vec::new(),
            last: BTreeMap::new(),
        }
    }

    /// Prepares for the next training run, whose curve shows this measure.
    pub fn start(&mut self, measure: &str) {
        self.curve_of = measure.to_string();
        self.curve.clear();
        self.times.clear();
        self.last.clear();
    }

    /// The result of the training run that has just ended; `None` if it was interrupted.
    ///
    /// # Errors
    /// Any error of the training run, except that training diverged.
    pub fn result(
        &mut self,
        ended: Result<Trained, Error>,
        measures: &[&str],
    ) -> anyhow::Result<Option<Measured>> {
        let (trained, diverged) = match ended {
            Ok(Trained { ended: Ended::Stopped, .. }) => return Ok(None),
            Ok(trained) => (Some(trained), None),
            Err(error @ Error::NotFinite { .. }) => (None, Some(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let seconds = trained.as_ref().map_or(0.0, |trained| trained.seconds);
        let mut found = BTreeMap::new();
        if let Some(trained) = trained {
            found.append(&mut self.last);
            found.extend(trained.measures.into_iter().map(|(name, value)| (name.to_string(), value)));
        }
        found.retain(|name, value| measures.contains(&name.as_str()) && value.is_finite());
        // A training run may end normally without a finite result.
        let lost =
            (!found.contains_key(measures[0])).then(|| format!("{} is not finite at the end", measures[0]));
        let (curve, times) = (std::mem::take(&mut self.curve), std::mem::take(&mut self.times));
        Ok(Some(Measured { measures: found, curve, times, diverged: diverged.or(lost), seconds }))
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        if progress.step.is_multiple_of(STEPS_PER_UPDATE) {
            self.bar.set_step(self.before + progress.step);
        }
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let metrics = record.metrics.iter().map(|(name, value)| (name.to_string(), *value));
        self.last = metrics.chain([("train_loss".to_string(), record.train_loss)]).collect();
        // For a measure taken only after training, the curve shows the validation metric instead.
        let names = [self.curve_of.as_str(), "val_loss", "validation_accuracy"];
        if let Some(value) = names.iter().find_map(|name| self.last.get(*name)).filter(|v| v.is_finite()) {
            self.curve.push((record.step, *value));
            self.times.push(record.seconds);
        }
    }

    fn warning(&mut self, message: &str) {
        self.bar.print_line(&format!("warning: {message}"));
    }

    fn stop(&mut self) -> bool {
        interrupt::requested()
    }

    fn stop_during_evaluation(&self) -> fn() -> bool {
        interrupt::requested
    }
}
