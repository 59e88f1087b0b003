//! What a GPT is made of, and every setting of its training, under nanoGPT's names.

use m2g_core::Error;
use m2g_core::Mask;
use m2g_core::Precision;
use m2g_core::nn::{NormPlace, Positions, Score};
use m2g_core::optim::Schedule;
use serde::{Deserialize, Deserializer, Serialize};

use m2g_text::TokenizerKind;

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
    /// The base of the wavelengths of sinusoidal positions.
    #[serde(default = "positions_base")]
    pub positions_base: f64,
    /// How well a key answers a query.
    #[serde(default)]
    pub score: Score,
    /// Which keys a query sees.
    #[serde(default = "causal")]
    pub mask: Mask,
    /// Where the norms stand.
    #[serde(default)]
    pub norm: NormPlace,
    /// Whether each part of a block adds to what is there, or replaces it.
    #[serde(default = "yes")]
    pub residual: bool,
    /// Whether layers use fused ops, which are faster; op by op, every matrix can be looked at. The
    /// results agree but for rounding.
    #[serde(alias = "attention", deserialize_with = "bool_or_form")]
    pub fused: bool,
    /// How exactly matrix products and attention are computed.
    #[serde(default)]
    pub precision: Precision,
}

/// Checkpoints from before these settings were there have the standard.
fn positions_base() -> f64 {
    GptConfig::POSITIONS_BASE
}
fn causal() -> Mask {
    Mask::Causal
}
fn yes() -> bool {
    true
}

/// Reads `fused`, which once was `attention = "fused"` or `"primitive"`.
fn bool_or_form<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Form {
        Fused,
        Primitive,
    }
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "it must be true or false")]
    enum Either {
        Bool(bool),
        Form(Form),
    }
    Ok(match Either::deserialize(value)? {
        Either::Bool(fused) => fused,
        Either::Form(form) => matches!(form, Form::Fused),
    })
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
    /// The base of the wavelengths of sinusoidal positions.
    #[serde(default = "positions_base")]
    pub positions_base: f64,
    /// How well a key answers a query: `scaled-dot`, or another of [`Score::NAMES`].
    #[serde(default)]
    pub score: Score,
    /// Which keys a query sees: `causal`, `reversed`, `none`, `window:N`, `finite`.
    #[serde(default = "causal")]
    pub mask: Mask,
    /// Where the norms stand: `before`, `after`, `none`.
    #[serde(default)]
    pub norm: NormPlace,
    /// Whether each part of a block adds to what is there, or replaces it.
    #[serde(default = "yes")]
    pub residual: bool,
    /// Whether layers use fused ops, which are faster; op by op, every matrix can be looked at.
    #[serde(alias = "attention", deserialize_with = "bool_or_form")]
    pub fused: bool,
    /// How exactly matrix products are computed: `f32`, or `bf16`, which is faster on
    /// processors that multiply bf16.
    #[serde(default)]
    pub precision: Precision,

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

impl Default for Config {
    /// The settings of `own-text`: a small model, trained on the project's own text.
    fn default() -> Self {
        Self {
            data: "own-text".into(),
            tokenizer: "char".into(),
            init_from: Self::SCRATCH.into(),
            n_layer: 4,
            n_head: 4,
            n_embd: 128,
            block_size: 64,
            dropout: 0.0,
            bias: false,
            tie_weights: true,
            positions: Positions::Learned,
            positions_base: GptConfig::POSITIONS_BASE,
            score: Score::ScaledDot,
            mask: Mask::Causal,
            norm: NormPlace::Before,
            residual: true,
            fused: true,
            precision: Precision::F32,
            batch_size: 12,
            gradient_accumulation_steps: 1,
            max_iters: 2000,
            learning_rate: 1e-3,
            decay_lr: true,
            warmup_iters: 100,
            lr_decay_iters: 0,
            min_lr: 1e-4,
            weight_decay: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            grad_clip: 1.0,
            eval_interval: 250,
            eval_iters: 0,
            log_interval: 50,
            patience: 0,
            seed: 1,
        }
    }
}

impl Config {
    /// The `init_from` of a training that starts from random weights.
    pub const SCRATCH: &'static str = "scratch";

    /// How the learning rate changes.
    pub fn schedule(&self) -> Schedule {
        let decay = if self.lr_decay_iters == 0 { self.max_iters } else { self.lr_decay_iters };
        match self.decay_lr {
            true => Schedule::WarmupCosine {
                warmup: self.warmup_iters,
                decay,
                floor: self.min_lr / self.learning_rate,
            },
            false => Schedule::Constant,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that makes no sense, by its name.
    pub fn validate(&self) -> Result<(), Error> {
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        self.tokenizer.parse::<TokenizerKind>()?;
        // The vocabulary is the data's business.
        self.model(1).validate()?;
        let counts = [
            ("batch_size", self.batch_size as u64, 1 << 20),
            ("gradient_accumulation_steps", self.gradient_accumulation_steps as u64, 1 << 20),
            ("max_iters", self.max_iters, 1_000_000_000),
            ("eval_interval", self.eval_interval, u64::MAX),
            ("log_interval", self.log_interval, u64::MAX),
        ];
        for (name, value, most) in counts {
            if value == 0 || value > most {
                return setting(name, value.to_string(), "it must be at least 1, and of a size that can be");
            }
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return setting("learning_rate", self.learning_rate.to_string(), "it must be a number above 0");
        }
        let not_negative =
            [("min_lr", self.min_lr), ("weight_decay", self.weight_decay), ("grad_clip", self.grad_clip)];
        for (name, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return setting(name, value.to_string(), "it must be a number, 0 or above");
            }
        }
        for (name, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return setting(name, value.to_string(), "it must be at least 0 and below 1");
            }
        }
        Ok(())
    }

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
            positions_base: self.positions_base,
            score: self.score,
            mask: self.mask.clone(),
            norm: self.norm,
            residual: self.residual,
            fused: self.fused,
            precision: self.precision,
        }
    }
}

impl GptConfig {
    /// The base of the wavelengths of sinusoidal positions in the paper.
    pub const POSITIONS_BASE: f64 = 10_000.0;

    /// Whether keys and values of earlier tokens can be kept while a text grows: if no
    /// later token changes them, and a score is a scalar product.
    pub fn can_cache(&self) -> bool {
        let scale = self.score.scale(self.n_embd / self.n_head, self.n_embd);
        self.mask == Mask::Causal && scale.is_some()
    }

    /// Floating-point operations for each token of a training step, as nanoGPT's
    /// `estimate_mfu` counts them (Chowdhery et al. 2022, appendix B): `6 N + 12 L C T`,
    /// for a model of so many parameters, learned positions not among the N.
    pub fn flops_per_token(&self, parameters: usize) -> u64 {
        let (l, c, t) = (self.n_layer, self.n_embd, self.block_size);
        let positions = if self.positions == Positions::Learned { t * c } else { 0 };
        (6 * (parameters - positions) + 12 * l * c * t) as u64
    }

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
        if !(self.positions_base.is_finite() && self.positions_base > 0.0) {
            return setting("positions_base", self.positions_base.to_string(), "it must be a number above 0");
        }
        if self.mask.lengths().is_some() {
            return setting("mask", self.mask.to_string(), "padding belongs to a batch, not to a model");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return setting("dropout", self.dropout.to_string(), "it must be at least 0 and below 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn older_files_name_the_form_of_attention() {
        let mut json = serde_json::to_value(Config::default()).unwrap();
        let read = |json: &serde_json::Value| serde_json::from_value::<Config>(json.clone());
        assert!(read(&json).unwrap().fused);
        json["fused"] = false.into();
        assert!(!read(&json).unwrap().fused);
        json.as_object_mut().unwrap().remove("fused");
        for (form, fused) in [("fused", true), ("primitive", false)] {
            json["attention"] = form.into();
            assert_eq!(read(&json).unwrap().fused, fused);
        }
        json["attention"] = "both".into();
        assert!(read(&json).unwrap_err().to_string().contains("true or false"));
    }
}
