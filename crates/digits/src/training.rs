//! A whole training: from settings and data to a trained network in a run folder.

use std::path::Path;
use std::time::Duration;

use m2g_core::checkpoint::Checkpoint;
use m2g_core::data::mnist::{DigitData, LabelledImages};
use m2g_core::optim::{AdamW, Optimizer, Sgd};
use m2g_core::trace::Record;
use m2g_core::train::run::{self, LAST};
use m2g_core::train::{Ended, Evaluation, Fit, Model, Observer, Options, RunFolder, State, Task};
use m2g_core::{Error, Grads, Params, Tape};
use serde::{Deserialize, Serialize};

use crate::config::OptimizerKind;
use crate::{Config, MiniBatch, MiniBatches, Network};

/// What a checkpoint calls this model.
pub const KIND: &str = "digits";

/// How often a checkpoint is written at most.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(2);

/// What a checkpoint of a digit network says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The settings of its training.
    pub config: Config,
    /// Rows and columns of its images.
    pub image: (usize, usize),
    /// How many classes it tells apart.
    pub classes: usize,
    /// The data that it was trained on, as a digest.
    pub data: String,
}

/// A training that can be run.
pub struct Training<'a> {
    /// The network, which holds the best parameters when the training has ended.
    pub network: Network<f32>,
    /// What it is and how it is trained.
    pub description: Description,
    /// Where it stands.
    pub state: State,
    optimizer: Box<dyn Optimizer<f32>>,
    data: &'a DigitData,
    run: Option<RunFolder<f32>>,
}

/// What a training ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// Epochs made.
    pub epochs: u64,
    /// Seconds of training, all sessions together.
    pub seconds: f64,
    /// The epoch of the best network: the highest validation accuracy, or the
    /// last where there is no validation.
    pub best_epoch: u64,
    /// Its share of right answers on the validation images.
    pub validation_accuracy: Option<f64>,
    /// Its share of right answers on the test images.
    pub test_accuracy: f64,
    /// The same of the network after the last step.
    pub last_test_accuracy: f64,
}

impl<'a> Training<'a> {
    /// A new training; with a folder, it is saved there.
    ///
    /// # Errors
    /// If a setting makes no sense, or the folder cannot be made.
    pub fn new(config: Config, data: &'a DigitData, folder: Option<(&Path, bool)>) -> Result<Self, Error> {
        config.validate()?;
        let description = Description {
            image: (data.train.rows, data.train.cols),
            classes: data.n_classes,
            data: data.fingerprint.clone(),
            config,
        };
        let network = description.network()?;
        let optimizer = optimizer(&description.config, data.train.len());
        // A wrong size is found before a folder is made.
        mini_batches(&description, &data.train)?;
        let run = match folder {
            None => None,
            Some((path, overwrite)) => {
                let toml = toml::to_string(&description.config).map_err(|e| Error::Other(Box::new(e)))?;
                let json = serde_json::to_value(&description).map_err(|e| Error::Other(Box::new(e)))?;
                Some(RunFolder::create(path, KIND, &toml, json, overwrite)?)
            }
        };
        Ok(Self { network, description, state: State::default(), optimizer, data, run })
    }

    /// Goes on with the training in a folder. `epochs` may be more than before.
    ///
    /// # Errors
    /// If there is none, its checkpoint is damaged, or the data is not the one
    /// that it was begun with.
    pub fn resume(
        path: &Path,
        data: &'a DigitData,
        description: Description,
        epochs: Option<u64>,
    ) -> Result<Self, Error> {
        let mut description = description;
        if let Some(epochs) = epochs {
            description.config.epochs = epochs;
        }
        description.config.validate()?;
        if description.data != data.fingerprint {
            let why = format!(
                "the run in {} was begun with other data than that in {}: give the same with --data DIR",
                path.display(),
                data.source.display()
            );
            return Err(Error::Other(why.into()));
        }
        let (run, mut checkpoint, state) = RunFolder::<f32>::resume(path, KIND)?;
        let last = path.join(LAST);
        let mut network = description.network()?;
        checkpoint.restore(&last, network.params_mut())?;
        let mut optimizer = optimizer(&description.config, data.train.len());
        let mut get =
            |name: &str, shape: &[usize]| checkpoint.take(&last, &format!("optimizer.{name}"), shape);
        optimizer.restore(network.params(), state.step, &mut get)?;
        Ok(Self { network, description, state, optimizer, data, run: Some(run) })
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.data.train.len().div_ceil(self.description.config.mini_batch) as u64
    }

    /// Trains to the end, or until the observer says stop. Then `network` has the
    /// best parameters.
    ///
    /// # Errors
    /// If the training diverges, or the folder cannot be written.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        let (options, per_epoch) = (self.options(), self.steps_per_epoch());
        let mut task = self.task()?;
        if let Some(run) = &self.run
            && self.state.best_step > 0
        {
            let path = run.path().join(run::BEST);
            let mut best = self.network.clone();
            Checkpoint::load(&path)?.restore(&path, best.params_mut())?;
            task.best = best.params().clone();
        }
        let mut fit = Fit {
            model: &mut self.network,
            optimizer: &mut *self.optimizer,
            options,
            state: self.state.clone(),
            run: self.run.as_mut(),
        };
        let ended = fit.run(&mut task, observer)?;
        self.state = fit.state;
        let share = |correct: usize, of: &LabelledImages| correct as f64 / of.len().max(1) as f64;
        let last_test_accuracy = share(self.network.evaluate(&self.data.test)?, &self.data.test);
        *self.network.params_mut() = task.best;
        Ok(Outcome {
            ended,
            epochs: self.state.step.div_ceil(per_epoch),
            seconds: self.state.seconds,
            best_epoch: self.state.best_step.div_ceil(per_epoch),
            validation_accuracy: self.state.best_score,
            test_accuracy: share(self.network.evaluate(&self.data.test)?, &self.data.test),
            last_test_accuracy,
        })
    }

    /// Makes `warm_up` training steps and one more, of which it returns everything that
    /// ran. Saves nothing.
    ///
    /// # Errors
    /// If the training diverges.
    pub fn trace_step(&mut self, warm_up: u64) -> Result<Vec<Record>, Error> {
        let (options, mut task) = (self.options(), self.task()?);
        let mut fit = Fit {
            model: &mut self.network,
            optimizer: &mut *self.optimizer,
            options,
            state: self.state.clone(),
            run: None,
        };
        fit.trace_step(&mut task, warm_up)
    }

    fn options(&self) -> Options {
        let (config, per_epoch) = (&self.description.config, self.steps_per_epoch());
        Options {
            steps: config.epochs * per_epoch,
            steps_per_evaluation: per_epoch,
            lr: config.lr,
            schedule: config.schedule,
            clip: (config.clip > 0.0).then_some(config.clip),
            patience: (config.patience > 0).then_some(config.patience),
            seed: config.seed,
            checkpoint_interval: CHECKPOINT_INTERVAL,
        }
    }

    fn task(&self) -> Result<DigitTask<'a>, Error> {
        Ok(DigitTask {
            batches: mini_batches(&self.description, &self.data.train)?,
            validation: &self.data.validation,
            best: self.network.params().clone(),
            best_score: self.state.best_score,
        })
    }
}

impl Description {
    /// A network of this description, with its first weights.
    ///
    /// # Errors
    /// If the sizes make no sense.
    pub fn network(&self) -> Result<Network<f32>, Error> {
        Network::build(self.config.architecture(self.image.0 * self.image.1, self.classes))
    }

    /// Reads the description that a run's checkpoint holds.
    ///
    /// # Errors
    /// If there is no run, or its checkpoint is damaged or of another model.
    pub fn of_run(path: &Path) -> Result<Self, Error> {
        describe(path, &run::load::<f32>(path, LAST, KIND)?, LAST)
    }
}

/// Reads a trained network from a run: `file` is [`run::BEST`] or [`LAST`].
///
/// # Errors
/// If there is no run, or its checkpoint is damaged or of another model.
pub fn load(path: &Path, file: &str) -> Result<(Network<f32>, Description), Error> {
    let mut checkpoint = run::load(path, file, KIND)?;
    let description = describe(path, &checkpoint, file)?;
    let mut network = description.network()?;
    checkpoint.restore(&path.join(file), network.params_mut())?;
    Ok((network, description))
}

/// The gradient of the mean cost of the first mini-batch of a training of this
/// description, without dropout, and that cost.
///
/// # Errors
/// If the images do not fit the network.
pub fn batch_gradients(
    network: &Network<f32>,
    description: &Description,
    data: &LabelledImages,
) -> Result<(Grads<f32>, f64), Error> {
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let mut batches = mini_batches(description, data)?;
    let cost = network.gradients(&mut tape, batches.get(0), &mut grads)?;
    Ok((grads, f64::from(cost)))
}

fn describe(path: &Path, checkpoint: &Checkpoint<f32>, file: &str) -> Result<Description, Error> {
    let unusable = |why: String| Error::Checkpoint { path: path.join(file), why };
    let description: Description = serde_json::from_value(checkpoint.metadata["config"].clone())
        .map_err(|e| unusable(format!("its configuration cannot be read ({e})")))?;
    description.config.validate().map_err(|e| unusable(format!("its configuration is damaged ({e})")))?;
    Ok(description)
}

fn optimizer(config: &Config, training_images: usize) -> Box<dyn Optimizer<f32>> {
    match config.optimizer {
        OptimizerKind::Sgd => {
            Box::new(Sgd::new().momentum(config.momentum).l2(config.l2 / training_images.max(1) as f64))
        }
        OptimizerKind::AdamW => Box::new(AdamW::new(config.weight_decay)),
    }
}

fn mini_batches<'a>(
    description: &Description,
    data: &'a LabelledImages,
) -> Result<MiniBatches<'a, f32>, Error> {
    let config = &description.config;
    MiniBatches::new(data, config.mini_batch, description.classes, config.seed)?.distorted(config.distort)
}

/// The images to train on and to validate with, and the best network so far.
struct DigitTask<'a> {
    batches: MiniBatches<'a, f32>,
    validation: &'a LabelledImages,
    best: Params<f32>,
    best_score: Option<f64>,
}

impl Task<f32, Network<f32>> for DigitTask<'_> {
    fn batches(&mut self, step: u64) -> Result<&[MiniBatch<f32>], Error> {
        Ok(std::slice::from_ref(self.batches.get(step)))
    }

    fn evaluate(&mut self, network: &Network<f32>, tape: &mut Tape<f32>) -> Result<Evaluation, Error> {
        if self.validation.is_empty() {
            self.best = network.params().clone();
            return Ok(Evaluation::default());
        }
        let correct = network.evaluate_on(tape, self.validation)?;
        let accuracy = correct as f64 / self.validation.len() as f64;
        if self.best_score.is_none_or(|best| accuracy > best) {
            self.best_score = Some(accuracy);
            self.best = network.params().clone();
        }
        Ok(Evaluation { score: Some(accuracy), metrics: vec![("validation_accuracy", accuracy)] })
    }
}
