//! What a GPT is made of, and every setting of its training, under nanoGPT's names.

use m2g_core::Error;
use m2g_core::nn::{AttentionForm, Positions};
use serde::{Deserialize, Serialize};

/// What a GPT is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GptConfig {
    /// V: how many tokens there are.
    pub vocab_size: usize,
    /// The most tokens that the model sees at a time, the largest T.
    pub block_size: usize,
    /// How many blocks there are.
    pub n_layer: usize,
    /// H: attention heads in each block.
    pub n_head: usize,
    /// C: numbers that stand for a token; each head works on D = C / H of them.
    pub n_embd: usize,
    /// The probability with which a number is left out of a training step.
    pub dropout: f64,
    /// Whether linear layers and norms have a bias.
    pub bias: bool,
    /// Whether the head uses the token embedding as its weights.
    pub tie_weights: bool,
    /// How the model knows where a token stands.
    pub positions: Positions,
    /// Which of the two forms of attention computes; the result is the same.
    pub attention: AttentionForm,
}

/// The settings of a training, as `config.toml` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What to train on: a text file, a folder made by `m2g gpt prepare`, the name
    /// of a dataset, or `own-text`.
    pub data: String,
    /// How text becomes tokens: `char`, `byte`, `gpt2`, `bpe:N`. A prepared folder
    /// brings its own.
    pub tokenizer: String,
    /// `scratch`, or the run whose best parameters are the first.
    pub init_from: String,

    /// How many blocks there are.
    pub n_layer: usize,
    /// Attention heads in each block.
    pub n_head: usize,
    /// Numbers that stand for a token.
    pub n_embd: usize,
    /// The most tokens that the model sees at a time.
    pub block_size: usize,
    /// The probability with which a number is left out of a training step.
    pub dropout: f64,
    /// Whether linear layers and norms have a bias.
    pub bias: bool,
    /// Whether the head uses the token embedding as its weights.
    pub tie_weights: bool,
    /// `learned`, `sinusoidal`, `rotary`, `alibi`, `none`.
    pub positions: Positions,
    /// `fused` or `primitive`.
    pub attention: AttentionForm,

    /// Sequences in a forward and backward pass.
    pub batch_size: usize,
    /// Passes whose gradients are added up for one step.
    pub gradient_accumulation_steps: usize,
    /// Steps in all.
    pub max_iters: u64,
    /// The largest learning rate.
    pub learning_rate: f64,
    /// Whether the learning rate falls along half a cosine.
    pub decay_lr: bool,
    /// Steps in which the learning rate rises from 0.
    pub warmup_iters: u64,
    /// The step at which the learning rate reaches `min_lr`; 0 stands for `max_iters`.
    pub lr_decay_iters: u64,
    /// The learning rate at the end.
    pub min_lr: f64,
    /// How fast weights decay.
    pub weight_decay: f64,
    /// The memory of AdamW's mean gradient.
    pub beta1: f64,
    /// The memory of AdamW's mean square.
    pub beta2: f64,
    /// The largest norm of a gradient; 0 is no limit.
    pub grad_clip: f64,

    /// Steps from one evaluation to the next.
    pub eval_interval: u64,
    /// Batches of nanoGPT's sampled estimate of the loss; 0 leaves it out.
    pub eval_iters: u64,
    /// Steps from one line of the log to the next.
    pub log_interval: u64,
    /// Stop after so many evaluations without a lower validation loss; 0 is never.
    pub patience: u32,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl Config {
    /// The model that these settings describe, for a vocabulary of this size.
    pub fn model(&self, vocab_size: usize) -> GptConfig {
        GptConfig {
            vocab_size,
            block_size: self.block_size,
            n_layer: self.n_layer,
            n_head: self.n_head,
            n_embd: self.n_embd,
            dropout: self.dropout,
            bias: self.bias,
            tie_weights: self.tie_weights,
            positions: self.positions,
            attention: self.attention,
        }
    }
}

impl GptConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that makes no sense, by nanoGPT's name.
    pub fn validate(&self) -> Result<(), Error> {
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        let sizes = [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("block_size", self.block_size, 1 << 20),
            ("n_layer", self.n_layer, 1000),
            ("n_head", self.n_head, 10_000),
            ("n_embd", self.n_embd, 100_000),
        ];
        for (name, value, most) in sizes {
            if value == 0 || value > most {
                return setting(
                    name,
                    value.to_string(),
                    "it must be at least 1, and of a size that fits a computer",
                );
            }
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            let rule = "n_embd must be a multiple of n_head, because the heads share it evenly";
            return setting("n_embd", format!("{} with n_head {}", self.n_embd, self.n_head), rule);
        }
        if self.positions == Positions::Rotary && !(self.n_embd / self.n_head).is_multiple_of(2) {
            let rule = "rotary positions turn pairs of numbers, so that n_embd / n_head must be even";
            return setting("n_embd", format!("{} with n_head {}", self.n_embd, self.n_head), rule);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return setting("dropout", self.dropout.to_string(), "it must be at least 0 and below 1");
        }
        Ok(())
    }
}
