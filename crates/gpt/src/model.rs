//! The model: token and position embeddings, blocks of attention and feed-forward layers, a head.
//!
//! Shapes: B sequences of T tokens, C elements per token, V tokens in the vocabulary, H heads of
//! D = C / H elements. Names follow nanoGPT's `model.py`. The block is
//! [`m2g_core::nn::Block`]; [`generate`](crate::generate) adds the forward passes of generation.

use m2g_core::nn::{
    AttentionSettings, Block, BlockSettings, Context, Embedding, FirstValues, Init, KvCache, Linear, Norm,
    NormPlace, PositionEmbedding,
};
use m2g_core::rng::Streams;
use m2g_core::train::Model;
use m2g_core::{Error, Float, Params, Tape, Tokens, Var};

use crate::GptConfig;

/// The standard deviation of the initial weights (Radford et al. 2019).
const INIT_STD: f64 = 0.02;

/// A generative pre-trained Transformer like GPT-2 and nanoGPT: for every token of a text, it
/// computes the logits of the next token.
#[derive(Debug, Clone)]
pub struct Gpt<T: Float> {
    config: GptConfig,
    params: Params<T>,
    /// The token embedding, `(V, C)`.
    wte: Embedding,
    /// The position embedding, `(block_size, C)` if learned.
    wpe: PositionEmbedding,
    /// `x = x + attn(norm(x)); x = x + mlp(norm(x))`, `n_layer` times.
    blocks: Vec<Block>,
    /// The final norm, if the blocks normalise before their sub-layers.
    ln_f: Option<Norm>,
    /// `(C) -> (V)`; if tied, its weight is that of `wte`.
    lm_head: Linear,
}

impl GptConfig {
    /// The settings of each block, whose initial weights have standard deviation `std`.
    pub(crate) fn block_settings(&self, std: f64) -> BlockSettings {
        let &Self { n_embd, n_head, positions, score, bias, qk_norm, activation, dropout, .. } = self;
        // 2 n_layer sub-layers add to the stream: divided by the root of their number, their sum keeps its variance
        // (Radford et al. 2019).
        let proj_std = if self.zero_init_proj { 0.0 } else { std / (2.0 * self.n_layer as f64).sqrt() };
        BlockSettings {
            hidden: activation.usual_hidden(n_embd),
            activation,
            gelu: self.gelu,
            attention: AttentionSettings { n_head, positions, score, bias, qk_norm, dropout },
            norm: self.norm,
            norm_kind: self.norm_kind,
            residual: self.residual,
            dropout,
            init: Init::NormalWeights(std),
            init_proj: Init::NormalWeights(proj_std),
            ..BlockSettings::new(n_embd, n_head)
        }
    }
}

impl<T: Float> Gpt<T> {
    /// A GPT with random initial weights, which `seed` determines.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is invalid.
    pub fn new(config: GptConfig, seed: u64) -> Result<Self, Error> {
        Self::build(config, INIT_STD, seed)
    }

    /// A GPT to fill from a file: its weights and biases are 0, the gains of its norms 1.
    ///
    /// # Errors
    /// As [`Gpt::new`].
    pub fn zeros(config: GptConfig) -> Result<Self, Error> {
        Self::build(config, 0.0, 0)
    }

    fn build(config: GptConfig, std: f64, seed: u64) -> Result<Self, Error> {
        config.validate()?;
        let GptConfig { vocab_size: v, block_size: t, n_embd: c, positions, positions_base, .. } = config;
        let (params, rng) = (&mut Params::new(), &mut Streams::new(seed).stream("init", 0));
        let wte = Embedding::new(params, "wte", (v, c), std, rng)?;
        let wpe = PositionEmbedding::new(params, "wpe", positions, (t, c), (std, positions_base), rng)?;
        let block = config.block_settings(std);
        let blocks = (0..config.n_layer)
            .map(|i| Block::new(params, &format!("h.{i}"), &block, rng))
            .collect::<Result<_, _>>()?;
        let ln_f = match config.norm {
            NormPlace::Before => Some(Norm::new(params, "ln_f", config.norm_kind, c, config.bias)?),
            NormPlace::After | NormPlace::None => None,
        };
        let lm_head = match config.tie_weights {
            true => Linear { weight: wte.weight, bias: None },
            false => Linear::without_bias(params, "lm_head", (c, v), Init::NormalWeights(std), rng)?,
        };
        Ok(Self { config, params: std::mem::take(params), wte, wpe, blocks, ln_f, lm_head })
    }

    /// The logits of the next token for every token: `(B, T) -> (B, T, V)`.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are more than `block_size` tokens; [`Error::Shape`] if a token
    /// is not in the vocabulary.
    pub fn forward(&self, tape: &mut Tape<T>, tokens: &Tokens) -> Result<Var, Error> {
        let x = self.hidden_states(tape, tokens, None)?;
        self.head(tape, x)
    }

    /// The residual stream after the last block, `(B, T) -> (B, T, C)`. With a `cache`, `tokens`
    /// continue the cached ones and are cached too.
    pub(crate) fn hidden_states(
        &self,
        tape: &mut Tape<T>,
        tokens: &Tokens,
        cache: Option<&mut KvCache<T>>,
    ) -> Result<Var, Error> {
        let (config, params) = (&self.config, &self.params);
        tape.set_precision(config.precision);
        tape.set_fused(config.fused);
        let start = cache.as_ref().map_or(0, |cache| cache.len());
        self.check_length(start + tokens.shape[1])?;

        let x = self.wte.forward(tape, params, tokens)?; // (B, T) -> (B, T, C)
        let x = self.wpe.add_to(tape, params, x, start)?; // (B, T, C) + (T, C)
        let x = tape.dropout(x, config.dropout)?;
        let mut x = tape.label(x, "embedded");
        let mut caches = cache.into_iter().flat_map(|cache| &mut cache.layers);
        let mut first_values = config.value_residual.then(FirstValues::default);
        for block in &self.blocks {
            let context = Context { cache: caches.next(), memory: None, first_values: first_values.as_mut() };
            x = block.forward(tape, params, x, &config.mask, context)?;
        }
        Ok(x)
    }

    /// The logits of hidden states: `(.., C) -> (.., V)`.
    pub(crate) fn head(&self, tape: &mut Tape<T>, mut x: Var) -> Result<Var, Error> {
        if let Some(ln_f) = &self.ln_f {
            x = ln_f.forward(tape, &self.params, x)?;
        }
        let mut logits = self.lm_head.forward(tape, &self.params, x)?;
        if self.config.logit_cap > 0.0 {
            let cap = self.config.logit_cap; // cap tanh(logits / cap)
            let bounded = tape.scale(logits, 1.0 / cap)?;
            let bounded = tape.tanh(bounded)?;
            logits = tape.scale(bounded, cap)?;
        }
        Ok(tape.label(logits, "logits"))
    }

    /// Checks that this many tokens fit into the window.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are more than `block_size`.
    pub(crate) fn check_length(&self, tokens: usize) -> Result<(), Error> {
        let rule = "a model sees at most block_size tokens at a time";
        match tokens <= self.config.block_size {
            true => Ok(()),
            false => Err(Error::Setting { name: "the number of tokens", value: tokens.to_string(), rule }),
        }
    }

    /// The settings of the model.
    pub fn config(&self) -> &GptConfig {
        &self.config
    }

    /// All linear layers: four in each block, and the head.
    pub(crate) fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.blocks.iter().flat_map(Block::linears).chain([&self.lm_head])
    }
}

/// A batch of sequences: inputs and targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBatch {
    /// The input tokens, `(B, T)`.
    pub x: Tokens,
    /// The targets, the token after each input token: `(B, T)`.
    pub y: Tokens,
}

impl<T: Float> Model<T> for Gpt<T> {
    type Batch = TokenBatch;

    fn params(&self) -> &Params<T> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<T> {
        &mut self.params
    }

    fn loss(&self, tape: &mut Tape<T>, batch: &TokenBatch) -> Result<Var, Error> {
        let logits = self.forward(tape, &batch.x)?; // (B, T) -> (B, T, V)
        let loss = tape.cross_entropy(logits, &batch.y)?;
        Ok(tape.label(loss, "loss"))
    }
}
