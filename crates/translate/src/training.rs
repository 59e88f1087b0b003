//! Training a translation model in a run folder.

use m2g_core::memory::Footprint;
use m2g_core::optim::{AdamW, Averaged, Optimizer};
use m2g_core::ranks::Ranks;
use m2g_core::train::{Evaluation, Options, Session, SessionCode, SessionModel, Task, Trainable};
use m2g_core::{Error, Tape};
use m2g_text::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::data::{Batches, Corpus, batch};
use crate::decode::Translator;
use crate::evaluation::{bleu_and_exact, predict, references, translate};
use crate::footprint::footprint;
use crate::{Config, PairBatch, Transformer, TransformerConfig};

/// A training run of a translation model.
pub type Training<'a> = Session<'a, Transformer<f32>>;

/// The name of this kind of model in checkpoints.
pub const KIND: &str = <Transformer<f32> as Trainable>::KIND;

/// What a checkpoint stores to rebuild a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The settings of its training run.
    pub config: Config,
    /// The settings of the model.
    pub model: TransformerConfig,
    /// The tokenizer of both languages.
    pub tokenizer: Tokenizer,
    /// The fingerprint of its training data.
    pub data: String,
}

impl SessionModel for Transformer<f32> {
    fn code() -> &'static SessionCode<Self> {
        static CODE: SessionCode<Transformer<f32>> = SessionCode::new();
        &CODE
    }
}

impl Trainable for Transformer<f32> {
    const KIND: &'static str = "translate";
    type Config = Config;
    type Description = Description;
    type Data = Corpus;

    fn validate(config: &Config) -> Result<(), Error> {
        config.validate()
    }

    fn describe(config: Config, corpus: &Corpus, _: Option<&Description>) -> Result<Description, Error> {
        let (tokenizer, data) = (corpus.tokenizer.clone(), corpus.fingerprint.clone());
        Ok(Description { model: config.model(tokenizer.vocab_size()), config, tokenizer, data })
    }

    fn check(description: &Description) -> Result<(), Error> {
        let Description { model, tokenizer, .. } = description;
        model.validate()?;
        if tokenizer.vocab_size() > model.vocab_size {
            let rule = "the tokenizer has more tokens: it and the model do not belong together";
            return Err(Error::Setting { name: "vocab_size", value: model.vocab_size.to_string(), rule });
        }
        Ok(())
    }

    fn footprint(description: &Description, corpus: Option<&Corpus>) -> Option<Footprint> {
        let any = [description.model.max_length; 2];
        let longest = corpus.map_or(any, |corpus| [corpus.train.longest(), corpus.val.longest()]);
        Some(footprint(&description.config, &description.model, longest))
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

    fn init(description: &Description, _: Option<&Self>) -> Result<Self, Error> {
        Transformer::new(description.model.clone(), description.config.seed)
    }

    fn empty(description: &Description) -> Result<Self, Error> {
        Transformer::zeros(description.model.clone())
    }

    fn options(description: &Description, _: &Corpus) -> Options {
        let config = &description.config;
        Options {
            steps: config.max_iters,
            steps_per_evaluation: config.eval_interval,
            log_interval: Some(config.log_interval),
            lr: config.peak_learning_rate(),
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
        let Config { beta1, beta2, eps, weight_decay, average, .. } = description.config;
        let mut adam = AdamW::new(weight_decay);
        (adam.betas, adam.eps) = ((beta1, beta2), eps);
        match average {
            1 => Box::new(adam),
            average => Box::new(Averaged::new(Box::new(adam), average)),
        }
    }

    fn task<'a>(
        description: &'a Description,
        corpus: &'a Corpus,
    ) -> Result<impl Task<f32, Self> + 'a, Error> {
        let Config { batch_tokens, seed, .. } = description.config;
        let train = Batches::new(&corpus.train, batch_tokens, seed);
        Ok(TranslationTask {
            config: &description.config,
            corpus,
            epochs: Epochs::new(train),
            step: Step::default(),
            batches: Vec::new(),
        })
    }
}

/// The batches of all epochs in a row.
struct Epochs<'a> {
    batches: Batches<'a>,
    /// The current epoch, the number of its first batch, and its batches.
    epoch: u64,
    first: u64,
    current: Vec<Vec<usize>>,
}

impl<'a> Epochs<'a> {
    fn new(batches: Batches<'a>) -> Self {
        Self { batches, epoch: 0, first: 0, current: batches.epoch(0) }
    }

    /// Batch `number`, counted from the first of the first epoch, as indices of pairs.
    fn get(&mut self, number: u64) -> &[usize] {
        if number < self.first {
            *self = Self::new(self.batches);
        }
        while number - self.first >= self.current.len() as u64 {
            self.first += self.current.len() as u64;
            self.epoch += 1;
            self.current = self.batches.epoch(self.epoch);
        }
        &self.current[(number - self.first) as usize]
    }
}

/// Trains on batches of the training pairs, and measures loss, accuracy and BLEU on the validation pairs.
struct TranslationTask<'a> {
    config: &'a Config,
    corpus: &'a Corpus,
    epochs: Epochs<'a>,
    step: Step,
    batches: Vec<PairBatch>,
}

/// The batches of a step, as indices of pairs.
#[derive(Default)]
struct Step {
    number: Option<u64>,
    /// Of all shards.
    batches: Vec<Vec<usize>>,
}

impl Task<f32, Transformer<f32>> for TranslationTask<'_> {
    fn batches(&mut self, step: u64, shard: usize) -> Result<&[PairBatch], Error> {
        let (passes, special) = (self.config.gradient_accumulation_steps, self.corpus.specials());
        let in_all = (passes * self.config.shards) as u64;
        if self.step.number != Some(step) {
            let numbers = step * in_all..(step + 1) * in_all;
            let batches = numbers.map(|number| self.epochs.get(number).to_vec()).collect();
            self.step = Step { number: Some(step), batches };
        }
        let all = &self.step.batches;
        let pairs = &self.corpus.train;
        self.batches = all[shard * passes..(shard + 1) * passes]
            .iter()
            .map(|indices| batch(pairs, indices, special, self.config.shift))
            .collect::<Result<_, _>>()?;
        // The losses of all passes are averaged: each token shall count the same.
        if in_all > 1 {
            let targets: usize = all.iter().flatten().map(|&i| pairs.target.get(i).len()).sum();
            let mean = targets as f64 / in_all as f64;
            self.batches.iter_mut().for_each(|batch| batch.rows = Some(mean));
        }
        Ok(&self.batches)
    }

    fn evaluate(
        &mut self,
        _: u64,
        model: &Transformer<f32>,
        tape: &mut Tape<f32>,
        ranks: &mut Ranks,
    ) -> Result<Evaluation, Error> {
        let Self { config, corpus, .. } = self;
        let found = predict(model, tape, &corpus.val, (corpus.specials(), config.shift), ranks)?;
        let mut metrics = vec![
            ("val_loss", found.loss),
            ("val_perplexity", found.perplexity()),
            ("val_accuracy", found.accuracy),
        ];
        let n = config.eval_translations.min(corpus.val.len());
        if n > 0 {
            // Spread evenly over the pairs.
            let indices: Vec<usize> = (0..n).map(|i| i * corpus.val.len() / n).collect();
            let translator =
                Translator::new(model, &corpus.tokenizer, config.decoding())?.stop_when(tape.stop());
            // With a padding mask, a sentence has the same translation in any batch.
            let ours = ranks.map_texts(n, |mine| {
                let mine: Vec<usize> = mine.iter().map(|&i| indices[i]).collect();
                translate(&translator, &corpus.val, &mine)
            })?;
            let (bleu, exact) = bleu_and_exact(&ours, &references(&corpus.tokenizer, &corpus.val, &indices));
            metrics.extend([("val_bleu", bleu), ("val_exact", exact)]);
        }
        Ok(Evaluation { score: Some(-found.loss), metrics })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_tokenizer_with_more_tokens_than_the_model_is_refused() {
        let check = |vocab_size| {
            let (config, tokenizer) = (Config::default(), Tokenizer::byte());
            let model = config.model(vocab_size);
            <Transformer<f32> as Trainable>::check(&Description {
                config,
                model,
                tokenizer,
                data: String::new(),
            })
        };
        check(256).unwrap();
        assert!(check(255).unwrap_err().to_string().contains("do not belong together"));
    }
}
