//! Every setting of a translation model and of its training, declared once. The names are those of the
//! paper, and nanoGPT's for the training run.

use m2g_core::nn::{NormPlace, Positions};
use m2g_core::optim::{Decay, Schedule};
use m2g_core::settings::Settings;
use m2g_core::settings::rules::{
    at_least_one, batches_of_a_step, below_one, heads, not_empty, not_negative, positive, positive_f32,
    vocabulary,
};
use m2g_core::{Error, Precision, named_setting_values, within};
use m2g_text::TokenizerKind;
use serde::{Deserialize, Serialize};

use crate::decode::{Options, valid_alpha};

/// Which matrices are one and the same (Vaswani et al. 2017, section 3.4). The vocabulary is that of both
/// languages, so all three have the shape `(V, C)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// The embeddings of source and target, and the output layer: the paper.
    #[default]
    ThreeWay,
    /// The embedding of the target and the output layer.
    TwoWay,
    /// None.
    None,
}

named_setting_values!(Sharing);

/// How the learning rate falls after its warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrDecay {
    /// With the square root of the step, whatever the number of steps: the paper.
    #[default]
    InverseSqrt,
    /// Along half a cosine, which would be 0 right after the last step.
    Cosine,
    /// Along a straight line, which would be 0 right after the last step.
    Linear,
    /// Not at all, then along a straight line over the last 40 % of the steps after the warm-up, which would
    /// be 0 right after the last step.
    Trapezoid,
}

named_setting_values!(LrDecay);

m2g_core::settings! {
    /// The settings of a training run, as `config.toml` holds them. The defaults learn the project's own
    /// grammar, or a toy, in a minute on two cores.
    pub struct Config {
        "Data" {
            /// The pairs to train on: grammar (Spanish to English), copy, reverse, sort, dates; multi30k-de-en
            /// or another pair of de, en, fr; a folder made by prepare; or a file with source, tab, target on
            /// each line.
            #[setting(resumable, value_name("DATA"), check(|data| not_empty(data)))]
            data: String = "grammar".into(),
            /// How text becomes tokens, the same in both languages: char, word, byte, or bpe:N for N tokens; auto means
            /// char for the toys, bpe:1000 for the grammar, and bpe:8000 for other text. A prepared folder
            /// brings its own.
            #[setting(value_name("NAME"), check(|name| known_tokenizer(name)))]
            tokenizer: String = "auto".into(),
            /// Whether the decoder reads the target one token late. Without the shift it reads the token that
            /// it must predict, and learns to copy it.
            shift: bool = true,
        }
        /// The settings that make up a model.
        "Model" as TransformerConfig(
            /// V: the number of tokens in the vocabulary, which the data decides.
            vocab_size: usize
        ) {
            /// The number of encoder blocks.
            #[setting(shape, check(within!(1..=1000)))]
            encoder_layers: usize = 2,
            /// The number of decoder blocks.
            #[setting(shape, check(within!(1..=1000)))]
            decoder_layers: usize = 2,
            /// C: the width of the model, a multiple of n_head; each head has D = C / H channels.
            #[setting(shape, check(within!(1..=100000)))]
            d_model: usize = 128,
            /// The width of the hidden layer of the feed-forward layers.
            #[setting(shape, check(within!(1..=1000000)))]
            d_ff: usize = 256,
            /// H: attention heads in each layer.
            #[setting(shape, check(within!(1..=10000)))]
            n_head: usize = 4,
            /// The largest number of tokens of a source or target, its end token included. Longer pairs are
            /// dropped.
            #[setting(shape_at_most, check(within!(2..=65536)))]
            max_length: usize = 256,
            /// The probability with which a training step drops an element of the embeddings and of each
            /// layer's output.
            #[setting(inherited, value_name("P"), check(below_one))]
            dropout: f64 = 0.0,
            /// The same for attention weights.
            #[setting(inherited, value_name("P"), check(below_one))]
            attention_dropout: f64 = 0.0,
            /// The same for the hidden layer of the feed-forward layers, after ReLU.
            #[setting(inherited, value_name("P"), check(below_one))]
            relu_dropout: f64 = 0.0,
            /// Which of source embedding, target embedding and output layer share their weights.
            #[setting(shape)]
            sharing: Sharing = Sharing::ThreeWay,
            /// Whether embeddings are multiplied by sqrt(d_model), so that positions do not drown them.
            #[setting(shape)]
            scale_embeddings: bool = true,
            /// How the model knows the position of a token.
            #[setting(shape, check(not_alibi))]
            positions: Positions = Positions::Sinusoidal,
            /// The base of the wavelengths of sinusoidal positions.
            #[setting(shape, check(positive))]
            positions_base: f64 = 10_000.0,
            /// Where the norms are: after as in the paper, or before, which trains faster and has a last norm.
            #[setting(shape)]
            norm: NormPlace = NormPlace::Before,
            /// Whether attention hides the padding of short sentences. Without it, the translation of a sentence
            /// depends on the longer ones beside it.
            #[setting(shape)]
            padding_mask: bool = true,
            /// The share of each target that a training step spreads evenly over all tokens.
            #[setting(inherited, value_name("EPS"), check(below_one))]
            label_smoothing: f64 = 0.0,
            /// Whether attention and residual connections run as fused ops, which is faster. Otherwise they run
            /// op by op, and every matrix can be inspected. The result is the same up to rounding.
            fused: bool = true,
            /// The precision of matrix products. bf16 is faster on processors that multiply it, and slower on
            /// others.
            precision: Precision = Precision::F32,
        }
        "Training" {
            /// Tokens of a batch, padding included: of its sources or of its targets, whichever are more.
            #[setting(check(within!(1..=16777216)))]
            batch_tokens: usize = 1024,
            /// Batches whose gradients are averaged for one step; each token counts the same.
            #[setting(check(within!(1..=1048576)))]
            gradient_accumulation_steps: usize = 1,
            /// Parts of a step that several processes can share. Each has its own batches; the gradients of all
            /// are averaged.
            #[setting(check(within!(1..=65536)))]
            shards: usize = 1,
            /// The number of training steps.
            #[setting(resumable, check(within!(1..=1000000000)))]
            max_iters: u64 = 1200,
            /// The largest learning rate, at the end of the warm-up; 0 means the paper's,
            /// 1 / sqrt(d_model warmup_iters).
            #[alias = "lr"]
            #[setting(check(not_negative))]
            learning_rate: f64 = 2e-3,
            /// Steps over which the learning rate rises from 0.
            #[alias = "warmup"]
            #[setting(check(at_least_one))]
            warmup_iters: u64 = 150,
            /// How the learning rate falls after its warm-up: with the square root of the step (inverse-sqrt,
            /// the paper), or to 0 at max_iters along half a cosine (cosine), along a line (linear), or along a
            /// line over the last 40 % of these steps only (trapezoid). In a run that is resumed with more steps
            /// the last three begin again from a higher rate.
            lr_decay: LrDecay = LrDecay::InverseSqrt,
            /// Adam's weight decay, which applies to tensors with two or more axes.
            #[setting(check(not_negative))]
            weight_decay: f64 = 0.0,
            /// The decay rate of Adam's running mean of the gradient.
            #[setting(check(below_one))]
            beta1: f64 = 0.9,
            /// The decay rate of Adam's running mean of the squared gradient.
            #[setting(check(below_one))]
            beta2: f64 = 0.98,
            /// Adam's epsilon, which keeps its division finite.
            #[setting(check(positive_f32))]
            eps: f64 = 1e-9,
            /// The largest norm of the gradient, which is scaled down to it; 0 means no limit.
            #[alias = "clip"]
            #[setting(check(not_negative))]
            grad_clip: f64 = 1.0,
            /// The seed of all random numbers.
            seed: u64 = 1,
        }
        "Evaluation" {
            /// Steps between evaluations on the validation pairs.
            #[setting(check(at_least_one))]
            eval_interval: u64 = 200,
            /// Validation pairs that each evaluation translates, to measure BLEU; 0 means none.
            eval_translations: usize = 200,
            /// The beam width of these translations; 1 is greedy decoding.
            #[setting(check(within!(1..=1000)))]
            eval_beam: usize = 1,
            /// The exponent of the length penalty ((5 + n) / 6)^eval_alpha for n tokens; greedy decoding has none.
            #[setting(check(valid_alpha))]
            eval_alpha: f64 = 0.6,
            /// Evaluations whose parameters are averaged: each measures the mean of the last ones, and the best
            /// mean is kept; 1 means no average.
            #[setting(check(within!(1..=100)))]
            average: usize = 3,
            /// Steps between lines of the log.
            #[setting(check(at_least_one))]
            log_interval: u64 = 50,
            /// Stop after this many evaluations without a lower validation loss; 0 means never.
            patience: u32 = 0,
        }
    }
}

impl Config {
    /// How evaluations translate.
    pub fn decoding(&self) -> Options {
        Options { beam: self.eval_beam, alpha: self.eval_alpha, batch: 64, ..Options::default() }
    }

    /// The largest learning rate.
    pub fn peak_learning_rate(&self) -> f64 {
        match self.learning_rate {
            0.0 => 1.0 / (self.d_model as f64 * self.warmup_iters as f64).sqrt(),
            rate => rate,
        }
    }

    /// The schedule of the learning rate, relative to its peak.
    pub fn schedule(&self) -> Schedule {
        let decay = match self.lr_decay {
            LrDecay::InverseSqrt => return Schedule::InverseSquareRoot { warmup: self.warmup_iters },
            LrDecay::Cosine => Decay::Cosine,
            LrDecay::Linear => Decay::Linear,
            LrDecay::Trapezoid => Decay::Trapezoid,
        };
        Schedule::Warmup { warmup: self.warmup_iters, end: self.max_iters, floor: 0.0, decay }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid one.
    pub fn validate(&self) -> Result<(), Error> {
        self.check_each()?;
        batches_of_a_step(self.gradient_accumulation_steps, self.shards)?;
        heads("d_model", self.d_model, self.n_head, self.positions)
    }
}

impl TransformerConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid one.
    pub fn validate(&self) -> Result<(), Error> {
        vocabulary(self.vocab_size)?;
        self.check_each()?;
        heads("d_model", self.d_model, self.n_head, self.positions)
    }
}

/// The bytes, and the special tokens for beginning, end and padding: no vocabulary of byte pairs has fewer tokens.
const SMALLEST_BPE: usize = 256 + 3;

/// The tokenizer of this name: one of those that a translation model can have, or `gpt2`.
///
/// # Errors
/// [`Error::Setting`], of the setting `tokenizer`.
pub(crate) fn tokenizer_kind(name: &str) -> Result<TokenizerKind, Error> {
    let rule = "it must be char, word, byte or bpe:N, where N is from 259 to 1048576 tokens: 256 bytes, three special \
                tokens, and byte pairs";
    match name.parse::<TokenizerKind>() {
        Err(Error::Setting { name, value, .. }) => Err(Error::Setting { name, value, rule }),
        Ok(TokenizerKind::Bpe(n)) if n < SMALLEST_BPE => {
            Err(Error::Setting { name: "tokenizer", value: name.into(), rule })
        }
        parsed => parsed,
    }
}

/// Why a translation model cannot have GPT-2's tokens.
pub(crate) const NO_SPECIAL_TOKENS: &str =
    "GPT-2's vocabulary has no tokens for the beginning and for padding: choose char, word, byte or bpe:N";

fn known_tokenizer(name: &str) -> Result<(), &'static str> {
    if name == "auto" {
        return Ok(());
    }
    match tokenizer_kind(name) {
        Ok(TokenizerKind::Gpt2) => Err(NO_SPECIAL_TOKENS),
        Ok(_) => Ok(()),
        Err(Error::Setting { rule, .. }) => Err(rule),
        Err(_) => Err("it must be char, word, byte or bpe:N"),
    }
}

fn not_alibi(positions: &Positions) -> Result<(), &'static str> {
    match positions {
        Positions::Alibi => Err("ALiBi knows only what came before, but an encoder reads both ways: choose \
                                 sinusoidal, learned, rotary or none"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn invalid_settings_are_named() {
        let base = Config::default;
        base().validate().unwrap();
        let cases = [
            (Config { d_model: 15, ..base() }, "d_model is 15 with n_head 4: it must be a multiple"),
            (Config { tokenizer: "gpt2".into(), ..base() }, "tokenizer is gpt2: GPT-2's vocabulary"),
            (
                Config { tokenizer: "words".into(), ..base() },
                "tokenizer is words: it must be char, word, byte or bpe:N, where",
            ),
            (
                Config { tokenizer: "bpe:258".into(), ..base() },
                "tokenizer is bpe:258: it must be char, word,",
            ),
            (Config { positions: Positions::Alibi, ..base() }, "positions is alibi: ALiBi knows only"),
            (Config { label_smoothing: 1.0, ..base() }, "label_smoothing is 1: it must be at least 0"),
            (
                Config { eps: 1e-38, ..base() },
                "eps is 0.00000000000000000000000000000000000001: it must be at",
            ),
            (
                Config { gradient_accumulation_steps: 1 << 20, shards: 1 << 16, ..base() },
                "gradient_accumulation_steps is 1048576 with shards 65536: times shards it must be at most",
            ),
            (Config { warmup_iters: 0, ..base() }, "warmup_iters is 0: it must be at least 1"),
            (Config { eval_alpha: 10.5, ..base() }, "eval_alpha is 10.5: it must be from 0 to 10"),
        ];
        for (config, start) in cases {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
        assert!(
            TransformerConfig::default().validate().unwrap_err().to_string().starts_with("vocab_size is 0")
        );
    }

    #[test]
    fn the_rate_falls_to_nothing_or_with_the_square_root() {
        let base = Config { warmup_iters: 100, max_iters: 1100, ..Config::default() };
        let rates = |lr_decay| {
            let schedule = Config { lr_decay, ..base.clone() }.schedule();
            [100, 600, 1100].map(|step| schedule.factor(step, base.max_iters, 0))
        };
        assert!((rates(LrDecay::InverseSqrt)[2] - (100.0 / 1101.0_f64).sqrt()).abs() < 1e-12);
        assert_eq!(rates(LrDecay::Linear), [1.0, 0.5, 0.0]);
        assert!((rates(LrDecay::Cosine)[1] - 0.5).abs() < 1e-12);
        assert_eq!(rates(LrDecay::Trapezoid), [1.0, 1.0, 0.0]);
    }

    /// The paper: d_model 512 and 4000 steps of warm-up.
    #[test]
    fn the_default_peak_is_the_papers() {
        let paper = Config { d_model: 512, warmup_iters: 4000, learning_rate: 0.0, ..Config::default() };
        assert!((paper.peak_learning_rate() - 0.000_698_77).abs() < 1e-8);
        assert_eq!(Config::default().peak_learning_rate(), 2e-3);
    }
}
