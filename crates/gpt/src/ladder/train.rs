//! Training a rung, and measuring its loss as the lecture does.

use m2g_core::optim::AdamW;
use m2g_core::ranks::Ranks;
use m2g_core::train::{Ended, Evaluation, Fit, Model, Observer, Options, Task};
use m2g_core::{Error, Tape};

use super::{Lecture, Rung};
use crate::TokenBatch;
use crate::data::{Batches, Corpus, Windows};
use crate::evaluation::{estimate_loss, full_pass_loss};

/// The result of training a rung.
#[derive(Debug, Clone, PartialEq)]
pub struct RungResult {
    /// Why the training run ended.
    pub ended: Ended,
    /// The number of parameters of the model.
    pub params: usize,
    /// The lecture's estimate of the validation loss: the mean over 200 random batches.
    pub val_loss_estimate: f64,
    /// The loss on the whole validation split.
    pub val_loss: f64,
    /// The training time in seconds.
    pub seconds: f64,
}

impl Rung {
    /// Checks that each split of a text has the tokens of a sequence, and the one after it.
    ///
    /// # Errors
    /// [`Error::Other`] if the text is too short.
    pub fn check_length(&self, corpus: &Corpus) -> Result<(), Error> {
        let needed = self.block_size + 1;
        for (split, tokens) in [("training", corpus.train.len()), ("validation", corpus.val.len())] {
            if tokens < needed {
                let why = format!(
                    "{}: its {split} split has {tokens} tokens, but the rung {} needs {needed}: give a longer text",
                    corpus.source, self.name
                );
                return Err(Error::Other(why.into()));
            }
        }
        Ok(())
    }

    /// Trains the model from random weights and measures its validation loss.
    ///
    /// # Errors
    /// [`Error::Other`] if the text is too short; [`Error::NotFinite`] if training diverges.
    pub fn train(
        &self,
        corpus: &Corpus,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<RungResult, Error> {
        self.check_length(corpus)?;
        let mut lecture = Lecture::new(self, corpus.vocab_size, seed)?;
        let mut task = LectureTask {
            train: Batches::new(&corpus.train, self.batch_size, self.block_size, seed)?,
            val: Batches::new(&corpus.val, self.batch_size, self.block_size, seed)?,
            corpus,
            rung: self,
            batch: None,
            losses: (f64::NAN, f64::NAN),
        };
        let options = Options {
            steps: self.steps,
            steps_per_evaluation: self.steps,
            lr: self.lr,
            seed,
            ..Options::default()
        };
        let mut adamw = AdamW::new(0.01);
        let mut fit = Fit::new(&mut lecture, &mut adamw, options);
        let ended = fit.run(&mut task, observer)?;
        let seconds = fit.state.seconds;
        let (val_loss_estimate, val_loss) = task.losses;
        Ok(RungResult { ended, params: lecture.params().count(), val_loss_estimate, val_loss, seconds })
    }
}

/// Trains on random windows, and measures the validation loss in two ways.
struct LectureTask<'a> {
    train: Batches<'a>,
    val: Batches<'a>,
    corpus: &'a Corpus,
    rung: &'a Rung,
    batch: Option<TokenBatch>,
    /// The estimate, and the loss on the whole validation split.
    losses: (f64, f64),
}

/// Random batches in the lecture's estimate.
const ESTIMATE_BATCHES: u64 = 200;
/// Tokens per batch on the whole validation split.
const TOKENS_PER_EVAL_BATCH: usize = 4096;

impl Task<f32, Lecture<f32>> for LectureTask<'_> {
    fn batches(&mut self, step: u64, _: usize) -> Result<&[TokenBatch], Error> {
        Ok(std::slice::from_ref(self.batch.insert(self.train.get("batch", step, 0)?)))
    }

    fn evaluate(
        &mut self,
        _: u64,
        model: &Lecture<f32>,
        tape: &mut Tape<f32>,
        ranks: &mut Ranks,
    ) -> Result<Evaluation, Error> {
        let batches = (&self.val, "estimate val", 0);
        let estimate = estimate_loss(model, tape, batches, ESTIMATE_BATCHES, ranks)?;
        let windows = Windows::new(&self.corpus.val, self.rung.block_size)?;
        let batch_size = TOKENS_PER_EVAL_BATCH / self.rung.block_size;
        let whole = full_pass_loss(model, tape, windows, batch_size, ranks)?;
        self.losses = (estimate, whole);
        let metrics = vec![("val_loss_estimate", estimate), ("val_loss", whole)];
        Ok(Evaluation { score: Some(-whole), metrics })
    }
}
