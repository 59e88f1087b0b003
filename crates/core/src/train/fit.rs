//! The training loop.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::step::routine;
use super::{Model, RunFolder, StepReport, Stepper};
use crate::optim::{Optimizer, Schedule};
use crate::rng::Streams;
use crate::trace::{Phase, Record};
use crate::{Error, Float, Tape};

/// Between two checkpoints lies at least so many times the time that one takes.
const MOST_SAVING: u32 = 20;

/// What the loop trains on and how it measures success.
pub trait Task<T: Float, M: Model<T>> {
    /// The batches of step `step`, one or more, whose gradients are averaged. They depend
    /// on the step and the seed alone.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn batches(&mut self, step: u64) -> Result<&[M::Batch], Error>;

    /// Measures the model on data that it is not trained on. The tape wants no
    /// gradients and is reset afterwards.
    ///
    /// # Errors
    /// If the data does not fit the model.
    fn evaluate(&mut self, model: &M, tape: &mut Tape<T>) -> Result<Evaluation, Error>;

    /// The path of its type, for the trace.
    fn function(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// What an evaluation found.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// What is to grow: the best model is the one with the highest. None if there
    /// is no data to measure it on.
    pub score: Option<f64>,
    /// Figures by name, for the metrics file.
    pub metrics: Vec<(&'static str, f64)>,
}

/// How long and how to train.
#[derive(Debug, Clone)]
pub struct Options {
    /// Steps in all.
    pub steps: u64,
    /// Steps from one evaluation to the next: an epoch, for the digits.
    pub steps_per_evaluation: u64,
    /// The learning rate.
    pub lr: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// The largest norm of a gradient.
    pub clip: Option<f64>,
    /// Stop when so many evaluations brought no improvement.
    pub patience: Option<u32>,
    /// The seed of the dropout masks.
    pub seed: u64,
    /// The least time from one checkpoint to the next.
    pub checkpoint_interval: Duration,
}

/// Where a training stands: with the parameters and the optimiser's tensors,
/// everything needed to go on to the same bits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps made.
    pub step: u64,
    /// Sum of the losses since the last evaluation.
    pub loss_sum: f64,
    /// The best score so far.
    pub best_score: Option<f64>,
    /// The step at which it was found.
    pub best_step: u64,
    /// Evaluations since then.
    pub without_improvement: u32,
    /// How often the learning rate was halved.
    pub halvings: u32,
    /// Seconds spent, all sessions together.
    pub seconds: f64,
}

/// One line of the metrics file.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluationRecord {
    /// Steps made.
    pub step: u64,
    /// Evaluations made, this one included.
    pub evaluation: u64,
    /// Mean loss of the steps since the last evaluation.
    pub train_loss: f64,
    /// The learning rate of the last step.
    pub lr: f64,
    /// What the evaluation found.
    #[serde(flatten, serialize_with = "as_map")]
    pub metrics: Vec<(&'static str, f64)>,
    /// Whether it is the best so far.
    pub best: bool,
    /// Seconds since the start of the training.
    pub seconds: f64,
}

fn as_map<S: serde::Serializer>(metrics: &[(&'static str, f64)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(metrics.iter().copied())
}

/// Where the loop is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// The loss of the last step.
    pub loss: f64,
    /// The learning rate of the last step.
    pub lr: f64,
    /// The norm of the last gradient, if it is clipped.
    pub grad_norm: Option<f64>,
}

/// Who watches a training. The core prints nothing.
pub trait Observer {
    /// After every step.
    fn step(&mut self, _: &Progress) {}
    /// After every evaluation.
    fn evaluated(&mut self, _: &EvaluationRecord) {}
    /// Something is probably not as it should be.
    fn warning(&mut self, _: &str) {}
    /// Asked before every step: whether to save and stop here.
    fn stop(&mut self) -> bool {
        false
    }
}

/// An observer that does not watch.
impl Observer for () {}

/// Why a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All steps were made.
    Finished,
    /// No improvement for as long as was allowed.
    OutOfPatience,
    /// The observer asked for it.
    Stopped,
}

/// A training that is under way: model, optimiser, state, and where it is saved.
pub struct Fit<'a, T: Float, M: Model<T>> {
    /// The model.
    pub model: &'a mut M,
    /// The optimiser.
    pub optimizer: &'a mut dyn Optimizer<T>,
    /// How long and how to train.
    pub options: Options,
    /// Where it stands.
    pub state: State,
    /// The run's folder, if it is to be saved.
    pub run: Option<&'a mut RunFolder<T>>,
}

impl<T: Float, M: Model<T>> Fit<'_, T, M> {
    /// Trains to the end.
    ///
    /// # Errors
    /// What the task, the model or the run's folder return; [`Error::NotFinite`]
    /// when the training diverges, with the last checkpoint left as it was.
    pub fn run(&mut self, task: &mut dyn Task<T, M>, observer: &mut dyn Observer) -> Result<Ended, Error> {
        let mut stepper = Stepper::default();
        let mut evaluation_tape = Tape::new();
        evaluation_tape.set_gradients(false);
        let (earlier, started) = (self.state.seconds, Instant::now());
        let (mut saved, mut saving) = (Instant::now(), Duration::ZERO);
        if self.state.step == 0 {
            self.save(true)?;
        }
        let ended = loop {
            if self.state.step >= self.options.steps {
                break Ended::Finished;
            }
            if self.out_of_patience() {
                break Ended::OutOfPatience;
            }
            if observer.stop() {
                break Ended::Stopped;
            }
            let (report, lr) = self.step(&mut stepper, task)?;
            if self.state.step == 1 {
                warn_of_missing_gradients(&stepper.without_gradient(self.model), observer);
            }
            observer.step(&Progress {
                step: self.state.step,
                steps: self.options.steps,
                loss: report.loss,
                lr,
                grad_norm: report.grad_norm,
            });
            let every = self.options.steps_per_evaluation.max(1);
            if self.state.step.is_multiple_of(every) || self.state.step == self.options.steps {
                let evaluation = task.evaluate(self.model, &mut evaluation_tape)?;
                evaluation_tape.reset();
                self.state.seconds = earlier + started.elapsed().as_secs_f64();
                let record = self.note(evaluation, lr);
                if let Some(run) = &mut self.run {
                    run.append_metrics(&record)?;
                    if record.best {
                        run.keep_best(self.model.params());
                    }
                }
                observer.evaluated(&record);
            }
            if saved.elapsed() >= self.options.checkpoint_interval.max(MOST_SAVING * saving) {
                self.state.seconds = earlier + started.elapsed().as_secs_f64();
                let begun = Instant::now();
                self.save(false)?;
                saved = Instant::now();
                saving = saved - begun;
            }
        };
        self.state.seconds = earlier + started.elapsed().as_secs_f64();
        self.save(false)?;
        Ok(ended)
    }

    /// One step: fetches the batches of this step and trains on them. Returns what it
    /// found and the learning rate.
    #[track_caller]
    fn step(
        &mut self,
        stepper: &mut Stepper<T>,
        task: &mut dyn Task<T, M>,
    ) -> Result<(StepReport, f64), Error> {
        let Options { lr, schedule, steps, clip, seed, .. } = self.options;
        let step = self.state.step;
        let lr = lr * schedule.factor(step, steps, self.state.halvings);
        let trace = &mut stepper.tape.trace;
        trace.enter(Phase::Batch, "Fit::step", "m2g_core::train::fit::Fit");
        stepper.tape.set_dropout(Some(Streams::new(seed).dropout(step)));
        let (started, function) = (stepper.tape.trace.start(), task.function());
        let batches = task.batches(step)?;
        let record = |time| Record { time, ..routine(Phase::Batch, "batches", function, 0) };
        stepper.tape.trace.finish(started, record);
        let report = stepper.step(self.model, batches, self.optimizer, lr, clip, step)?;
        self.state.step += 1;
        self.state.loss_sum += report.loss;
        Ok((report, lr))
    }

    /// Makes `warm_up` steps, and one more of which it returns everything that ran. Saves
    /// nothing.
    ///
    /// # Errors
    /// What the task or the model return.
    pub fn trace_step(&mut self, task: &mut dyn Task<T, M>, warm_up: u64) -> Result<Vec<Record>, Error> {
        let mut stepper = Stepper::default();
        for _ in 0..warm_up {
            self.step(&mut stepper, task)?;
        }
        stepper.tape.trace.switch(true);
        self.step(&mut stepper, task)?;
        Ok(stepper.tape.trace.take())
    }

    /// Takes an evaluation into the state and makes its record.
    fn note(&mut self, evaluation: Evaluation, lr: f64) -> EvaluationRecord {
        let state = &mut self.state;
        let every = self.options.steps_per_evaluation.max(1);
        let since = (state.step - 1) % every + 1;
        let train_loss = std::mem::take(&mut state.loss_sum) / since as f64;
        // Without data to measure the score on, the latest is the best.
        let best = match (evaluation.score, state.best_score) {
            (Some(new), Some(old)) => new > old,
            _ => true,
        };
        if best {
            (state.best_score, state.best_step) = (evaluation.score, state.step);
            state.without_improvement = 0;
        } else {
            state.without_improvement += 1;
            if let Schedule::HalveOnPlateau { patience } = self.options.schedule
                && state.without_improvement.is_multiple_of(patience.max(1))
            {
                state.halvings += 1;
            }
        }
        EvaluationRecord {
            step: state.step,
            evaluation: state.step.div_ceil(every),
            train_loss,
            lr,
            metrics: evaluation.metrics,
            best,
            seconds: state.seconds,
        }
    }

    fn out_of_patience(&self) -> bool {
        let plateau = matches!(self.options.schedule, Schedule::HalveOnPlateau { .. });
        self.options.patience.is_some_and(|p| self.state.without_improvement >= p)
            || (plateau && self.state.halvings > 7)
    }

    fn save(&mut self, first: bool) -> Result<(), Error> {
        let Some(run) = &mut self.run else { return Ok(()) };
        if first {
            run.keep_best(self.model.params());
        }
        run.save(self.model.params(), &*self.optimizer, &self.state)
    }
}

fn warn_of_missing_gradients(names: &[String], observer: &mut dyn Observer) {
    if !names.is_empty() {
        observer.warning(&format!(
            "after the first step these parameters have no gradient, or only zeros, and will not learn: {}",
            names.join(", ")
        ));
    }
}
