//! How to train, the progress of a run, and when it ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observer::EvaluationRecord;
use super::task::Evaluation;
use crate::optim::Schedule;

/// [`Schedule::HalveOnPlateau`] ends a run after more halvings of the learning rate than this.
const MAX_HALVINGS: u32 = 7;

/// The most seconds of a training, 30,000 years, and the largest sum of losses. What is larger was not measured.
const MAX_SECONDS: f64 = 1e12;
const MAX_LOSS_SUM: f64 = 1e100;

/// How to train, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of steps.
    pub steps: u64,
    /// Steps between evaluations: an epoch, for the digits.
    pub steps_per_evaluation: u64,
    /// Steps between two logged steps; `None` logs only evaluations.
    pub log_interval: Option<u64>,
    /// The learning rate.
    pub lr: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Gradients with a larger norm are scaled down to this norm.
    pub clip: Option<f64>,
    /// Stop after this many evaluations in a row without improvement.
    pub patience: Option<u32>,
    /// The number of shards of each step, which several processes can compute at the same time.
    pub shards: usize,
    /// The seed of the dropout masks.
    pub seed: u64,
    /// The minimum time between two checkpoints.
    pub checkpoint_interval: Duration,
}

impl Default for Options {
    /// No steps, a constant learning rate of 0.001, and at least 2 seconds between checkpoints.
    fn default() -> Self {
        Self {
            steps: 0,
            steps_per_evaluation: 1,
            log_interval: None,
            lr: 1e-3,
            schedule: Schedule::Constant,
            clip: None,
            patience: None,
            shards: 1,
            seed: 1,
            checkpoint_interval: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// Why a run in this state has ended; `None` if it has steps left to take, or an evaluation to make
    /// up for.
    pub fn ended(&self, state: &State) -> Option<Ended> {
        if state.evaluation_is_due {
            return None;
        }
        let plateau = matches!(self.schedule, Schedule::HalveOnPlateau { .. });
        if state.step >= self.steps {
            return Some(Ended::Finished);
        }
        let out_of_patience = self.patience.is_some_and(|p| state.without_improvement >= p)
            || (plateau && state.halvings > MAX_HALVINGS);
        out_of_patience.then_some(Ended::OutOfPatience)
    }

    /// Whether an evaluation follows this number of steps.
    pub(super) fn evaluates_after(&self, step: u64) -> bool {
        step.is_multiple_of(self.steps_per_evaluation.max(1)) || step == self.steps
    }
}

/// Why a training run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It took all steps.
    Finished,
    /// The score has not improved for as long as `patience` allows.
    OutOfPatience,
    /// The observer stopped it.
    Stopped,
}

/// The progress of a training run. With the parameters and the tensors of the optimiser, it is
/// everything that is needed to resume to the same bits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps taken.
    pub step: u64,
    /// The sum of the losses since the last evaluation.
    pub loss_sum: f64,
    /// The best score so far.
    pub best_score: Option<f64>,
    /// The step with the best score.
    pub best_step: u64,
    /// Evaluations since the best score.
    pub without_improvement: u32,
    /// How often the learning rate has been halved.
    pub halvings: u32,
    /// The step of the last evaluation; 0 in checkpoints of older versions.
    #[serde(default)]
    pub evaluated: u64,
    /// Whether the evaluation after the last step is missing, because it was stopped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evaluation_is_due: bool,
    /// Seconds spent, including those before a resume.
    pub seconds: f64,
}

impl State {
    /// Whether training may have left this state. Someone who changes a checkpoint can write any other, with
    /// the right checksum.
    pub fn is_possible(&self) -> bool {
        // Each evaluation follows a step, and each halving an evaluation.
        let counts = [self.best_step, self.evaluated, self.without_improvement.into(), self.halvings.into()];
        counts.iter().all(|&count| count <= self.step)
            && self.step < u64::MAX
            && !(self.evaluation_is_due && self.step == 0)
            && (0.0..=MAX_SECONDS).contains(&self.seconds)
            && self.loss_sum.abs() <= MAX_LOSS_SUM
    }

    /// Updates the state after an evaluation, and returns its record.
    pub(super) fn record(&mut self, evaluation: Evaluation, options: &Options, lr: f64) -> EvaluationRecord {
        let every = options.steps_per_evaluation.max(1);
        // The last step of a run that was made longer was evaluated out of turn.
        let last = ((self.step - 1) / every * every).max(self.evaluated);
        let steps_since_last = self.step.saturating_sub(last).max(1);
        self.evaluated = self.step;
        let train_loss = std::mem::take(&mut self.loss_sum) / steps_since_last as f64;
        // Without a score, the latest parameters count as the best. NaN is a score that every other beats.
        let best = match (evaluation.score, self.best_score) {
            (Some(new), _) if new.is_nan() => self.best_step == 0,
            (Some(new), Some(old)) => new > old,
            _ => true,
        };
        if best {
            let score = evaluation.score.filter(|score| !score.is_nan());
            (self.best_score, self.best_step) = (score, self.step);
            self.without_improvement = 0;
        } else {
            self.without_improvement += 1;
            if let Schedule::HalveOnPlateau { patience } = options.schedule
                && self.without_improvement.is_multiple_of(patience.max(1))
            {
                self.halvings += 1;
            }
        }
        EvaluationRecord {
            step: self.step,
            evaluation: self.step.div_ceil(every),
            train_loss,
            lr,
            metrics: evaluation.metrics,
            best,
            seconds: self.seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_a_score_that_every_other_beats() {
        let options = Options { steps: 100, patience: Some(2), ..Options::default() };
        let mut state = State::default();
        let mut record = |score| {
            state.step += 1;
            let best = state.record(Evaluation { score, ..Evaluation::default() }, &options, 0.1).best;
            (best, options.ended(&state))
        };
        let nan = Some(f64::NAN);
        assert_eq!(
            [nan, nan, Some(-1.0), nan].map(&mut record).map(|(best, _)| best),
            [true, false, true, false]
        );
        assert_eq!(record(nan), (false, Some(Ended::OutOfPatience)));
        assert_eq!((state.best_score, state.best_step), (Some(-1.0), 3));
        // Without scores, the latest parameters are the best.
        let mut state = State { step: 1, ..State::default() };
        for step in 1..=3 {
            state.step = step;
            assert!(state.record(Evaluation::default(), &options, 0.1).best && state.best_step == step);
        }
    }

    #[test]
    fn states_that_training_cannot_leave_are_told_apart() {
        let mut state = State::default();
        assert!(state.is_possible());
        state = State { step: 3, loss_sum: -7.5, seconds: 0.5, evaluation_is_due: true, ..state };
        assert!(state.is_possible());
        state.record(Evaluation { score: Some(f64::NAN), ..Evaluation::default() }, &Options::default(), 0.1);
        state.evaluation_is_due = false;
        assert!(state.is_possible());
        for impossible in [
            State { step: 0, evaluated: 0, best_step: 0, evaluation_is_due: true, ..state.clone() },
            State { step: u64::MAX, evaluation_is_due: true, ..state.clone() },
            State { evaluated: 4, ..state.clone() },
            State { best_step: 4, ..state.clone() },
            State { without_improvement: u32::MAX, ..state.clone() },
            State { halvings: 4, ..state.clone() },
            State { loss_sum: 1.7e308, ..state.clone() },
            State { loss_sum: f64::NAN, ..state.clone() },
            State { seconds: 1e308, ..state.clone() },
            State { seconds: -5.0, ..state.clone() },
        ] {
            assert!(!impossible.is_possible(), "{impossible:?}");
        }
    }
}
