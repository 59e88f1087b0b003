//! The training loop.

use std::time::{Duration, Instant};

use super::look::Seen;
use super::model::Model;
use super::observer::{EvaluationRecord, Observer, Progress, is_logged};
use super::run_folder::RunFolder;
use super::shards::Sharded;
use super::state::{Ended, Options, State};
use super::step::{StepReport, Stepper, routine};
use super::task::Task;
use crate::optim::Optimizer;
use crate::ranks::Ranks;
use crate::rng::Streams;
use crate::trace::{Phase, Record};
use crate::{Error, Float, Params, Tape};

/// The time between two checkpoints is at least this multiple of the time that writing one
/// takes, so that a run spends at most 5 % of its time on them.
const MIN_INTERVAL_PER_SAVE_TIME: u32 = 20;

/// A training run in progress: the model, its optimiser, the state, and where it is saved.
pub struct Fit<'a, T: Float, M: Model<T>> {
    /// The model.
    pub model: &'a mut M,
    /// The optimiser.
    pub optimizer: &'a mut dyn Optimizer<T>,
    /// How to train, and for how long.
    pub options: Options,
    /// The progress of the run.
    pub state: State,
    /// Where the run is saved, if anywhere.
    pub folder: Option<&'a mut RunFolder>,
    /// The parameters with the best score, unless the folder holds them.
    pub best: Option<Params<T>>,
    /// The last evaluation of this session.
    pub last_evaluation: Option<EvaluationRecord>,
    /// The processes that train together.
    pub ranks: Ranks<T>,
    pub(super) sharded: Sharded,
    /// Whether the processes have agreed to stop.
    pub(super) stop: bool,
    /// What went wrong in this process alone since the last step.
    pub(super) failed: Option<Error>,
}

impl<'a, T: Float, M: Model<T>> Fit<'a, T, M> {
    /// A run at step 0 that is not saved.
    pub fn new(model: &'a mut M, optimizer: &'a mut dyn Optimizer<T>, options: Options) -> Self {
        Self {
            model,
            optimizer,
            options,
            state: State::default(),
            folder: None,
            best: None,
            last_evaluation: None,
            ranks: Ranks::default(),
            sharded: Sharded::default(),
            stop: false,
            failed: None,
        }
    }

    /// Trains to the end, or until the observer stops the run. The model then has the
    /// parameters of the last step.
    ///
    /// # Errors
    /// The errors of the task, the model and the folder; [`Error::NotFinite`] if training
    /// diverges, which leaves the last checkpoint unchanged.
    pub fn run(&mut self, task: &mut dyn Task<T, M>, observer: &mut dyn Observer) -> Result<Ended, Error> {
        let mut stepper = Stepper::default();
        let mut evaluation_tape = Tape::without_gradients();
        evaluation_tape.set_stop(observer.stop_during_evaluation());
        let (seconds_before, started) = (self.state.seconds, Instant::now());
        let seconds = || seconds_before + started.elapsed().as_secs_f64();
        let first_step = self.state.step;
        observer.look(&Seen { params: self.model.params(), grads: &stepper.grads });
        let (mut last_save, mut save_time) = (Instant::now(), Duration::ZERO);
        let ended = loop {
            if self.state.evaluation_is_due
                && !self.evaluate(task, &mut stepper, &mut evaluation_tape, seconds, observer)?
            {
                break Ended::Stopped;
            }
            let interval = self.options.checkpoint_interval.max(MIN_INTERVAL_PER_SAVE_TIME * save_time);
            if self.state.step > first_step && last_save.elapsed() >= interval {
                self.state.seconds = seconds();
                let save_started = Instant::now();
                let saved = self.save();
                self.go_on(saved)?;
                last_save = Instant::now();
                save_time = last_save - save_started;
            }
            if let Some(ended) = self.options.ended(&self.state) {
                break ended;
            }
            let stop = observer.stop();
            // Several processes stop after the same step, on which they have agreed.
            let stops_here = if self.ranks.is_alone() { stop } else { self.stop };
            if stops_here {
                break Ended::Stopped;
            }
            let (report, lr) = self.step(&mut stepper, task, stop)?;
            if self.state.step == STEP_WITH_ALL_GRADIENTS {
                warn_of_missing_gradients(&stepper.without_gradient(self.model), observer);
            }
            let progress = Progress {
                step: self.state.step,
                steps: self.options.steps,
                loss: report.loss,
                lr,
                grad_norm: report.grad_norm,
                waited: (!self.ranks.is_alone()).then(|| self.ranks.take_waited()),
            };
            if let (Some(folder), Some(interval)) = (&mut self.folder, self.options.log_interval)
                && is_logged(progress.step, interval)
            {
                let written = folder.append_metrics(&progress);
                self.go_on(written)?;
            }
            observer.step(&progress);
            observer.look(&Seen { params: self.model.params(), grads: &stepper.grads });
            self.state.evaluation_is_due = self.options.evaluates_after(self.state.step);
        };
        self.state.seconds = seconds();
        let saved = self.failed.take().map_or_else(|| self.save(), Err);
        self.ranks.agree(saved)?;
        Ok(ended)
    }

    /// A process that trains alone ends when it fails. One of several goes on to the end of the next step, in
    /// which all learn of it, so that no other waits for it.
    fn go_on(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(error) if !self.ranks.is_alone() => {
                self.failed.get_or_insert(error);
                Ok(())
            }
            result => result,
        }
    }

    /// Evaluates the model after the last step, and reports it. Returns `false` if the observer stopped the
    /// evaluation, which is then still due.
    fn evaluate(
        &mut self,
        task: &mut dyn Task<T, M>,
        stepper: &mut Stepper<T>,
        tape: &mut Tape<T>,
        seconds: impl Fn() -> f64,
        observer: &mut dyn Observer,
    ) -> Result<bool, Error> {
        let mut mean = self.optimizer.average(self.model.params());
        let mut exchange = |model: &mut M| {
            if let Some(mean) = &mut mean {
                std::mem::swap(model.params_mut(), mean);
            }
        };
        exchange(self.model);
        let step = self.state.step - 1;
        let evaluation = stepper.lend_buffers(tape, |tape| {
            let evaluation = task.evaluate(step, self.model, tape, &mut self.ranks);
            tape.reset();
            evaluation
        });
        exchange(self.model);
        let evaluation = match evaluation {
            Err(Error::Stopped) => return Ok(false),
            evaluation => evaluation?,
        };
        self.state.evaluation_is_due = false;
        self.state.seconds = seconds();
        let lr = self.learning_rate(step);
        let record = self.state.record(evaluation, &self.options, lr);
        if let Some(folder) = &mut self.folder {
            let written = folder.append_metrics(&record);
            self.go_on(written)?;
        }
        self.optimizer.evaluated(self.model.params());
        if record.best {
            self.best = Some(mean.unwrap_or_else(|| self.model.params().clone()));
        }
        observer.evaluated(&record);
        self.last_evaluation = Some(record);
        Ok(true)
    }

    /// The learning rate of step `step`, counted from 0.
    fn learning_rate(&self, step: u64) -> f64 {
        let Options { lr, schedule, steps, .. } = self.options;
        lr * schedule.factor(step, steps, self.state.halvings)
    }

    /// Takes the next step. Returns its report and its learning rate.
    #[track_caller]
    fn step(
        &mut self,
        stepper: &mut Stepper<T>,
        task: &mut dyn Task<T, M>,
        stop: bool,
    ) -> Result<(StepReport, f64), Error> {
        let Options { clip, seed, shards, .. } = self.options;
        let step = self.state.step;
        let lr = self.learning_rate(step);
        let trace = &mut stepper.tape.trace;
        trace.enter(Phase::Batch, "Fit::step", "m2g_core::train::fit::Fit");
        let report = if shards == 1 && self.ranks.is_alone() {
            stepper.tape.set_dropout(Some(Streams::new(seed).dropout(step)));
            let (started, function) = (stepper.tape.trace.start(), task.function());
            let batches = task.batches(step, 0)?;
            let record = |time| Record { time, ..routine(Phase::Batch, "batches", function, 0) };
            stepper.tape.trace.finish(started, record);
            stepper.step(self.model, batches, self.optimizer, lr, clip, step)?
        } else {
            // What was waited for before, in an evaluation, is not part of the step.
            self.ranks.take_waited();
            let so_far = self.failed.take().map_or(Ok(stop), Err);
            let (sharded, ranks) = (&mut self.sharded, &mut self.ranks);
            let found = sharded.gradients(stepper, self.model, task, (step, shards, seed), ranks, so_far)?;
            self.stop = found.stop;
            stepper.update(self.model, found.passes, found.loss, self.optimizer, (lr, clip), step)?
        };
        self.state.step += 1;
        self.state.loss_sum += report.loss;
        Ok((report, lr))
    }

    /// Takes `warm_up` steps, then one more, and returns the trace of that one. Saves nothing.
    ///
    /// # Errors
    /// The errors of the task and the model.
    pub fn trace_step(&mut self, task: &mut dyn Task<T, M>, warm_up: u64) -> Result<Vec<Record>, Error> {
        let mut stepper = Stepper::default();
        for _ in 0..warm_up {
            self.step(&mut stepper, task, false)?;
        }
        stepper.tape.trace.switch(true);
        self.step(&mut stepper, task, false)?;
        Ok(stepper.tape.trace.take())
    }

    /// Writes the checkpoints, and moves the best parameters to the folder. Parameters that are not finite
    /// never replace those of an earlier checkpoint.
    fn save(&mut self) -> Result<(), Error> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        if let Some(broken) = self.model.params().first_not_finite() {
            let what = format!("parameter {}", broken.name);
            return Err(Error::NotFinite { what, step: self.state.step });
        }
        folder.save(self.model.params(), self.best.as_ref(), &*self.optimizer, &self.state)?;
        self.best = None;
        Ok(())
    }
}

/// The step whose gradients are checked. In the first, matrices that start at 0 (`zero_init_proj`) pass
/// none back.
const STEP_WITH_ALL_GRADIENTS: u64 = 2;

/// The number of parameters that a warning names.
const MAX_NAMED: usize = 10;

fn warn_of_missing_gradients(names: &[String], observer: &mut dyn Observer) {
    if names.is_empty() {
        return;
    }
    let mut list = names[..names.len().min(MAX_NAMED)].join(", ");
    if names.len() > MAX_NAMED {
        list += &format!(" and {} more", names.len() - MAX_NAMED);
    }
    observer.warning(&format!(
        "in the second step, these parameters had no gradient, or only zeros, and they do not learn while that is so: \
         {list}"
    ));
}
