//! The model: embeddings, blocks of attention and feed-forward, a head.
//!
//! B sequences of T tokens, each token C numbers wide, V tokens in the vocabulary;
//! H heads of D = C / H numbers each.

use m2g_core::Tokens;
use m2g_core::nn::{
    AttentionSettings, Embedding, Init, KvCache, LayerCache, LayerNorm, Linear, Mlp, MultiHeadAttention,
    NormPlace, Positions, Residual, sinusoidal,
};
use m2g_core::rng::{ChaCha8Rng, Streams};
use m2g_core::train::Model;
use m2g_core::{Error, Float, Params, Tape, Var, WeightFormat};

use crate::GptConfig;

/// The standard deviation of the first weights (Radford et al. 2019).
const INIT_STD: f64 = 0.02;

/// A generative pre-trained Transformer, as GPT-2 and nanoGPT have it: for every token
/// of a text, how likely each token is to come next.
#[derive(Debug, Clone)]
pub struct Gpt<T: Float> {
    config: GptConfig,
    params: Params<T>,
    /// What a token is, `(V, C)`.
    wte: Embedding,
    /// Where it stands, `(block_size, C)`, where that is learned.
    wpe: Option<Embedding>,
    blocks: Vec<Block>,
    /// The last norm, where norms stand before what they are for.
    ln_f: Option<LayerNorm>,
    /// `(C) -> (V)`; where it is tied, `wte` is its weight.
    lm_head: Linear,
}

/// Attention lets tokens speak to each other, the feed-forward layers let each token
/// think by itself. Both only add to what is there (residual connections).
#[derive(Debug, Clone)]
struct Block {
    ln_1: Option<LayerNorm>,
    attn: MultiHeadAttention,
    ln_2: Option<LayerNorm>,
    mlp: Mlp,
}

impl Block {
    fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        config: &GptConfig,
        std: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let GptConfig { n_embd: c, n_head, positions, score, attention: form, bias, dropout, .. } = *config;
        // 2 n_layer layers add to the stream: each adds less, so that it does not grow.
        let proj_std = std / (2.0 * config.n_layer as f64).sqrt();
        let init = (Init::NormalWeights(std), Init::NormalWeights(proj_std));
        let settings = AttentionSettings { n_head, positions, score, form, bias, dropout };
        Ok(Self {
            ln_1: norm(params, &format!("{name}.ln_1"), config)?,
            attn: MultiHeadAttention::new(params, &format!("{name}.attn"), c, init, settings, rng)?,
            ln_2: norm(params, &format!("{name}.ln_2"), config)?,
            mlp: Mlp::new(params, &format!("{name}.mlp"), c, init, bias, form, rng)?,
        })
    }

    /// `x + dropout(attention(norm(x)))`, then `x + dropout(mlp(norm(x)))`:
    /// `(B, T, C) -> (B, T, C)`.
    fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        config: &GptConfig,
        x: Var,
        cache: Option<&mut LayerCache<T>>,
    ) -> Result<Var, Error> {
        let (before, after) = (NormPlace::Before, NormPlace::After);
        let residual = |x| Residual { x: config.residual.then_some(x), dropout: config.dropout };
        let y = normed(tape, params, self.ln_1.filter(|_| config.norm == before), x)?;
        let y = self.attn.forward(tape, params, y, &config.mask, cache, residual(x))?;
        let x = normed(tape, params, self.ln_1.filter(|_| config.norm == after), y)?;
        let y = normed(tape, params, self.ln_2.filter(|_| config.norm == before), x)?;
        let y = self.mlp.forward(tape, params, y, residual(x))?;
        normed(tape, params, self.ln_2.filter(|_| config.norm == after), y)
    }
}

/// A norm, if the model has norms.
fn norm<T: Float>(
    params: &mut Params<T>,
    name: &str,
    config: &GptConfig,
) -> Result<Option<LayerNorm>, Error> {
    match config.norm {
        NormPlace::None => Ok(None),
        _ => LayerNorm::new(params, name, config.n_embd, config.bias).map(Some),
    }
}

/// `x` after a norm, if there is one here.
fn normed<T: Float>(
    tape: &mut Tape<T>,
    params: &Params<T>,
    norm: Option<LayerNorm>,
    x: Var,
) -> Result<Var, Error> {
    norm.map_or(Ok(x), |norm| norm.forward(tape, params, x))
}

impl<T: Float> Gpt<T> {
    /// A GPT with random weights, which the seed decides.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting makes no sense.
    pub fn new(config: GptConfig, seed: u64) -> Result<Self, Error> {
        Self::build(config, INIT_STD, seed)
    }

    /// A GPT whose weights are still to come, from a file: all of them are 0.
    ///
    /// # Errors
    /// As [`Gpt::new`].
    pub fn zeros(config: GptConfig) -> Result<Self, Error> {
        Self::build(config, 0.0, 0)
    }

    fn build(config: GptConfig, std: f64, seed: u64) -> Result<Self, Error> {
        config.validate()?;
        let (v, c) = (config.vocab_size, config.n_embd);
        let mut params = Params::new();
        let rng = &mut Streams::new(seed).stream("init", 0);
        let wte = Embedding::new(&mut params, "wte", (v, c), std, rng)?;
        let wpe = match config.positions {
            Positions::Learned => Some(Embedding::new(&mut params, "wpe", (config.block_size, c), std, rng)?),
            _ => None,
        };
        let blocks = (0..config.n_layer)
            .map(|i| Block::new(&mut params, &format!("h.{i}"), &config, std, rng))
            .collect::<Result<_, _>>()?;
        let ln_f = match config.norm {
            NormPlace::Before => norm(&mut params, "ln_f", &config)?,
            _ => None,
        };
        let lm_head = match config.tie_weights {
            true => Linear { weight: wte.weight, bias: None },
            false => Linear::without_bias(&mut params, "lm_head", (c, v), Init::NormalWeights(std), rng)?,
        };
        Ok(Self { config, params, wte, wpe, blocks, ln_f, lm_head })
    }

    /// What it is made of.
    pub fn config(&self) -> &GptConfig {
        &self.config
    }

    /// Stores the weights of all linear layers once more as generation reads them, a token
    /// at a time: in their order, and in so many bits. The model's own weights are rounded
    /// to these, and with tied weights so is the table of the tokens.
    pub fn pack(&mut self, format: WeightFormat) {
        let blocks = self.blocks.iter();
        let layers = blocks.flat_map(|b| [b.attn.c_attn, b.attn.c_proj, b.mlp.c_fc, b.mlp.c_proj]);
        for layer in layers.chain([self.lm_head]) {
            self.params.pack(layer.weight, format);
        }
    }

    /// An empty cache for [`Gpt::forward_cached`], for B sequences.
    pub fn cache(&self, b: usize) -> KvCache<T> {
        let GptConfig { n_layer, n_head, n_embd, block_size, .. } = self.config;
        KvCache::new(n_layer, [b, n_head, block_size, n_embd / n_head])
    }

    /// The logits of the next token for every token: `(B, T) -> (B, T, V)`.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are more than `block_size` tokens; [`Error::Shape`]
    /// if one is not in the vocabulary.
    pub fn forward(&self, tape: &mut Tape<T>, tokens: &Tokens) -> Result<Var, Error> {
        let x = self.stream(tape, tokens, None)?; // (B, T) -> (B, T, C)
        self.head(tape, x)
    }

    /// The same for tokens that follow those in the cache, which they join.
    ///
    /// # Errors
    /// As [`Gpt::forward`], for all tokens together.
    pub fn forward_cached(
        &self,
        tape: &mut Tape<T>,
        tokens: &Tokens,
        cache: &mut KvCache<T>,
    ) -> Result<Var, Error> {
        let x = self.stream(tape, tokens, Some(cache))?;
        self.head(tape, x)
    }

    /// The logits of what follows the last token alone, `(B, T) -> (B, 1, V)`: all that
    /// generation needs. With a cache, the tokens follow those in it, which they join.
    ///
    /// # Errors
    /// As [`Gpt::forward`], for all tokens together.
    pub fn forward_last(
        &self,
        tape: &mut Tape<T>,
        tokens: &Tokens,
        cache: Option<&mut KvCache<T>>,
    ) -> Result<Var, Error> {
        let x = self.stream(tape, tokens, cache)?;
        let x = tape.last_token(x)?; // (B, T, C) -> (B, 1, C)
        self.head(tape, x)
    }

    /// From tokens to the stream of numbers behind the last block, `(B, T) -> (B, T, C)`.
    fn stream(
        &self,
        tape: &mut Tape<T>,
        tokens: &Tokens,
        mut cache: Option<&mut KvCache<T>>,
    ) -> Result<Var, Error> {
        tape.set_precision(self.config.precision);
        let ([_, t], c) = (tokens.shape, self.config.n_embd);
        let start = cache.as_ref().map_or(0, |cache| cache.len());
        if start + t > self.config.block_size {
            let rule = "a model cannot see more tokens at a time than block_size";
            return Err(Error::Setting {
                name: "the number of tokens",
                value: (start + t).to_string(),
                rule,
            });
        }
        let mut x = self.wte.forward(tape, &self.params, tokens)?; // (B, T) -> (B, T, C)
        let positions = match (&self.wpe, self.config.positions) {
            (Some(wpe), _) => {
                let places = Tokens::new([1, t], (start as u32..(start + t) as u32).collect::<Vec<_>>())?;
                Some(wpe.forward(tape, &self.params, &places)?) // (1, T) -> (1, T, C)
            }
            (None, Positions::Sinusoidal) => {
                // Else the small first embeddings drown in sines (Vaswani et al. 2017, section 3.4).
                x = tape.scale(x, (c as f64).sqrt())?;
                Some(tape.input(sinusoidal(start, t, c, self.config.positions_base))) // (T, C)
            }
            _ => None,
        };
        if let Some(positions) = positions {
            x = tape.add(x, positions)?; // (B, T, C) + (T, C)
        }
        x = tape.dropout(x, self.config.dropout)?;
        tape.trace.label(x, || "embedded".into());
        for (i, block) in self.blocks.iter().enumerate() {
            let cache = cache.as_mut().map(|cache| &mut cache.layers[i]);
            x = block.forward(tape, &self.params, &self.config, x, cache)?;
            tape.trace.label(x, || format!("h.{i}"));
        }
        Ok(x)
    }

    /// `(.., C) -> (.., V)`.
    fn head(&self, tape: &mut Tape<T>, x: Var) -> Result<Var, Error> {
        let x = normed(tape, &self.params, self.ln_f, x)?;
        let logits = self.lm_head.forward(tape, &self.params, x)?;
        tape.trace.label(logits, || "logits".into());
        Ok(logits)
    }
}

/// Some sequences: what the model reads, and what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBatch {
    /// The tokens, `(B, T)`.
    pub x: Tokens,
    /// The token that follows each, `(B, T)`.
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
        tape.trace.label(loss, || "loss".into());
        Ok(loss)
    }
}
