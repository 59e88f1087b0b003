//! Trains a rung and measures its loss as the lecture does.

use m2g_core::optim::AdamW;
use m2g_core::train::{Ended, Evaluation, Fit, Model, Observer, Options, Task};
use m2g_core::{Error, Tape};

use super::{Lecture, Rung};
use crate::TokenBatch;
use crate::data::{Batches, Corpus, Windows};

/// The result of training a rung.
#[derive(Debug, Clone, PartialEq)]
pub struct Climbed {
    /// Why the training run ended.
    pub ended: Ended,
    /// The number of parameters of the model.
    pub params: usize,
    /// The mean loss of 200 random batches of the validation split: the lecture's estimate.
    pub val_loss_estimate: f64,
    /// The loss on the whole validation split.
    pub val_loss: f64,
    /// The training time in seconds.
    pub seconds: f64,
}

impl Rung {
    /// Trains the model and measures it.
    ///
    /// # Errors
    /// If the text is too short, or training diverges.
    pub fn train(&self, corpus: &Corpus, seed: u64, observer: &mut dyn Observer) -> Result<Climbed, Error> {
        let mut lecture = Lecture::new(self, corpus.tokenizer.vocab_size(), seed)?;
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
        Ok(Climbed { ended, params: lecture.params().count(), val_loss_estimate, val_loss, seconds })
    }
}

/// Trains on random windows and measures the loss in two ways.
struct LectureTask<'a> {
    train: Batches<'a>,
    val: Batches<'a>,
    corpus: &'a Corpus,
    rung: &'a Rung,
    batch: Option<TokenBatch>,
    /// The estimate, and the loss on the whole split.
    losses: (f64, f64),
}

/// Batches in the lecture's estimate.
const EVAL_ITERS: u64 = 200;
/// Tokens in a batch when measuring the whole split.
const EVAL_TOKENS: usize = 4096;

impl Task<f32, Lecture> for LectureTask<'_> {
    fn batches(&mut self, step: u64) -> Result<&[TokenBatch], Error> {
        Ok(std::slice::from_ref(self.batch.insert(self.train.get("batch", step, 0))))
    }

    fn evaluate(&mut self, model: &Lecture, tape: &mut Tape<f32>) -> Result<Evaluation, Error> {
        let mut loss = |batch: &TokenBatch| -> Result<f64, Error> {
            tape.reset();
            let loss = model.loss(tape, batch)?;
            Ok(f64::from(tape.read_loss(loss)))
        };
        let mut estimate = 0.0;
        for i in 0..EVAL_ITERS {
            estimate += loss(&self.val.get("estimate val", 0, i))? / EVAL_ITERS as f64;
        }
        let windows = Windows::new(&self.corpus.val, self.rung.block_size)?;
        let mut whole = 0.0;
        for batch in windows.batches(EVAL_TOKENS / self.rung.block_size) {
            whole += loss(&batch)? * batch.y.ids.len() as f64 / windows.targets() as f64;
        }
        self.losses = (estimate, whole);
        let metrics = vec![("val_loss_estimate", estimate), ("val_loss", whole)];
        Ok(Evaluation { score: Some(-whole), metrics })
    }
}
