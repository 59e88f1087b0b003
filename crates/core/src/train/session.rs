//! A training run from start to end, the same for every model.

use std::path::Path;

use super::model::Model;
use super::observer::{EvaluationRecord, Observer};
use super::run_folder::{RunFolder, RunLock, Save};
use super::state::{Ended, Options, State};
use super::step::{StepReport, Stepper};
use super::task::{Metrics, Task};
use super::trainable::Trainable;
use crate::checkpoint::check_finite;
use crate::optim::Optimizer;
use crate::ranks::Ranks;
use crate::trace::Record;
use crate::{Error, Grads, Params, Tape};

/// A training run of one model on its data: started, resumed, run, and saved in a folder.
///
/// ```text
/// Session::new(config, &data, Save::New(path))?.run(&mut observer)?
/// Session::resume(path, &data, Session::describe(path)?)?.run(&mut observer)?
/// let (model, description) = Session::load(path, BEST)?;
/// ```
pub struct Session<'a, M: SessionModel> {
    /// The model. After [`Session::run`] it has the best parameters.
    pub model: M,
    /// The description of the model in the checkpoints.
    pub description: M::Description,
    /// The progress of the run.
    pub state: State,
    /// What a person should know before the run.
    pub notes: Vec<String>,
    pub(super) optimizer: Box<dyn Optimizer<f32>>,
    pub(super) data: &'a M::Data,
    pub(super) folder: Option<RunFolder>,
    /// The best parameters so far, in a process without the folder.
    pub(super) best: Option<Params<f32>>,
    pub(super) ranks: Ranks,
}

/// A [`Trainable`] model with the code of its sessions.
pub trait SessionModel: Trainable {
    /// The code of its sessions, a static in the crate of the model.
    fn code() -> &'static SessionCode<Self>;
}

/// The functions of a [`Session`] that start, train and load.
///
/// Rust compiles a generic function again in every crate that calls it, and a session contains the
/// whole training loop. A static in the crate of the model therefore holds its functions, and the
/// command line, the page and all others call those:
///
/// ```text
/// static CODE: SessionCode<Network<f32>> = SessionCode::new();
/// ```
// Each type is the signature of a method of `Session`.
#[allow(clippy::type_complexity)]
pub struct SessionCode<M: SessionModel> {
    pub(super) start: for<'a> fn(M::Config, &'a M::Data, Save<'_>) -> Result<Session<'a, M>, Error>,
    pub(super) resume: for<'a> fn(RunLock, &'a M::Data, M::Description) -> Result<Session<'a, M>, Error>,
    pub(super) run: fn(&mut Session<'_, M>, &mut dyn Observer) -> Result<Outcome, Error>,
    pub(super) trace_step: fn(&mut Session<'_, M>, u64) -> Result<Vec<Record>, Error>,
    pub(super) step: Step<M>,
    pub(super) describe: fn(&Path) -> Result<M::Description, Error>,
    pub(super) create: fn(Save<'_>, &M::Description, &M, &dyn Optimizer<f32>) -> Result<(), Error>,
    pub(super) load: fn(&Path, &str) -> Result<(M, M::Description), Error>,
}

/// [`Stepper::step`].
type Step<M> = fn(
    &mut Stepper<f32>,
    &mut M,
    &[<M as Model<f32>>::Batch],
    &mut dyn Optimizer<f32>,
    f64,
    Option<f64>,
    u64,
) -> Result<StepReport, Error>;

/// How a session ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// Steps taken, including those before a resume.
    pub steps: u64,
    /// Seconds of training, including those before a resume.
    pub seconds: f64,
    /// The step with the best score.
    pub best_step: u64,
    /// The best score, if there is held-out data.
    pub best_score: Option<f64>,
    /// The last evaluation of this session, if there was one.
    pub last_evaluation: Option<EvaluationRecord>,
    /// The test metrics of the best parameters; empty if the run was stopped.
    pub best_test: Metrics,
    /// The test metrics of the parameters of the last step; empty if the run was stopped.
    pub last_test: Metrics,
}

impl Outcome {
    /// A metric of the last evaluation of this session.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.last_evaluation.as_ref().and_then(|record| find(&record.metrics, name))
    }

    /// A test metric of the best parameters.
    pub fn best_test(&self, name: &str) -> Option<f64> {
        find(&self.best_test, name)
    }

    /// A test metric of the parameters of the last step.
    pub fn last_test(&self, name: &str) -> Option<f64> {
        find(&self.last_test, name)
    }
}

fn find(metrics: &Metrics, name: &str) -> Option<f64> {
    metrics.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

impl<'a, M: SessionModel> Session<'a, M> {
    /// Starts a new run.
    ///
    /// # Errors
    /// If a setting is invalid, the data does not fit, the run to start from cannot be used, or
    /// the folder cannot be created.
    pub fn new(config: M::Config, data: &'a M::Data, save: Save<'_>) -> Result<Self, Error> {
        (M::code().start)(config, data, save)
    }

    /// Resumes the run in a folder. `description` comes from [`Session::describe`]; its number of
    /// steps may have been changed.
    ///
    /// # Errors
    /// If there is no run, its checkpoint is damaged, or it was trained on other data.
    pub fn resume(path: &Path, data: &'a M::Data, description: M::Description) -> Result<Self, Error> {
        Self::resume_locked(RunLock::take(path)?, data, description)
    }

    /// As [`Session::resume`], if the lock was taken before the description was read: then no other
    /// process can change the run in between.
    ///
    /// # Errors
    /// As [`Session::resume`].
    pub fn resume_locked(
        run: RunLock,
        data: &'a M::Data,
        description: M::Description,
    ) -> Result<Self, Error> {
        (M::code().resume)(run, data, description)
    }

    /// How the run trains, and for how long.
    pub fn options(&self) -> Options {
        M::options(&self.description, self.data)
    }

    /// Why the run has ended; `None` if it has steps left to take.
    pub fn ended(&self) -> Option<Ended> {
        self.options().ended(&self.state)
    }

    /// Trains to the end, or until the observer stops the run. The model then has the best
    /// parameters; before the first evaluation, those of the last step.
    ///
    /// # Errors
    /// If training diverges, or the folder cannot be written.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        (M::code().run)(self, observer)
    }

    /// Takes `warm_up` steps, then one more, and returns the trace of that one. Saves nothing.
    ///
    /// # Errors
    /// If training diverges.
    pub fn trace_step(&mut self, warm_up: u64) -> Result<Vec<Record>, Error> {
        (M::code().trace_step)(self, warm_up)
    }

    /// Takes one step as [`Session::run`] does, for a benchmark: [`Stepper::step`].
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn step(
        stepper: &mut Stepper<f32>,
        model: &mut M,
        batches: &[M::Batch],
        optimizer: &mut dyn Optimizer<f32>,
        (lr, clip): (f64, Option<f64>),
        step: u64,
    ) -> Result<StepReport, Error> {
        (M::code().step)(stepper, model, batches, optimizer, lr, clip, step)
    }

    /// The gradient of the mean loss of the first batch of a run, without dropout, and the loss.
    ///
    /// # Errors
    /// If the data does not fit the model.
    pub fn first_gradients(
        model: &M,
        description: &M::Description,
        data: &M::Data,
    ) -> Result<(Grads<f32>, f64), Error> {
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        let mut task = M::task(description, data)?;
        let loss = model.gradients(&mut tape, &task.batches(0, 0)?[0], &mut grads)?;
        Ok((grads, f64::from(loss)))
    }

    /// Reads the description of a run, without its parameters.
    ///
    /// # Errors
    /// If there is no run, or its checkpoint is damaged or of another kind of model.
    pub fn describe(path: &Path) -> Result<M::Description, Error> {
        (M::code().describe)(path)
    }

    /// Reads a trained model from a run: `file` is [`BEST`](super::run_folder::BEST) or
    /// [`LAST`](super::run_folder::LAST).
    ///
    /// # Errors
    /// As [`Session::describe`]; [`Error::Checkpoint`] if a parameter is NaN or infinite.
    pub fn load(path: &Path, file: &str) -> Result<(M, M::Description), Error> {
        let (model, description) = Self::load_unchecked(path, file)?;
        check_finite(&path.join(file), model.params().iter().map(|p| (p.name.as_str(), &p.value)))?;
        Ok((model, description))
    }

    /// As [`Session::load`], but also reads a model that computes only NaN, to look at its parameters.
    ///
    /// # Errors
    /// As [`Session::describe`].
    pub fn load_unchecked(path: &Path, file: &str) -> Result<(M, M::Description), Error> {
        (M::code().load)(path, file)
    }

    /// Creates the folder of a run at step 0 that holds a model trained elsewhere.
    ///
    /// # Errors
    /// As [`RunFolder::create`].
    pub fn create(
        save: Save<'_>,
        description: &M::Description,
        model: &M,
        optimizer: &dyn Optimizer<f32>,
    ) -> Result<(), Error> {
        (M::code().create)(save, description, model, optimizer)
    }
}
