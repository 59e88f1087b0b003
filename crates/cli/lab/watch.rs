//! Observes the training runs of an experiment.

use std::collections::BTreeMap;
use std::time::Instant;

use m2g_core::Error;
use m2g_core::error::when;
use m2g_core::train::{Ended, EvaluationRecord, Observer, Progress};

use super::trainer::Trained;
use super::trial::Trial;
use crate::interrupt;
use crate::progress::Bar;
use crate::terminal::lines::wrap;
use crate::terminal::width::columns;

/// Steps between two updates of the bar.
const STEPS_PER_UPDATE: u64 = 20;

/// Shows one bar over all training runs, and keeps the evaluations of the current one.
pub struct Watch {
    /// The bar.
    pub bar: Bar,
    /// The total steps of the previous training runs.
    pub before: u64,
    /// When the current training run started.
    started: Instant,
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
            started: Instant::now(),
            curve_of: String::new(),
            curve: Vec::new(),
            times: Vec::new(),
            last: BTreeMap::new(),
        }
    }

    /// Prepares for the next training run, whose curve shows this measure.
    pub fn start(&mut self, measure: &str) {
        self.started = Instant::now();
        self.curve_of = measure.to_string();
        self.curve.clear();
        self.times.clear();
        self.last.clear();
    }

    /// The result of the training run that has just ended, without its names; `None` if it was interrupted.
    ///
    /// # Errors
    /// Any error of the training run, except that training diverged.
    pub fn result(
        &mut self,
        ended: Result<Trained, Error>,
        measures: &[&str],
    ) -> anyhow::Result<Option<Trial>> {
        let (trained, diverged) = match ended {
            Ok(Trained { ended: Ended::Stopped, .. }) => return Ok(None),
            Ok(trained) => (Some(trained), None),
            // The error itself advises to use a checkpoint, which experiments do not save.
            Err(Error::NotFinite { what, step }) => {
                let why = "training has diverged; use a smaller learning rate";
                (None, Some(format!("the {what} is not finite {}: {why}", when(step))))
            }
            Err(error) => return Err(error.into()),
        };
        let seconds =
            trained.as_ref().map_or_else(|| self.started.elapsed().as_secs_f64(), |trained| trained.seconds);
        let mut found = BTreeMap::new();
        if let Some(trained) = trained {
            found.append(&mut self.last);
            found.extend(trained.measures.into_iter().map(|(name, value)| (name.to_string(), value)));
        }
        // A training run may end normally without a finite result. A measure that was not taken is no such case.
        let lost = found.get(measures[0]).is_some_and(|value| !value.is_finite());
        let lost = lost.then(|| format!("{} is not finite at the end", measures[0]));
        let of_use = |name: &str, value: f64| lost.is_none() && measures.contains(&name) && value.is_finite();
        found.retain(|name, value| of_use(name, *value));
        let (curve, times) = (std::mem::take(&mut self.curve), std::mem::take(&mut self.times));
        let diverged = diverged.or(lost);
        Ok(Some(Trial { measures: found, curve, times, diverged, seconds, ..Trial::default() }))
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
        if let Some(value) = self.last.get(&self.curve_of).filter(|value| value.is_finite()) {
            self.curve.push((record.step, *value));
            self.times.push(record.seconds);
        }
    }

    fn warning(&mut self, message: &str) {
        self.bar.print_line(&wrap(&format!("warning: {message}"), columns(), 2));
    }

    fn stop(&mut self) -> bool {
        interrupt::requested()
    }

    fn stop_during_evaluation(&self) -> fn() -> bool {
        interrupt::requested
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The result of a training run with this validation loss, if it was measured, or this error.
    fn result(val_loss: Option<f64>, error: Option<Error>) -> Trial {
        let mut watch = Watch::new(0, 1);
        watch.start("val_loss");
        watch.last.extend(val_loss.map(|loss| ("val_loss".to_string(), loss)));
        watch.last.insert("train_loss".into(), 1.0);
        let trained = Trained { ended: Ended::Finished, seconds: 1.0, measures: Vec::new() };
        watch.result(error.map_or(Ok(trained), Err), &["val_loss", "train_loss"]).unwrap().unwrap()
    }

    #[test]
    fn only_what_is_not_finite_has_diverged() {
        assert_eq!(result(Some(1.5), None).diverged, None);
        let missing = result(None, None);
        assert!(missing.diverged.is_none() && missing.measures.keys().eq(["train_loss"]));
        let lost = result(Some(f64::NAN), None);
        assert_eq!(lost.diverged.unwrap(), "val_loss is not finite at the end");
        assert!(lost.measures.is_empty(), "nothing of it enters a mean");
        let broken = result(None, Some(Error::NotFinite { what: "loss".into(), step: 7 }));
        assert!(broken.seconds > 0.0, "the time until it diverged");
        let error = broken.diverged.unwrap();
        assert!(error.starts_with("the loss is not finite after 7 steps: training has diverged"), "{error}");
        assert!(!error.contains("checkpoint"), "experiments save none: {error}");
    }
}
