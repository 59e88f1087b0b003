//! The reports of a training run while it runs. The core itself prints nothing.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::look::Look;
use super::task::Metrics;

/// Observes a training run.
pub trait Observer {
    /// Called before the first step and after every step, with the parameters and their last gradients.
    fn look(&mut self, _: &dyn Look) {}
    /// Called after every step.
    fn step(&mut self, _: &Progress) {}
    /// Called after every evaluation.
    fn evaluated(&mut self, _: &EvaluationRecord) {}
    /// Called when something is probably wrong.
    fn warning(&mut self, _: &str) {}
    /// Called before every step: `true` saves and stops the run.
    fn stop(&mut self) -> bool {
        false
    }
    /// A function that is called often during an evaluation: `true` abandons the evaluation, saves and
    /// stops the run. The run makes up for the evaluation when it is resumed.
    fn stop_during_evaluation(&self) -> fn() -> bool {
        || false
    }
}

/// Ignores everything.
impl Observer for () {}

/// The state of the loop after a step. As JSON, a line of the metrics file.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Steps in total.
    #[serde(skip)]
    pub steps: u64,
    /// The loss of the last step.
    pub loss: f64,
    /// The learning rate of the last step.
    pub lr: f64,
    /// The norm of the last gradient before clipping; `None` without clipping.
    pub grad_norm: Option<f64>,
    /// How long this process waited for others in the last step; `None` if it trains alone.
    #[serde(skip)]
    pub waited: Option<Duration>,
}

/// Whether a step is logged: the first one, and every `interval`-th.
pub fn is_logged(step: u64, interval: u64) -> bool {
    step == 1 || step.is_multiple_of(interval.max(1))
}

/// The result of an evaluation. As JSON, a line of the metrics file.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluationRecord {
    /// Steps taken.
    pub step: u64,
    /// The number of this evaluation, from 1: of digits, the epoch. If the last step of a run comes between two of
    /// them, its evaluation has the number of the second; if that run is made longer, so has the second.
    pub evaluation: u64,
    /// The mean loss of the steps since the last evaluation.
    pub train_loss: f64,
    /// The learning rate of the last step.
    pub lr: f64,
    /// The metrics of the task.
    #[serde(flatten, serialize_with = "as_map")]
    pub metrics: Metrics,
    /// Whether the score is the best so far.
    pub best: bool,
    /// Seconds of training so far.
    pub seconds: f64,
}

fn as_map<S: Serializer>(metrics: &[(&'static str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metrics.iter().copied())
}
