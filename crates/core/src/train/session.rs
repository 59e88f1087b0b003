//! A training run from start to end, the same for every model.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::fit::Fit;
use super::observer::{EvaluationRecord, Observer};
use super::run_folder::{self, BEST, LAST, RunFolder, RunLock, Save};
use super::state::{Ended, Options, State};
use super::task::{Metrics, Task};
use super::trainable::Trainable;
use crate::checkpoint::{Checkpoint, OPTIMIZER, check_finite, unusable};
use crate::memory::Footprint;
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
pub struct Session<'a, M: Trainable> {
    /// The model. After [`Session::run`] it has the best parameters.
    pub model: M,
    /// The description of the model in the checkpoints.
    pub description: M::Description,
    /// The progress of the run.
    pub state: State,
    /// What a person should know before the run.
    pub notes: Vec<String>,
    optimizer: Box<dyn Optimizer<f32>>,
    pub(super) data: &'a M::Data,
    pub(super) folder: Option<RunFolder>,
    /// The best parameters so far, in a process without the folder.
    pub(super) best: Option<Params<f32>>,
    pub(super) ranks: Ranks,
}

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

impl<'a, M: Trainable> Session<'a, M> {
    /// Starts a new run.
    ///
    /// # Errors
    /// If a setting is invalid, the data does not fit, the run to start from cannot be used, or
    /// the folder cannot be created.
    pub fn new(config: M::Config, data: &'a M::Data, save: Save<'_>) -> Result<Self, Error> {
        M::validate(&config)?;
        let base = M::init_from(&config).map(|run| Self::load(run, BEST)).transpose()?;
        let (base, base_description) = base.unzip();
        let description = M::describe(config, data, base_description.as_ref())?;
        let notes = check_memory::<M>(&description)?;
        let model = M::init(&description, base.as_ref())?;
        let optimizer = M::optimizer(&description, data);
        // Fails before a folder is created if the data does not fit.
        M::task(&description, data)?;
        let folder = create_folder(save, &description, &model, &*optimizer)?;
        Ok(Self {
            model,
            description,
            state: State::default(),
            notes,
            optimizer,
            data,
            folder,
            best: None,
            ranks: Ranks::default(),
        })
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
        let path = &run.path().to_path_buf();
        M::validate(M::config(&description))?;
        if M::trained_on(&description).is_empty() {
            return Err(Error::Imported(path.to_path_buf()));
        }
        if M::trained_on(&description) != M::fingerprint(data) {
            return Err(Error::OtherData { run: path.to_path_buf(), data: M::source(data) });
        }
        M::task(&description, data)?;
        let (folder, mut checkpoint, state) = RunFolder::resume::<f32>(run, M::KIND)?;
        let last = path.join(LAST);
        let mut notes = check_memory::<M>(&description)?;
        notes.extend(run_folder::note_on(&last)?);
        checkpoint.check_finite(&last)?;
        let model = restored::<M>(&last, &mut checkpoint, &description)?;
        let mut optimizer = M::optimizer(&description, data);
        let mut get =
            |name: &str, shape: &[usize]| checkpoint.take(&last, &format!("{OPTIMIZER}{name}"), shape);
        optimizer.restore(model.params(), state.step, &mut get)?;
        if let Some(other) = checkpoint.tensors.keys().next() {
            return Err(unusable(
                &last,
                &format!("its optimizer {} has no tensor called {other}", optimizer.name()),
            ));
        }
        Ok(Self {
            model,
            description,
            state,
            notes,
            optimizer,
            data,
            folder: Some(folder),
            best: None,
            ranks: Ranks::default(),
        })
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
        let options = self.options();
        let mut task = M::task(&self.description, self.data)?;
        if let Some(folder) = self.folder.as_ref().filter(|folder| !folder.is_locked()) {
            observer.warning(&format!(
                "the file system of {} has no locks: do not train this run in two processes",
                folder.path().display()
            ));
        }
        let mut fit = Fit {
            state: self.state.clone(),
            folder: self.folder.as_mut(),
            best: self.best.take(),
            ranks: std::mem::take(&mut self.ranks),
            ..Fit::new(&mut self.model, &mut *self.optimizer, options)
        };
        let ended = fit.run(&mut task, observer)?;
        let Fit { state, best, last_evaluation, mut ranks, .. } = fit;
        self.state = state;
        let mut ended = ended;
        let mut test = |model: &M, ranks: &mut Ranks| {
            let mut tape = Tape::new();
            tape.set_gradients(false);
            tape.set_stop(observer.stop_during_evaluation());
            match ended {
                Ended::Stopped => Ok(Metrics::new()),
                _ => task.test(model, &mut tape, ranks).or_else(|error| match error {
                    Error::Stopped => {
                        ended = Ended::Stopped;
                        Ok(Metrics::new())
                    }
                    error => Err(error),
                }),
            }
        };
        let last_test = test(&self.model, &mut ranks)?;
        let loaded = match (best, &self.folder) {
            (Some(best), _) => {
                *self.model.params_mut() = best;
                Ok(())
            }
            (None, Some(folder)) if self.state.best_step > 0 => {
                let path = folder.path().join(BEST);
                let params = self.model.params_mut();
                Checkpoint::load(&path).and_then(|mut checkpoint| checkpoint.restore(&path, params))
            }
            (None, _) => Ok(()),
        };
        ranks.agree(loaded)?;
        let best_test = test(&self.model, &mut ranks)?;
        self.ranks = ranks;
        Ok(Outcome {
            ended,
            steps: self.state.step,
            seconds: self.state.seconds,
            best_step: self.state.best_step,
            best_score: self.state.best_score,
            last_evaluation,
            best_test,
            last_test,
        })
    }

    /// Takes `warm_up` steps, then one more, and returns the trace of that one. Saves nothing.
    ///
    /// # Errors
    /// If training diverges.
    pub fn trace_step(&mut self, warm_up: u64) -> Result<Vec<Record>, Error> {
        let options = self.options();
        let mut task = M::task(&self.description, self.data)?;
        let state = self.state.clone();
        let mut fit = Fit { state, ..Fit::new(&mut self.model, &mut *self.optimizer, options) };
        fit.trace_step(&mut task, warm_up)
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
        read_description::<M>(path, LAST, &run_folder::metadata(path, LAST, M::KIND)?)
    }

    /// Reads a trained model from a run: `file` is [`BEST`] or [`LAST`].
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
        let mut checkpoint = run_folder::load(path, file, M::KIND)?;
        let description = read_description::<M>(path, file, &checkpoint.metadata)?;
        let model = restored::<M>(&path.join(file), &mut checkpoint, &description)?;
        Ok((model, description))
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
        create_folder(save, description, model, optimizer).map(drop)
    }
}

/// A model of this many parameters may be built to find out whether a checkpoint fits it.
const SMALL_MODEL: u64 = 1 << 22;

/// Checks that there is enough memory for training.
fn check_memory<M: Trainable>(description: &M::Description) -> Result<Vec<String>, Error> {
    let warning = M::footprint(description).map(|footprint| footprint.check()).transpose()?;
    Ok(warning.flatten().into_iter().collect())
}

/// The model of a checkpoint.
fn restored<M: Trainable>(
    path: &Path,
    checkpoint: &mut Checkpoint<f32>,
    description: &M::Description,
) -> Result<M, Error> {
    // A large model is not built before its size is compared with that of the file.
    let found = checkpoint.parameter_count() as u64;
    if let Some(Footprint { parameters: described, .. }) = M::footprint(description)
        && described > found.max(SMALL_MODEL)
    {
        let why = format!(
            "its settings describe a model of {described} parameters, but it holds {found}: the settings and \
             the tensors do not belong together"
        );
        return Err(unusable(path, &why));
    }
    let mut model = M::empty(description)?;
    checkpoint.restore(path, model.params_mut())?;
    Ok(model)
}

/// Creates the folder of a run at step 0, with its checkpoints.
fn create_folder<M: Trainable>(
    save: Save<'_>,
    description: &M::Description,
    model: &M,
    optimizer: &dyn Optimizer<f32>,
) -> Result<Option<RunFolder>, Error> {
    let toml = toml::to_string(M::config(description)).map_err(|e| Error::Other(Box::new(e)))?;
    let json = serde_json::to_value(description).map_err(|e| Error::Other(Box::new(e)))?;
    RunFolder::create(save, M::KIND, &toml, json, |folder| {
        folder.save(model.params(), Some(model.params()), optimizer, &State::default())
    })
}

fn read_description<M: Trainable>(
    path: &Path,
    file: &str,
    metadata: &Value,
) -> Result<M::Description, Error> {
    let unusable = |why: String| Error::Checkpoint { path: path.join(file), why };
    let description = M::Description::deserialize(&metadata["config"])
        .map_err(|e| unusable(format!("its configuration cannot be read ({e})")))?;
    M::check(&description).map_err(|e| unusable(format!("its configuration is damaged ({e})")))?;
    Ok(description)
}
