//! Every setting of a GPT and of its training, declared once, under nanoGPT's names.

use m2g_core::nn::{GeluForm, MlpActivation, NormKind, NormPlace, Positions, Score};
use m2g_core::optim::{Decay, Schedule};
use m2g_core::settings::rules::{
    at_least_one, batches_of_a_step, below_one, heads, not_negative, not_negative_f32, positive,
    positive_f32, vocabulary,
};
use m2g_core::settings::{SettingValue, Settings};
use m2g_core::{Error, Mask, Precision, within};
use m2g_text::source::DocumentSeparator;
use m2g_text::{Documents, TokenizerKind, tales};

/// Byte pairs that hold nearly every word of the tales: a window of 64 tokens is then most of a tale.
const TALES_BPE: usize = 512;

m2g_core::settings! {
    /// The settings of a training run, as `config.toml` holds them. The defaults are those of
    /// `tales`: a small model, trained on short tales that a grammar writes.
    pub struct Config {
        "Data" {
            /// The text to train on: a text file, a folder of text or one made by `m2g gpt prepare` or
            /// nanoGPT, the name of a dataset, or what this program writes or holds: tales (short tales in
            /// English and Spanish), tales-es (the Spanish ones), own-sources (its own notes and sources).
            #[setting(resumable, value_name("DATA"))]
            data: String = "tales".into(),
            /// How text becomes tokens: char, word, byte, gpt2, or bpe:N for N tokens. auto means bpe:512 for the
            /// tales and char for any other text. A prepared folder brings its own.
            #[setting(value_name("NAME"), check(|name| known_tokenizer(name)))]
            tokenizer: String = Config::AUTO.into(),
            /// Where documents end: files (at the end of each file), none, or a text such as \n\n that also
            /// separates documents within a file. An end-of-text token stands between two documents. auto
            /// means files for gpt2 and bpe:N, none for char, word and byte.
            #[setting(absent(one_document))]
            document_separator: DocumentSeparator = DocumentSeparator::Auto,
            /// Whether <|endoftext|> in the text is the end-of-text token, not plain text.
            special_tokens: bool = false,
            /// V for a folder that has only train.bin and val.bin, as nanoGPT makes them: token ids
            /// without a tokenizer. Other data needs no number: 0.
            #[setting(check(within!(0..=16777216)))]
            vocab_size: usize = 0,
            /// Start from the best model of this run, with its shape and its tokenizer; scratch
            /// starts from random weights.
            #[setting(value_name("RUN"))]
            init_from: String = Config::SCRATCH.into(),
        }
        /// The settings that make up a GPT.
        "Model" as GptConfig(
            /// V: the number of tokens in the vocabulary, which the data decides.
            vocab_size: usize
        ) {
            /// The number of blocks.
            #[setting(shape, check(within!(1..=1000)))]
            n_layer: usize = 4,
            /// H: attention heads in each block.
            #[setting(shape, check(within!(1..=10000)))]
            n_head: usize = 4,
            /// C: the width of the model, a multiple of n_head; each head has D = C / H channels.
            #[setting(shape, check(within!(1..=100000)))]
            n_embd: usize = 128,
            /// The largest T: the number of tokens that the model sees at a time.
            #[setting(shape_at_most, check(within!(1..=1048576)))]
            block_size: usize = 64,
            /// The probability with which a training step drops an activation.
            #[setting(inherited, value_name("P"), check(below_one))]
            dropout: f64 = 0.0,
            /// Whether linear layers and norms have a bias.
            #[setting(shape)]
            bias: bool = false,
            /// Whether the head uses the token embedding as its weight.
            #[setting(shape)]
            tie_weights: bool = true,
            /// How the model knows the position of a token.
            #[setting(shape)]
            positions: Positions = Positions::Learned,
            /// The base of the wavelengths of sinusoidal positions.
            #[setting(shape, check(positive))]
            positions_base: f64 = 10_000.0,
            /// How the score of a query with a key is computed.
            #[setting(shape)]
            score: Score = Score::ScaledDot,
            /// Which keys a query sees: causal, reversed, none, window:N, finite.
            #[setting(shape, check(not_padding))]
            mask: Mask = Mask::Causal,
            /// Where the norms are.
            #[setting(shape)]
            norm: NormPlace = NormPlace::Before,
            /// What they compute: layer normalisation, or rms, which leaves out mean and bias (Zhang and
            /// Sennrich 2019).
            #[setting(shape)]
            norm_kind: NormKind = NormKind::Layer,
            /// Whether each query and key is divided by its root mean square, so that scores stay bounded
            /// (Henry et al. 2020).
            #[setting(shape)]
            qk_norm: bool = false,
            /// Whether every block but the first attends to the mean of its values and those of the first
            /// (Zhou et al. 2024).
            #[setting(shape)]
            value_residual: bool = false,
            /// The activation function of the feed-forward layers: relu-squared is that of So et al. 2021,
            /// swiglu that of Shazeer 2020, with a hidden layer of 8/3 instead of 4 n_embd.
            #[setting(shape)]
            activation: MlpActivation = MlpActivation::Gelu,
            /// The form of GELU: tanh as in GPT-2, or exact as in nanoGPT, which is slower.
            #[setting(shape)]
            gelu: GeluForm = GeluForm::Tanh,
            /// Whether attention and feed-forward layers add to their input or replace it.
            #[setting(shape)]
            residual: bool = true,
            /// Bounds the logits to this size, softly: z becomes cap tanh(z / cap) (Gemma 2, 2024); 0 means
            /// no bound.
            #[setting(shape, check(not_negative_f32))]
            logit_cap: f64 = 0.0,
            /// Whether the matrices that add to the residual stream start at 0, so that each block does
            /// nothing at first (Zhang et al. 2019).
            #[setting(inherited)]
            zero_init_proj: bool = false,
            /// Whether each attention and feed-forward layer runs as one fused op, which is faster.
            /// Otherwise they run op by op, and every matrix can be inspected. The result is the same up to
            /// rounding.
            #[alias = "attention"]
            #[setting(from_text(fused_from_text))]
            fused: bool = true,
            /// The precision of matrix products and attention. bf16 is faster on processors that
            /// multiply it, and slower on others.
            precision: Precision = Precision::F32,
        }
        "Training" {
            /// Sequences in one forward and backward pass.
            #[setting(check(within!(1..=1048576)))]
            batch_size: usize = 12,
            /// Steps over which batches grow: an eighth of batch_size in the first third of them, then a
            /// quarter, then half (McCandlish et al. 2018); 0 means whole batches from the start.
            batch_size_warmup: u64 = 0,
            /// Steps over which the windows to train on grow: an eighth of block_size in the first third of
            /// them, then a quarter, then half (Li et al. 2022); 0 means whole windows from the start.
            block_size_warmup: u64 = 0,
            /// Passes whose gradients are averaged for one step.
            #[setting(check(within!(1..=1048576)))]
            gradient_accumulation_steps: usize = 1,
            /// Parts of a step that several processes can share. Each has its own passes; the gradients of all
            /// are averaged.
            #[setting(check(within!(1..=65536)))]
            shards: usize = 1,
            /// The number of training steps.
            #[setting(resumable, check(within!(1..=1000000000)))]
            max_iters: u64 = 2000,
            /// The largest learning rate.
            #[alias = "lr"]
            #[setting(check(positive_f32))]
            learning_rate: f64 = 2e-3,
            /// Whether the learning rate decays.
            decay_lr: bool = true,
            /// The way it decays: along half a cosine, along a line (linear), or along a line at the end
            /// only (trapezoid, over the last 40 % of the steps after the warm-up).
            lr_decay: Decay = Decay::Cosine,
            /// Steps over which the learning rate rises from 0.
            warmup_iters: u64 = 100,
            /// The step at which the learning rate reaches min_lr; 0 means max_iters.
            lr_decay_iters: u64 = 0,
            /// The learning rate after its decay.
            #[setting(check(not_negative))]
            min_lr: f64 = 1e-4,
            /// AdamW's weight decay, which applies to tensors with two or more axes.
            #[setting(check(not_negative))]
            weight_decay: f64 = 0.1,
            /// The decay rate of AdamW's running mean of the gradient.
            #[setting(check(below_one))]
            beta1: f64 = 0.9,
            /// The decay rate of AdamW's running mean of the squared gradient.
            #[setting(check(below_one))]
            beta2: f64 = 0.99,
            /// Muon's largest learning rate, for the matrices of the blocks, which AdamW then leaves alone; 0
            /// means AdamW for all.
            #[setting(check(not_negative))]
            muon_learning_rate: f64 = 0.0,
            /// Evaluations whose parameters are averaged: each measures the mean of the last ones, and the
            /// best mean is kept (Vaswani et al. 2017, section 6.1); 1 means no average.
            #[setting(check(within!(1..=1000)))]
            average: usize = 1,
            /// The largest norm of the gradient, which is scaled down to it; 0 means no limit.
            #[alias = "clip"]
            #[setting(check(not_negative))]
            grad_clip: f64 = 1.0,
            /// The seed of all random numbers.
            seed: u64 = 1,
        }
        "Evaluation" {
            /// Steps between evaluations on the whole validation split.
            #[setting(check(at_least_one))]
            eval_interval: u64 = 250,
            /// Batches for nanoGPT's sampled estimate of the loss, reported as well; 0 means none.
            eval_iters: u64 = 0,
            /// Steps between lines of the log.
            #[setting(check(at_least_one))]
            log_interval: u64 = 50,
            /// Stop after this many evaluations without a lower validation loss; 0 means never.
            patience: u32 = 0,
        }
    }
}

impl Config {
    /// The `init_from` of a run that starts from random weights.
    pub const SCRATCH: &'static str = "scratch";

    /// The `tokenizer` that the data decides.
    pub const AUTO: &'static str = "auto";

    /// How text becomes tokens, if the data and its tokenizer have to be made.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no tokenizer of this name.
    pub fn tokenizer_kind(&self) -> Result<TokenizerKind, Error> {
        match &*self.tokenizer {
            Self::AUTO if tales::is_name(&self.data) => Ok(TokenizerKind::Bpe(TALES_BPE)),
            Self::AUTO => Ok(TokenizerKind::Char),
            name => name.parse(),
        }
    }

    /// Where the documents of the text end.
    pub fn documents(&self) -> Documents {
        Documents { separator: self.document_separator.clone(), special_tokens: self.special_tokens }
    }

    /// The schedule of the learning rate.
    pub fn schedule(&self) -> Schedule {
        let decay = if self.lr_decay_iters == 0 { self.max_iters } else { self.lr_decay_iters };
        match self.decay_lr {
            true => Schedule::Warmup {
                warmup: self.warmup_iters,
                end: decay,
                // A rate does not decay to a larger one.
                floor: (self.min_lr / self.learning_rate).min(1.0),
                decay: self.lr_decay,
            },
            false => Schedule::Constant,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid one.
    pub fn validate(&self) -> Result<(), Error> {
        self.check_each()?;
        batches_of_a_step(self.gradient_accumulation_steps, self.shards)?;
        heads("n_embd", self.n_embd, self.n_head, self.positions)
    }
}

impl GptConfig {
    /// Whether the keys and values of earlier tokens can be cached during generation: later tokens
    /// must not change them, and the score must be a scaled dot product.
    pub fn can_cache(&self) -> bool {
        self.mask == Mask::Causal && self.score.is_scaled_dot()
    }

    /// Floating-point operations per token of a training step on windows of T tokens, of a model with N
    /// parameters, as nanoGPT's `estimate_mfu` counts them (Chowdhery et al. 2022, appendix B):
    /// `6 N + 12 L C T`, where N leaves out learned positions.
    pub fn flops_per_token(&self, parameters: usize, t: usize) -> u64 {
        let (l, c) = (self.n_layer, self.n_embd);
        let positions = if self.positions == Positions::Learned { self.block_size * c } else { 0 };
        (6 * (parameters - positions) + 12 * l * c * t) as u64
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid one.
    pub fn validate(&self) -> Result<(), Error> {
        vocabulary(self.vocab_size)?;
        self.check_each()?;
        heads("n_embd", self.n_embd, self.n_head, self.positions)
    }
}

/// The separator of configurations from before there was one.
fn one_document() -> DocumentSeparator {
    DocumentSeparator::None
}

fn known_tokenizer(name: &str) -> Result<(), &'static str> {
    match name.parse::<TokenizerKind>() {
        _ if name == Config::AUTO => Ok(()),
        Err(Error::Setting { rule, .. }) => Err(rule),
        _ => Ok(()),
    }
}

fn not_padding(mask: &Mask) -> Result<(), &'static str> {
    match mask.lengths() {
        Some(_) => Err("padding belongs to a batch, not to a model"),
        None => Ok(()),
    }
}

/// Older files and checkpoints say `attention = "fused"` or `"primitive"`.
fn fused_from_text(text: &str) -> Result<bool, String> {
    match text {
        "fused" => Ok(true),
        "primitive" => Ok(false),
        _ => bool::from_text(text).map_err(|rule| format!("{rule} (or \"fused\", \"primitive\")")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn descriptions_of_old_checkpoints_are_read() {
        // A description from before `positions_base`, `score`, `mask`, `norm`, `residual`,
        // `precision` and `fused` were settings.
        let old = r#"{"vocab_size": 65, "block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 8, "dropout": 0.1,
            "bias": true, "tie_weights": false, "positions": "rotary", "attention": "primitive"}"#;
        let config: GptConfig = serde_json::from_str(old).unwrap();
        let standard = Config { n_layer: 2, n_head: 2, n_embd: 8, block_size: 16, ..Config::default() };
        let expected = GptConfig {
            dropout: 0.1,
            bias: true,
            tie_weights: false,
            positions: Positions::Rotary,
            fused: false,
            ..standard.model(65)
        };
        assert_eq!(config, expected);
        assert!(serde_json::from_str::<GptConfig>(r#"{"attention": "fast"}"#).is_err());
        let damaged: GptConfig = serde_json::from_str("{}").unwrap();
        assert!(damaged.validate().unwrap_err().to_string().starts_with("vocab_size is 0"));
    }

    #[test]
    fn old_spellings_are_read_from_files() {
        let old = "attention = \"primitive\"\nlr = 0.5\nclip = 2.0\n";
        let config: Config = toml::from_str(old).unwrap();
        let expected = Config {
            // A file from before documents had ends.
            document_separator: one_document(),
            fused: false,
            learning_rate: 0.5,
            grad_clip: 2.0,
            ..Config::default()
        };
        assert_eq!(config, expected);
        let written = toml::to_string(&config).unwrap();
        assert!(written.contains("\nfused = false\n") && written.contains("\nlearning_rate = 0.5\n"));
    }

    #[test]
    fn the_learning_rate_never_grows_to_min_lr() {
        let small = Config { learning_rate: 1e-5, min_lr: 1e-4, warmup_iters: 0, ..Config::default() };
        let factors = [0, 1000, 1999, 5000].map(|step| small.schedule().factor(step, small.max_iters, 0));
        assert_eq!(factors, [1.0; 4]);
        let usual = Config::default();
        let end = usual.schedule().factor(usual.max_iters, usual.max_iters, 0);
        assert_eq!(end, usual.min_lr / usual.learning_rate);
    }

    #[test]
    fn invalid_settings_are_named() {
        let base = Config::default;
        let cases = [
            (
                Config { learning_rate: f64::NAN, ..base() },
                "learning_rate is NaN: it must be a number above 0",
            ),
            // Muon's rate is a multiple of this one.
            (Config { learning_rate: 1e-320, muon_learning_rate: 0.01, ..base() }, "learning_rate is 0.0000"),
            (
                Config { gradient_accumulation_steps: 1 << 20, shards: 2, ..base() },
                "gradient_accumulation_steps is 1048576 with shards 2: times shards it must be at most 1048576",
            ),
            (Config { n_layer: 0, ..base() }, "n_layer is 0: it must be from 1 to 1000"),
            (Config { n_embd: 15, ..base() }, "n_embd is 15 with n_head 4: it must be a multiple of n_head"),
            (Config { tokenizer: "words".into(), ..base() }, "tokenizer is words: it must be char"),
            (Config { log_interval: 0, ..base() }, "log_interval is 0: it must be at least 1"),
            (
                Config { logit_cap: 1e39, ..base() },
                "logit_cap is 1000000000000000000000000000000000000000: it must be",
            ),
            (Config { grad_clip: f64::INFINITY, ..base() }, "grad_clip is inf: it must be a finite number"),
        ];
        for (config, start) in cases {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
