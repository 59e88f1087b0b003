//! A whole training: from settings and data to a trained GPT in a run folder.

use std::path::Path;
use std::time::Duration;

use m2g_core::Tokens;
use m2g_core::checkpoint::Checkpoint;
use m2g_core::optim::{AdamW, Optimizer};
use m2g_core::trace::Record;
use m2g_core::train::run::{self, BEST, LAST};
use m2g_core::train::{Ended, Evaluation, Fit, Model, Observer, Options, RunFolder, State, Task};
use m2g_core::{Error, Grads, Params, Tape};
use m2g_text::{TokenData, Tokenizer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{Batches, Corpus, Windows};
use crate::fine_tuning;
use crate::{Config, Gpt, GptConfig, TokenBatch};

/// What a checkpoint calls this model.
pub const KIND: &str = "gpt";

/// How often a checkpoint is written at most.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(2);

/// What a checkpoint of a GPT says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The settings of its training.
    pub config: Config,
    /// What it is made of.
    pub model: GptConfig,
    /// How text becomes its tokens; a model from elsewhere may come without.
    pub tokenizer: Option<Tokenizer>,
    /// The data that it was trained on, as a digest; empty if that was elsewhere.
    pub data: String,
}

/// A training that can be run.
pub struct Training<'a> {
    /// The model, which holds the best parameters when the training has ended.
    pub gpt: Gpt<f32>,
    /// What it is and how it is trained.
    pub description: Description,
    /// Where it stands.
    pub state: State,
    optimizer: AdamW<f32>,
    corpus: &'a Corpus,
    run: Option<RunFolder<f32>>,
}

/// What a training ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// Steps made.
    pub steps: u64,
    /// Seconds of training, all sessions together.
    pub seconds: f64,
    /// The loss on the complete validation split that was measured last.
    pub val_loss: Option<f64>,
    /// The lowest one.
    pub best_val_loss: Option<f64>,
    /// The step at which it was measured.
    pub best_step: u64,
}

impl<'a> Training<'a> {
    /// A new training; with a folder, it is saved there (`true` replaces a run).
    ///
    /// # Errors
    /// If a setting makes no sense, the data is too short, the run to start from does
    /// not fit, or the folder cannot be made.
    pub fn new(config: Config, corpus: &'a Corpus, folder: Option<(&Path, bool)>) -> Result<Self, Error> {
        config.validate()?;
        let gpt = match config.init_from.as_str() {
            Config::SCRATCH => Gpt::new(config.model(corpus.tokenizer.vocab_size()), config.seed)?,
            run => fine_tuning::start(Path::new(run), &config, &corpus.tokenizer)?,
        };
        let description = Description {
            model: gpt.config().clone(),
            tokenizer: Some(corpus.tokenizer.clone()),
            data: corpus.fingerprint.clone(),
            config,
        };
        // What does not fit is found before a folder is made.
        GptTask::new(&description, corpus)?;
        let run = match folder {
            None => None,
            Some((path, overwrite)) => Some(folder_for(path, &description, overwrite)?),
        };
        let optimizer = optimizer(&description.config);
        Ok(Self { gpt, description, state: State::default(), optimizer, corpus, run })
    }

    /// Goes on with the training in a folder, of which `description` is
    /// [`Description::of_run`]; `max_iters` may be more than before.
    ///
    /// # Errors
    /// If there is none, its checkpoint is damaged, or the data is not the one
    /// that it was begun with.
    pub fn resume(
        path: &Path,
        corpus: &'a Corpus,
        description: Description,
        max_iters: Option<u64>,
    ) -> Result<Self, Error> {
        let mut description = description;
        description.config.max_iters = max_iters.unwrap_or(description.config.max_iters);
        description.config.validate()?;
        if description.data != corpus.fingerprint {
            let why = match description.data.is_empty() {
                true => format!(
                    "{} was not trained here, so that there is no training to go on with: train from it with \
                     --init-from",
                    path.display()
                ),
                false => format!(
                    "the run in {} was begun with other data than {}: give the same with --data",
                    path.display(),
                    corpus.source
                ),
            };
            return Err(Error::Other(why.into()));
        }
        let (run, mut checkpoint, state) = RunFolder::<f32>::resume(path, KIND)?;
        let last = path.join(LAST);
        let mut gpt = Gpt::zeros(description.model.clone())?;
        checkpoint.restore(&last, gpt.params_mut())?;
        let mut optimizer = optimizer(&description.config);
        let mut get =
            |name: &str, shape: &[usize]| checkpoint.take(&last, &format!("optimizer.{name}"), shape);
        optimizer.restore(gpt.params(), state.step, &mut get)?;
        GptTask::new(&description, corpus)?;
        Ok(Self { gpt, description, state, optimizer, corpus, run: Some(run) })
    }

    /// Why there is nothing left to train, if so.
    pub fn ended(&self) -> Option<Ended> {
        let Config { max_iters, patience, .. } = self.description.config;
        if self.state.step >= max_iters {
            return Some(Ended::Finished);
        }
        (patience > 0 && self.state.without_improvement >= patience).then_some(Ended::OutOfPatience)
    }

    /// Trains to the end, or until the observer says stop. Then `gpt` has the best
    /// parameters.
    ///
    /// # Errors
    /// If the training diverges, or the folder cannot be written.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        let options = self.options();
        let mut task = GptTask::new(&self.description, self.corpus)?;
        task.keep_best = self.run.is_none();
        let mut fit = Fit {
            model: &mut self.gpt,
            optimizer: &mut self.optimizer,
            options,
            state: self.state.clone(),
            run: self.run.as_mut(),
        };
        let ended = fit.run(&mut task, observer)?;
        self.state = fit.state;
        if let Some(best) = task.best {
            *self.gpt.params_mut() = best;
        } else if let Some(run) = &self.run {
            let path = run.path().join(BEST);
            Checkpoint::load(&path)?.restore(&path, self.gpt.params_mut())?;
        }
        Ok(Outcome {
            ended,
            steps: self.state.step,
            seconds: self.state.seconds,
            val_loss: task.val_loss,
            best_val_loss: self.state.best_score.map(|score| -score),
            best_step: self.state.best_step,
        })
    }

    /// Makes `warm_up` training steps and one more, of which it returns everything that
    /// ran. Saves nothing.
    ///
    /// # Errors
    /// If the training diverges.
    pub fn trace_step(&mut self, warm_up: u64) -> Result<Vec<Record>, Error> {
        let options = self.options();
        let mut task = GptTask::new(&self.description, self.corpus)?;
        let mut fit = Fit {
            model: &mut self.gpt,
            optimizer: &mut self.optimizer,
            options,
            state: self.state.clone(),
            run: None,
        };
        fit.trace_step(&mut task, warm_up)
    }

    fn options(&self) -> Options {
        let config = &self.description.config;
        Options {
            steps: config.max_iters,
            steps_per_evaluation: config.eval_interval,
            lr: config.learning_rate,
            schedule: config.schedule(),
            // Without a limit too: the norm is worth seeing, and tells a gradient that is NaN.
            clip: Some(if config.grad_clip > 0.0 { config.grad_clip } else { f64::INFINITY }),
            patience: (config.patience > 0).then_some(config.patience),
            seed: config.seed,
            checkpoint_interval: CHECKPOINT_INTERVAL,
        }
    }
}

impl Description {
    /// Reads the description that a run's checkpoint holds.
    ///
    /// # Errors
    /// If there is no run, or its checkpoint is damaged or of another model.
    pub fn of_run(path: &Path) -> Result<Self, Error> {
        describe(path, &run::metadata(path, LAST, KIND)?, LAST)
    }
}

/// Reads a trained model from a run: `file` is [`BEST`] or [`LAST`].
///
/// # Errors
/// If there is no run, or its checkpoint is damaged or of another model.
pub fn load(path: &Path, file: &str) -> Result<(Gpt<f32>, Description), Error> {
    let mut checkpoint = run::load(path, file, KIND)?;
    let description = describe(path, &checkpoint.metadata, file)?;
    let mut gpt = Gpt::zeros(description.model.clone())?;
    checkpoint.restore(&path.join(file), gpt.params_mut())?;
    Ok((gpt, description))
}

/// The gradient of the mean loss of the first batch of a training of this description,
/// without dropout, and that loss.
///
/// # Errors
/// If the corpus is too short, or has tokens that the model does not know.
pub fn batch_gradients(
    gpt: &Gpt<f32>,
    description: &Description,
    corpus: &Corpus,
) -> Result<(Grads<f32>, f64), Error> {
    let Config { batch_size, seed, .. } = description.config;
    let batches = Batches::new(&corpus.train, batch_size, gpt.config().block_size, seed)?;
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let loss = gpt.gradients(&mut tape, &batches.get("batch", 0, 0), &mut grads)?;
    Ok((grads, f64::from(loss)))
}

/// Makes the folder of a run that holds these parameters, at step 0: for a model from
/// elsewhere.
///
/// # Errors
/// [`Error::RunExists`] if there is one and `overwrite` is false; [`Error::Io`].
pub fn create(path: &Path, description: &Description, gpt: &Gpt<f32>, overwrite: bool) -> Result<(), Error> {
    let mut run = folder_for(path, description, overwrite)?;
    run.keep_best(gpt.params());
    run.save(gpt.params(), &optimizer(&description.config), &State::default())
}

/// The mean loss of all tokens of `data` but the first, which nothing predicts, in nats:
/// [`Windows`] of `block_size`, `batch_size` at a time.
///
/// # Errors
/// If the data has not even two tokens, or tokens that the model does not know.
pub fn full_pass_loss(
    gpt: &Gpt<f32>,
    tape: &mut Tape<f32>,
    data: &TokenData,
    batch_size: usize,
) -> Result<f64, Error> {
    let windows = Windows::new(data, gpt.config().block_size)?;
    let mut sum = 0.0;
    for batch in windows.batches(batch_size) {
        sum += mean_loss(gpt, tape, &batch)? * batch.y.ids.len() as f64;
    }
    Ok(sum / windows.targets() as f64)
}

/// The mean loss of a token when the model sees those before it and nothing else, as in
/// generation, over so many windows spread evenly over `data`: each beginning of a window
/// is shown by itself. With a causal mask it is the usual loss of these windows; a model
/// that could look ahead while it trained does worse.
///
/// # Errors
/// As [`full_pass_loss`].
pub fn generation_loss(
    gpt: &Gpt<f32>,
    tape: &mut Tape<f32>,
    data: &TokenData,
    windows: usize,
) -> Result<f64, Error> {
    let TokenBatch { x, y } = Windows::new(data, gpt.config().block_size)?.spread(windows);
    let [b, t] = x.shape;
    let mut sum = 0.0;
    for seen in 1..=t {
        let beginnings: Vec<u32> = x.ids.chunks(t).flat_map(|row| &row[..seen]).copied().collect();
        let next: Vec<u32> = y.ids.chunks(t).map(|row| row[seen - 1]).collect();
        let logits = gpt.forward_last(tape, &Tokens::new([b, seen], beginnings)?, None)?; // (B, 1, V)
        let loss = tape.cross_entropy(logits, &Tokens::new([b, 1], next)?)?;
        sum += f64::from(tape.value(loss).data()[0]);
        tape.reset();
    }
    Ok(sum / t as f64)
}

/// How many windows [`full_pass_loss`] best takes at a time: enough to keep all cores
/// busy, and not so many that the logits, `(B, T, V)`, need much memory.
pub fn full_pass_batch_size(model: &GptConfig) -> usize {
    const TOKENS: usize = 4096;
    const LOGITS: usize = 1 << 22;
    (TOKENS.min(LOGITS / model.vocab_size) / model.block_size).max(1)
}

fn mean_loss(gpt: &Gpt<f32>, tape: &mut Tape<f32>, batch: &TokenBatch) -> Result<f64, Error> {
    let loss = gpt.loss(tape, batch)?;
    let value = f64::from(tape.value(loss).data()[0]);
    tape.reset();
    Ok(value)
}

fn folder_for(path: &Path, description: &Description, overwrite: bool) -> Result<RunFolder<f32>, Error> {
    let toml = toml::to_string(&description.config).map_err(|e| Error::Other(Box::new(e)))?;
    let json = serde_json::to_value(description).map_err(|e| Error::Other(Box::new(e)))?;
    RunFolder::create(path, KIND, &toml, json, overwrite)
}

fn describe(path: &Path, metadata: &Value, file: &str) -> Result<Description, Error> {
    let unusable = |why: String| Error::Checkpoint { path: path.join(file), why };
    let description: Description = serde_json::from_value(metadata["config"].clone())
        .map_err(|e| unusable(format!("its configuration cannot be read ({e})")))?;
    description.model.validate().map_err(|e| unusable(format!("its configuration is damaged ({e})")))?;
    Ok(description)
}

fn optimizer(config: &Config) -> AdamW<f32> {
    let mut optimizer = AdamW::new(config.weight_decay);
    optimizer.betas = (config.beta1, config.beta2);
    optimizer
}

/// The text to train on and to validate with.
struct GptTask<'a> {
    train: Batches<'a>,
    /// Windows of the validation split, for nanoGPT's estimate.
    val: Batches<'a>,
    corpus: &'a Corpus,
    config: &'a Config,
    /// The step that is being made, and its batches.
    step: u64,
    batches: Vec<TokenBatch>,
    val_loss: Option<f64>,
    /// Whether to keep the best parameters here, because no folder does.
    keep_best: bool,
    best: Option<Params<f32>>,
    best_val_loss: f64,
}

impl<'a> GptTask<'a> {
    fn new(description: &'a Description, corpus: &'a Corpus) -> Result<Self, Error> {
        let Config { batch_size, seed, .. } = description.config;
        let block_size = description.model.block_size;
        // A short validation split is measured in windows that fit.
        let val_block_size = block_size.min(corpus.val.len().saturating_sub(1));
        Ok(Self {
            train: Batches::new(&corpus.train, batch_size, block_size, seed)?,
            val: Batches::new(&corpus.val, batch_size, val_block_size, seed)?,
            corpus,
            config: &description.config,
            step: 0,
            batches: Vec::new(),
            val_loss: None,
            keep_best: false,
            best: None,
            best_val_loss: f64::INFINITY,
        })
    }

    /// nanoGPT's `estimate_loss`: the mean of `eval_iters` random batches, which come from
    /// a stream of their own, so that evaluating changes nothing of the training.
    fn estimate(
        &self,
        gpt: &Gpt<f32>,
        tape: &mut Tape<f32>,
        batches: &Batches<'_>,
        stream: &str,
    ) -> Result<f64, Error> {
        let mut sum = 0.0;
        for i in 0..self.config.eval_iters {
            sum += mean_loss(gpt, tape, &batches.get(stream, self.step, i))?;
        }
        Ok(sum / self.config.eval_iters as f64)
    }
}

impl Task<f32, Gpt<f32>> for GptTask<'_> {
    fn batches(&mut self, step: u64) -> Result<&[TokenBatch], Error> {
        self.step = step;
        self.batches.resize_with(self.config.gradient_accumulation_steps, TokenBatch::default);
        for (batch, i) in self.batches.iter_mut().zip(0..) {
            self.train.get_into(batch, "batch", step, i);
        }
        Ok(&self.batches)
    }

    fn evaluate(&mut self, gpt: &Gpt<f32>, tape: &mut Tape<f32>) -> Result<Evaluation, Error> {
        let val_loss = full_pass_loss(gpt, tape, &self.corpus.val, full_pass_batch_size(gpt.config()))?;
        self.val_loss = Some(val_loss);
        let mut metrics = vec![("val_loss", val_loss)];
        if self.config.eval_iters > 0 {
            let train = self.estimate(gpt, tape, &self.train, "estimate train")?;
            let val = self.estimate(gpt, tape, &self.val, "estimate val")?;
            metrics.extend([("train_loss_estimate", train), ("val_loss_estimate", val)]);
        }
        if self.keep_best && val_loss < self.best_val_loss {
            (self.best, self.best_val_loss) = (Some(gpt.params().clone()), val_loss);
        }
        Ok(Evaluation { score: Some(-val_loss), metrics })
    }
}
