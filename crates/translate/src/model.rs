//! The model: section 3 of "Attention is all you need" (Vaswani et al. 2017), from top to bottom.
//!
//! By default the norms stand before the sub-layers, as in GPT-2: `x + f(norm(x))`. The paper's own place is
//! `norm = "after"`: `norm(x + f(x))`.
//!
//! Shapes: B pairs of a source of S tokens and a target of T tokens, C = d_model elements per token, V
//! tokens in the vocabulary, H heads of D = C / H elements. The block is [`m2g_core::nn::Block`], the same
//! as that of the GPT: a decoder block only has one more sub-layer, cross-attention.

use std::sync::Arc;

use m2g_core::nn::{
    AttentionSettings, Block, BlockSettings, Context, Embedding, Init, KvCache, LayerNorm, Linear, Memory,
    MlpActivation, NormPlace, PositionEmbedding,
};
use m2g_core::ops::smoothed_cross_entropy::SmoothedTargets;
use m2g_core::rng::{ChaCha8Rng, Streams};
use m2g_core::train::Model;
use m2g_core::{Error, Float, Mask, Params, Tape, Tokens, Var};

use crate::{Sharing, TransformerConfig};

/// The encoder-decoder Transformer: reads a sentence, and computes for every prefix of a translation the
/// logits of its next token.
#[derive(Debug, Clone)]
pub struct Transformer<T: Float> {
    config: TransformerConfig,
    params: Params<T>,
    /// The tokens and the positions of the source.
    source: Input,
    /// `x = x + attn(norm(x)); x = x + mlp(norm(x))`, `encoder_layers` times. Each token sees all others.
    encoder: Vec<Block>,
    /// The last norm of the encoder, if the blocks normalise before their sub-layers.
    encoder_norm: Option<LayerNorm>,
    /// The tokens and the positions of the target.
    target: Input,
    /// The same with `x = x + cross_attn(norm(x), memory)` in between, `decoder_layers` times. Each token
    /// sees the earlier ones, and the whole source.
    decoder: Vec<Block>,
    /// The last norm of the decoder, as that of the encoder.
    decoder_norm: Option<LayerNorm>,
    /// `(C) -> (V)`; if shared, its weight is that of the target's embedding.
    output: Linear,
}

/// The embedding of a sequence: its tokens, and their positions.
#[derive(Debug, Clone, Copy)]
struct Input {
    /// `(V, C)`
    tokens: Embedding,
    positions: PositionEmbedding,
}

/// What the decoder attends to: the output of the encoder, or what each layer makes of it.
#[derive(Debug, Clone, Copy)]
pub enum Encoded<'a, T: Float> {
    /// The output of the encoder, `(B, S, C)`.
    Sequence(Var),
    /// The keys and values of each decoder layer: see [`Transformer::keys_values`]. If there are n times as many
    /// targets as sources, n targets in a row read the same source.
    KeysValues(&'a KvCache<T>),
}

impl TransformerConfig {
    /// The settings of a block: the paper's, unless the configuration says otherwise. With `gain` 0, all its linear
    /// layers are 0.
    pub(crate) fn block_settings(&self, cross_attention: bool, gain: f64) -> BlockSettings {
        let &Self { d_model, d_ff, n_head, positions, norm, dropout, .. } = self;
        let usual = BlockSettings::new(d_model, n_head);
        let init = Init::Scaled { gain, bias: 0.0 };
        BlockSettings {
            hidden: d_ff,
            activation: MlpActivation::Relu,
            attention: AttentionSettings { positions, dropout: self.attention_dropout, ..usual.attention },
            cross_attention,
            norm,
            dropout,
            hidden_dropout: self.relu_dropout,
            init,
            init_proj: init,
            ..usual
        }
    }
}

impl<T: Float> Transformer<T> {
    /// A model with random initial weights, which `seed` determines. Embeddings are normal with standard
    /// deviation `d_model^-0.5`: multiplied by `sqrt(d_model)` at the input, they have variance 1; as the weights of
    /// the output layer, they give logits of variance 1.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is invalid.
    pub fn new(config: TransformerConfig, seed: u64) -> Result<Self, Error> {
        // With gain 1, each sum of inputs keeps their variance.
        Self::build(config, 1.0, seed)
    }

    /// A model to fill from a file: its weights and biases are 0, the gains of its norms 1.
    ///
    /// # Errors
    /// As [`Transformer::new`].
    pub fn zeros(config: TransformerConfig) -> Result<Self, Error> {
        Self::build(config, 0.0, 0)
    }

    fn build(config: TransformerConfig, gain: f64, seed: u64) -> Result<Self, Error> {
        config.validate()?;
        let (params, rng) = (&mut Params::new(), &mut Streams::new(seed).stream("init", 0));
        let (v, c) = (config.vocab_size, config.d_model);
        let std = gain * (c as f64).powf(-0.5);
        let embedding = |params: &mut _, name: &str, rng: &mut ChaCha8Rng| {
            Embedding::new(params, &format!("{name}_embedding"), (v, c), std, rng)
        };
        let shared = (config.sharing == Sharing::ThreeWay)
            .then(|| Embedding::new(params, "embedding", (v, c), std, rng))
            .transpose()?;
        let input = |params: &mut _, name: &str, rng: &mut ChaCha8Rng| {
            let tokens = shared.map_or_else(|| embedding(params, name, rng), Ok)?;
            let positions = PositionEmbedding::new(
                params,
                &format!("{name}_positions"),
                config.positions,
                (config.max_length, c),
                (std, config.positions_base),
                rng,
            )?;
            Ok::<_, Error>(Input { tokens, positions })
        };
        let (source, target) = (input(params, "source", rng)?, input(params, "target", rng)?);
        let stack = |params: &mut Params<T>, name: &str, (n, cross): (usize, bool), rng: &mut ChaCha8Rng| {
            let settings = config.block_settings(cross, gain);
            let blocks = (0..n).map(|i| Block::new(params, &format!("{name}.{i}"), &settings, rng));
            let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
            let norm = match config.norm {
                NormPlace::Before => Some(LayerNorm::new(params, &format!("{name}.norm"), c, true)?),
                NormPlace::After | NormPlace::None => None,
            };
            Ok::<_, Error>((blocks, norm))
        };
        let (encoder, encoder_norm) = stack(params, "encoder", (config.encoder_layers, false), rng)?;
        let (decoder, decoder_norm) = stack(params, "decoder", (config.decoder_layers, true), rng)?;
        let output = match config.sharing {
            Sharing::None => Linear::without_bias(params, "output", (c, v), Init::NormalWeights(std), rng)?,
            _ => Linear { weight: target.tokens.weight, bias: None },
        };
        let params = std::mem::take(params);
        Ok(Self { config, params, source, encoder, encoder_norm, target, decoder, decoder_norm, output })
    }

    /// The logits of each token of the target, `(B, T, V)`, from the source and the earlier tokens. A pair has
    /// the same bits alone and in a batch, with a padding mask and fused ops.
    ///
    /// # Errors
    /// [`Error::Setting`] if a sequence is longer than `max_length`; [`Error::Shape`] if a token is not in
    /// the vocabulary.
    pub fn forward(&self, tape: &mut Tape<T>, batch: &PairBatch) -> Result<Var, Error> {
        tape.set_fixed_row_bits(true);
        let memory = self.encode(tape, &batch.source, &batch.source_lengths)?; // (B, S) -> (B, S, C)
        let source = (Encoded::Sequence(memory), &batch.source_lengths);
        let mask = match self.config.padding_mask {
            true => Mask::CausalPadding(batch.target_lengths.clone()),
            false => Mask::Causal,
        };
        let x = self.decode(tape, &batch.input, &mask, source, None)?; // (B, T) -> (B, T, C)
        self.logits(tape, x) // (B, T, C) -> (B, T, V)
    }

    /// Section 3.1, the left half of figure 1: the source `(B, S)` becomes the memory `(B, S, C)`.
    ///
    /// # Errors
    /// As [`Transformer::forward`].
    pub fn encode(&self, tape: &mut Tape<T>, source: &Tokens, lengths: &Arc<[usize]>) -> Result<Var, Error> {
        let mask = self.source_mask(lengths);
        let x = self.embed(tape, &self.source, source, 0)?; // (B, S) -> (B, S, C)
        let mut x = tape.label(x, "source embedded");
        for block in &self.encoder {
            x = block.forward(tape, &self.params, x, &mask, Context::default())?;
        }
        if let Some(norm) = &self.encoder_norm {
            x = norm.forward(tape, &self.params, x)?;
        }
        Ok(tape.label(x, "memory"))
    }

    /// Section 3.1, the right half of figure 1: the target `(B, T)` becomes hidden states `(B, T, C)`, with a look
    /// at the source. With a `cache`, the target continues the cached tokens and is cached too.
    ///
    /// # Errors
    /// As [`Transformer::forward`].
    pub fn decode(
        &self,
        tape: &mut Tape<T>,
        target: &Tokens,
        mask: &Mask,
        (encoded, source_lengths): (Encoded<'_, T>, &Arc<[usize]>),
        cache: Option<&mut KvCache<T>>,
    ) -> Result<Var, Error> {
        let start = cache.as_ref().map_or(0, |cache| cache.len());
        let source_mask = self.source_mask(source_lengths);
        let seen = match encoded {
            // Without a padding mask, attention sees the padding too.
            Encoded::KeysValues(cache) if !self.config.padding_mask => {
                vec![cache.len(); source_lengths.len()].into()
            }
            _ => source_lengths.clone(),
        };
        let x = self.embed(tape, &self.target, target, start)?; // (B, T) -> (B, T, C)
        let mut x = tape.label(x, "target embedded");
        let mut caches = cache.into_iter().flat_map(|cache| &mut cache.layers);
        for (i, block) in self.decoder.iter().enumerate() {
            let memory = match encoded {
                Encoded::Sequence(memory) => Memory::Sequence(memory, &source_mask),
                Encoded::KeysValues(cache) => Memory::cached(tape, &cache.layers[i], &seen),
            };
            let context = Context { cache: caches.next(), memory: Some(memory), first_values: None };
            x = block.forward(tape, &self.params, x, mask, context)?;
        }
        match &self.decoder_norm {
            Some(norm) => norm.forward(tape, &self.params, x),
            None => Ok(x),
        }
    }

    /// Section 3.4: the logits of hidden states, `(.., C) -> (.., V)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have C columns.
    pub fn logits(&self, tape: &mut Tape<T>, x: Var) -> Result<Var, Error> {
        let logits = self.output.forward(tape, &self.params, x)?;
        Ok(tape.label(logits, "logits"))
    }

    /// Sections 3.4 and 3.5: embeddings times `sqrt(C)`, plus positions from `start` on: `(B, T) -> (B, T, C)`.
    fn embed(&self, tape: &mut Tape<T>, input: &Input, tokens: &Tokens, start: usize) -> Result<Var, Error> {
        let (config, params) = (&self.config, &self.params);
        tape.set_precision(config.precision);
        tape.set_fused(config.fused);
        self.check_length(start + tokens.shape[1])?;
        let mut x = input.tokens.forward(tape, params, tokens)?; // (B, T) -> (B, T, C)
        if config.scale_embeddings {
            x = tape.scale(x, (config.d_model as f64).sqrt())?;
        }
        let x = input.positions.add_unscaled(tape, params, x, start)?; // (B, T, C) + (T, C)
        tape.dropout(x, config.dropout)
    }

    /// The keys and values of every decoder layer for a memory `(B, S, C)`: generation computes them once and uses
    /// them for every token.
    ///
    /// # Errors
    /// [`Error::Shape`] if the memory does not have C columns.
    pub fn keys_values(&self, tape: &mut Tape<T>, memory: Var) -> Result<KvCache<T>, Error> {
        let layers = self.decoder.iter().filter_map(|block| block.cross_attn.as_ref());
        let layers = layers.map(|layer| layer.keys_values(tape, &self.params, memory));
        Ok(KvCache { layers: layers.collect::<Result<_, _>>()? })
    }

    /// An empty cache for the self-attention of `b` targets, with room for `tokens` tokens.
    pub fn cache(&self, b: usize, tokens: usize) -> KvCache<T> {
        let TransformerConfig { decoder_layers, n_head, d_model, .. } = self.config;
        KvCache::new(decoder_layers, [b, n_head, tokens, d_model / n_head])
    }

    fn source_mask(&self, lengths: &Arc<[usize]>) -> Mask {
        match self.config.padding_mask {
            true => Mask::Padding(lengths.clone()),
            false => Mask::None,
        }
    }

    /// Checks that a source or target with this many tokens is short enough.
    ///
    /// # Errors
    /// [`Error::Setting`] if it has more than `max_length`.
    pub(crate) fn check_length(&self, tokens: usize) -> Result<(), Error> {
        let rule = "a model sees at most max_length tokens of a source or target";
        match tokens <= self.config.max_length {
            true => Ok(()),
            false => Err(Error::Setting { name: "the number of tokens", value: tokens.to_string(), rule }),
        }
    }

    /// The same model, built from unfused ops, so that every matrix can be inspected. The result is
    /// the same up to rounding.
    ///
    /// # Errors
    /// None: the settings are those of this model.
    pub fn unfused(&self) -> Result<Self, Error> {
        let config = TransformerConfig { fused: false, ..self.config.clone() };
        Ok(Self { params: self.params.clone(), ..Self::zeros(config)? })
    }

    /// Packs the weights of all linear layers once, for many products with few rows, as in a search. No result
    /// changes.
    pub fn pack(&mut self) {
        let linears = self.encoder.iter().chain(&self.decoder).flat_map(Block::linears).chain([&self.output]);
        let weights: Vec<_> = linears.map(|linear| linear.weight).collect();
        let precision = self.config.precision;
        weights.into_iter().for_each(|weight| self.params.pack_factor(weight, precision));
    }

    /// The settings of the model.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }
}

/// A batch of pairs, filled up with padding.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairBatch {
    /// The sources, each with its end token: `(B, S)`.
    pub source: Tokens,
    /// The number of tokens of each source.
    pub source_lengths: Arc<[usize]>,
    /// What the decoder reads: the beginning token, and the target without its end token, `(B, T)`.
    pub input: Tokens,
    /// What it must predict: the target with its end token, `(B, T)`.
    pub target: Tokens,
    /// The number of tokens of each target.
    pub target_lengths: Arc<[usize]>,
    /// The token of the padding.
    pub padding: u32,
    /// What the summed loss is divided by, if not the number of targets of this batch: see
    /// [`SmoothedTargets::rows`].
    pub rows: Option<f64>,
}

impl PairBatch {
    /// The targets for the loss, with this share of smoothing.
    pub fn targets(&self, smoothing: f64) -> SmoothedTargets {
        let padding = Some(self.padding);
        SmoothedTargets { tokens: self.target.clone(), padding, smoothing, rows: self.rows }
    }
}

impl<T: Float> Model<T> for Transformer<T> {
    type Batch = PairBatch;

    fn params(&self) -> &Params<T> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<T> {
        &mut self.params
    }

    /// The smoothed loss, in nats per token: see
    /// [`SmoothedCrossEntropy`](m2g_core::ops::smoothed_cross_entropy::SmoothedCrossEntropy).
    fn loss(&self, tape: &mut Tape<T>, batch: &PairBatch) -> Result<Var, Error> {
        let logits = self.forward(tape, batch)?; // (B, T, V)
        let loss = tape.smoothed_cross_entropy(logits, batch.targets(self.config.label_smoothing))?;
        Ok(tape.label(loss, "loss"))
    }
}
