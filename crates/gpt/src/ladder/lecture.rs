//! The model of the lecture, from the bigram table to a GPT.

use m2g_core::nn::{
    AttentionSettings, Block, Context, Embedding, GeluForm, Init, LayerNorm, Linear, Mlp, MlpActivation,
    Norm, NormPlace, PositionEmbedding, Positions, Score, SelfAttention,
};
use m2g_core::rng::{ChaCha8Rng, Streams};
use m2g_core::train::Model;
use m2g_core::{Error, Float, Mask, Params, Tape, Tokens, Var};

use super::{Body, Rung};
use crate::TokenBatch;

/// The model of every rung, with PyTorch's default initialisation, as in the lecture.
#[derive(Debug, Clone)]
pub struct Lecture<T: Float> {
    params: Params<T>,
    /// `(V, C)`; in the bigram model the logits of the next token, `(V, V)`.
    token_embedding: Embedding,
    upper: Option<UpperLayers>,
}

/// The layers above the token embedding, which the bigram model lacks.
#[derive(Debug, Clone)]
struct UpperLayers {
    /// `(block_size, C)`.
    position_embedding: PositionEmbedding,
    blocks: Vec<Block>,
    ln_f: Option<LayerNorm>,
    /// `(C) -> (V)`.
    lm_head: Linear,
}

impl<T: Float> Lecture<T> {
    /// The model of a rung for V tokens, with random initial weights.
    ///
    /// # Errors
    /// None for the rungs in [`RUNGS`](super::RUNGS).
    pub fn new(rung: &Rung, v: usize, seed: u64) -> Result<Self, Error> {
        let (params, rng) = (&mut Params::new(), &mut Streams::new(seed).stream("init", 0));
        let c = rung.body.map_or(v, |body| body.n_embd);
        let token_embedding = Embedding::new(params, "token_embedding", (v, c), 1.0, rng)?;
        let upper =
            rung.body.map(|body| UpperLayers::new(params, body, (rung.block_size, v), rng)).transpose()?;
        // PyTorch's AdamW decays all parameters, biases and norms too.
        params.iter_mut().for_each(|p| p.decay = true);
        Ok(Self { params: std::mem::take(params), token_embedding, upper })
    }

    /// The logits of the next token for every token: `(B, T) -> (B, T, V)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are more than `block_size` tokens, or one is not in the vocabulary.
    pub fn forward(&self, tape: &mut Tape<T>, tokens: &Tokens) -> Result<Var, Error> {
        let params = &self.params;
        let x = self.token_embedding.forward(tape, params, tokens)?;
        let Some(upper) = &self.upper else { return Ok(x) }; // (B, T, V)
        let mut x = upper.position_embedding.add_to(tape, params, x, 0)?; // (B, T, C)
        for block in &upper.blocks {
            x = block.forward(tape, params, x, &Mask::Causal, Context::default())?;
        }
        if let Some(ln_f) = &upper.ln_f {
            x = ln_f.forward(tape, params, x)?;
        }
        upper.lm_head.forward(tape, params, x) // (B, T, C) -> (B, T, V)
    }
}

impl<T: Float> Model<T> for Lecture<T> {
    type Batch = TokenBatch;

    fn params(&self) -> &Params<T> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<T> {
        &mut self.params
    }

    fn loss(&self, tape: &mut Tape<T>, batch: &TokenBatch) -> Result<Var, Error> {
        let logits = self.forward(tape, &batch.x)?;
        tape.cross_entropy(logits, &batch.y)
    }
}

impl UpperLayers {
    fn new<T: Float>(
        params: &mut Params<T>,
        body: Body,
        (block_size, v): (usize, usize),
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let c = body.n_embd;
        let table = Embedding::new(params, "position_embedding", (block_size, c), 1.0, rng)?;
        Ok(Self {
            position_embedding: PositionEmbedding::Learned(table),
            blocks: (0..body.n_layer)
                .map(|i| block(params, format!("blocks.{i}"), body, rng))
                .collect::<Result<_, _>>()?,
            ln_f: norm(params, "ln_f", body)?,
            lm_head: Linear::new(params, "lm_head", (c, v), Init::Uniform, rng)?,
        })
    }
}

/// The block of a rung: the lower rungs lack projections, feed-forward layers or norms.
fn block<T: Float>(
    params: &mut Params<T>,
    name: String,
    body: Body,
    rng: &mut ChaCha8Rng,
) -> Result<Block, Error> {
    let (c, hidden) = (body.n_embd, body.feed_forward * body.n_embd);
    let mut linear = |params: &mut Params<T>, part: &str, exists: bool, shape| match exists {
        true => Linear::new(params, &format!("{name}.{part}"), shape, Init::Uniform, rng).map(Some),
        false => Ok(None),
    };
    let feeds_forward = hidden > 0;
    // The order of these calls determines the random weights of each layer.
    let attention_proj = linear(params, "attention_proj", body.residual, (c, c))?;
    let feed_forward = linear(params, "feed_forward", feeds_forward, (c, hidden))?;
    let feed_forward_proj = linear(params, "feed_forward_proj", feeds_forward && body.residual, (hidden, c))?;
    let ln_1 = norm(params, &format!("{name}.ln_1"), body)?;
    let qkv = Linear::without_bias(params, &format!("{name}.qkv"), (c, 3 * c), Init::Uniform, rng)?;
    let ln_2 = norm(params, &format!("{name}.ln_2"), body)?;
    let settings = AttentionSettings {
        n_head: body.n_head,
        positions: Positions::Learned,
        // Divided by sqrt(C / H), the root of the head's width; some copies of the lecture take sqrt(C).
        score: Score::ScaledDot,
        bias: false,
        qk_norm: false,
        dropout: body.dropout,
    };
    Ok(Block {
        name,
        ln_1: ln_1.map(Norm::Layer),
        attn: SelfAttention { c_attn: qkv, c_proj: attention_proj, score: None, settings },
        ln_cross: None,
        cross_attn: None,
        ln_2: ln_2.map(Norm::Layer),
        mlp: feed_forward.map(|c_fc| Mlp {
            c_fc,
            activation: MlpActivation::Relu,
            gelu: GeluForm::default(),
            c_proj: feed_forward_proj,
            dropout: 0.0,
        }),
        norm: if body.norm { NormPlace::Before } else { NormPlace::None },
        residual: body.residual,
        dropout: body.dropout,
    })
}

fn norm<T: Float>(params: &mut Params<T>, name: &str, body: Body) -> Result<Option<LayerNorm>, Error> {
    body.norm.then(|| LayerNorm::new(params, name, body.n_embd, true)).transpose()
}
