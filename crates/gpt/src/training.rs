//! Training a GPT in a run folder.

use std::path::Path;

use m2g_core::memory::Footprint;
use m2g_core::optim::{AdamW, Averaged, Muon, Optimizer};
use m2g_core::ranks::Ranks;
use m2g_core::train::{Evaluation, Options, Save, Session, SessionCode, SessionModel, Task, Trainable};
use m2g_core::{Error, Tape};

use crate::data::{Batches, Corpus, Windows};
pub use crate::description::Description;
use crate::evaluation::{estimate_loss, full_pass_batch_size, full_pass_loss};
use crate::footprint::footprint;
use crate::{Config, Gpt, TokenBatch, fine_tuning};

/// A training run of a GPT.
pub type Training<'a> = Session<'a, Gpt<f32>>;

/// The name of this kind of model in checkpoints.
pub const KIND: &str = <Gpt<f32> as Trainable>::KIND;

/// Creates a run folder at step 0 from an imported model.
///
/// # Errors
/// [`Error::RunExists`] if the folder exists and is not to be replaced; [`Error::Io`].
pub fn create(save: Save<'_>, description: &Description, gpt: &Gpt<f32>) -> Result<(), Error> {
    Training::create(save, description, gpt, &adamw(&description.config))
}

impl SessionModel for Gpt<f32> {
    fn code() -> &'static SessionCode<Self> {
        static CODE: SessionCode<Gpt<f32>> = SessionCode::new();
        &CODE
    }
}

impl Trainable for Gpt<f32> {
    const KIND: &'static str = "gpt";
    type Config = Config;
    type Description = Description;
    type Data = Corpus;

    fn validate(config: &Config) -> Result<(), Error> {
        config.validate()
    }

    fn init_from(config: &Config) -> Option<&Path> {
        (config.init_from != Config::SCRATCH).then(|| Path::new(&config.init_from))
    }

    fn describe(config: Config, corpus: &Corpus, base: Option<&Description>) -> Result<Description, Error> {
        let model = match base {
            None => config.model(corpus.vocab_size),
            Some(base) => fine_tuning::model_config(&config, corpus, base)?,
        };
        let (tokenizer, data) = (corpus.tokenizer.clone(), corpus.fingerprint.clone());
        Ok(Description { config, model, tokenizer, data })
    }

    fn check(description: &Description) -> Result<(), Error> {
        let Description { model, tokenizer, .. } = description;
        model.validate()?;
        // An imported model may have more.
        if tokenizer.as_ref().is_some_and(|tokenizer| tokenizer.vocab_size() > model.vocab_size) {
            let rule = "the tokenizer has more tokens: it and the model do not belong together";
            return Err(Error::Setting { name: "vocab_size", value: model.vocab_size.to_string(), rule });
        }
        Ok(())
    }

    fn footprint(description: &Description, corpus: Option<&Corpus>) -> Option<Footprint> {
        let val = corpus.map(|corpus| corpus.val.len());
        Some(footprint(&description.config, &description.model, val))
    }

    fn config(description: &Description) -> &Config {
        &description.config
    }

    fn trained_on(description: &Description) -> &str {
        &description.data
    }

    fn fingerprint(corpus: &Corpus) -> &str {
        &corpus.fingerprint
    }

    fn source(corpus: &Corpus) -> String {
        corpus.source.clone()
    }

    fn init(description: &Description, base: Option<&Self>) -> Result<Self, Error> {
        match base {
            None => Gpt::new(description.model.clone(), description.config.seed),
            Some(base) => fine_tuning::initial_model(description.model.clone(), base),
        }
    }

    fn empty(description: &Description) -> Result<Self, Error> {
        Gpt::zeros(description.model.clone())
    }

    fn options(description: &Description, _: &Corpus) -> Options {
        let config = &description.config;
        Options {
            steps: config.max_iters,
            steps_per_evaluation: config.eval_interval,
            log_interval: Some(config.log_interval),
            lr: config.learning_rate,
            schedule: config.schedule(),
            // The norm is computed even without a limit: it is worth seeing, and it reveals
            // a gradient that is not finite.
            clip: Some(if config.grad_clip > 0.0 { config.grad_clip } else { f64::INFINITY }),
            patience: (config.patience > 0).then_some(config.patience),
            shards: config.shards,
            seed: config.seed,
            ..Options::default()
        }
    }

    fn optimizer(description: &Description, _: &Corpus) -> Box<dyn Optimizer<f32>> {
        let config = &description.config;
        let optimizer: Box<dyn Optimizer<f32>> = match config.muon_learning_rate {
            0.0 => Box::new(adamw(config)),
            rate => {
                let mut muon = Muon::new(adamw(config), rate / config.learning_rate);
                muon.precision = config.precision;
                Box::new(muon)
            }
        };
        match config.average {
            1 => optimizer,
            last => Box::new(Averaged::new(optimizer, last)),
        }
    }

    fn task<'a>(
        description: &'a Description,
        corpus: &'a Corpus,
    ) -> Result<impl Task<f32, Self> + 'a, Error> {
        GptTask::new(description, corpus)
    }
}

fn adamw(config: &Config) -> AdamW<f32> {
    let mut adamw = AdamW::new(config.weight_decay);
    adamw.betas = (config.beta1, config.beta2);
    adamw
}

/// Trains on random windows of the training split, and measures the loss on the validation split.
struct GptTask<'a> {
    train: Batches<'a>,
    /// Windows of the validation split, for nanoGPT's estimate.
    val: Batches<'a>,
    corpus: &'a Corpus,
    config: &'a Config,
    /// The tokens of a whole window.
    block_size: usize,
    /// The batches of the current step.
    batches: Vec<TokenBatch>,
}

impl<'a> GptTask<'a> {
    fn new(description: &'a Description, corpus: &'a Corpus) -> Result<Self, Error> {
        let Config { batch_size, seed, .. } = description.config;
        let block_size = description.model.block_size;
        if corpus.val.len() < 2 {
            let why = format!(
                "the validation split of {} has fewer than two tokens, but its loss needs one to predict and one \
                 before it: give it more text",
                corpus.source
            );
            return Err(Error::Other(why.into()));
        }
        // A validation split shorter than a window is measured in windows that fit.
        let val_block_size = block_size.min(corpus.val.len().saturating_sub(1));
        Ok(Self {
            train: Batches::new(&corpus.train, batch_size, block_size, seed)?,
            val: Batches::new(&corpus.val, batch_size, val_block_size, seed)?,
            corpus,
            config: &description.config,
            block_size,
            batches: Vec::new(),
        })
    }
}

impl Task<f32, Gpt<f32>> for GptTask<'_> {
    fn batches(&mut self, step: u64, shard: usize) -> Result<&[TokenBatch], Error> {
        let passes = self.config.gradient_accumulation_steps;
        self.batches.resize_with(passes, TokenBatch::default);
        let first = (shard * passes) as u64;
        let shape = self.config.batch_shape(self.block_size, step);
        for (batch, i) in self.batches.iter_mut().zip(first..) {
            self.train.get_into(batch, "batch", (step, i), shape)?;
        }
        Ok(&self.batches)
    }

    fn evaluate(
        &mut self,
        step: u64,
        gpt: &Gpt<f32>,
        tape: &mut Tape<f32>,
        ranks: &mut Ranks,
    ) -> Result<Evaluation, Error> {
        let batch_size = full_pass_batch_size(gpt.config());
        let windows = Windows::new(&self.corpus.val, gpt.config().block_size)?;
        let val_loss = full_pass_loss(gpt, tape, windows, batch_size, ranks)?;
        let mut metrics = vec![("val_loss", val_loss)];
        let n = self.config.eval_iters;
        if n > 0 {
            let train = estimate_loss(gpt, tape, (&self.train, "estimate train", step), n, ranks)?;
            let val = estimate_loss(gpt, tape, (&self.val, "estimate val", step), n, ranks)?;
            metrics.extend([("train_loss_estimate", train), ("val_loss_estimate", val)]);
        }
        Ok(Evaluation { score: Some(-val_loss), metrics })
    }
}
