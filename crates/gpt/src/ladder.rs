//! The ladder of the lecture "Let's build GPT" (Karpathy 2023): from a table of which
//! character follows which to a GPT, one part at a time, each with the lecture's settings
//! and the loss that it reaches there on Shakespeare.
//!
//! All rungs are one model, [`Lecture`], with more or fewer parts; `ladder/climb.rs` trains
//! and measures it.

mod climb;

pub use climb::Climbed;

use m2g_core::Mask;
use m2g_core::Tokens;
use m2g_core::nn::{Embedding, Init, LayerNorm, Linear};
use m2g_core::ops::attention::AttentionOptions;
use m2g_core::rng::{ChaCha8Rng, Streams};
use m2g_core::train::Model;
use m2g_core::{Error, Params, Tape, Var};

use crate::TokenBatch;

/// A rung: a model, how it is trained, and what the lecture measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is new.
    pub about: &'static str,
    /// The validation loss in the lecture: the lowest and the highest that it shows.
    pub lecture: (f64, f64),
    /// Sequences in a batch.
    pub batch_size: usize,
    /// Tokens in a sequence.
    pub block_size: usize,
    /// The learning rate.
    pub lr: f64,
    /// Steps.
    pub steps: u64,
    /// What looks at more than one token; the bigram has none.
    pub body: Option<Body>,
}

/// What stands between the embedding and the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    /// C: numbers that stand for a token.
    pub n_embd: usize,
    /// Blocks, one after the other.
    pub n_layer: usize,
    /// Heads that attend side by side, C / H wide each.
    pub n_head: usize,
    /// The hidden layer of the feed-forward part is so many times C wide; 0 is none.
    pub feed_forward: usize,
    /// Whether each part adds to what is there, through a projection, instead of
    /// replacing it.
    pub residual: bool,
    /// Whether each part sees normalised numbers, and the head too.
    pub norm: bool,
    /// The probability with which a number is left out of a training step.
    pub dropout: f64,
}

const ONE_HEAD: Body =
    Body { n_embd: 32, n_layer: 1, n_head: 1, feed_forward: 0, residual: false, norm: false, dropout: 0.0 };
const MULTI_HEAD: Body = Body { n_head: 4, ..ONE_HEAD };
const FEED_FORWARD: Body = Body { feed_forward: 1, ..MULTI_HEAD };
const RESIDUAL: Body = Body { n_layer: 3, feed_forward: 4, residual: true, ..MULTI_HEAD };
const LAYER_NORM: Body = Body { norm: true, ..RESIDUAL };
const SCALED: Body = Body { n_embd: 384, n_layer: 6, n_head: 6, dropout: 0.2, ..LAYER_NORM };

const BIGRAM_RUNG: Rung = Rung {
    name: "bigram",
    about: "which character follows which: a table",
    lecture: (2.49, 2.57),
    batch_size: 32,
    block_size: 8,
    lr: 1e-2,
    steps: 3000,
    body: None,
};
const ONE_HEAD_RUNG: Rung = Rung {
    name: "one-head",
    about: "tokens look back at each other: one head of self-attention",
    lecture: (2.40, 2.40),
    lr: 1e-3,
    steps: 5000,
    body: Some(ONE_HEAD),
    ..BIGRAM_RUNG
};

/// From the table of pairs to the scaled model, which alone takes hours without a GPU.
pub const RUNGS: [Rung; 7] = [
    BIGRAM_RUNG,
    ONE_HEAD_RUNG,
    Rung {
        name: "multi-head",
        about: "four smaller heads side by side",
        lecture: (2.28, 2.28),
        body: Some(MULTI_HEAD),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "feed-forward",
        about: "each token thinks about what it heard",
        lecture: (2.24, 2.27),
        body: Some(FEED_FORWARD),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "residual",
        about: "three blocks, each of which adds to what is there",
        lecture: (2.08, 2.08),
        body: Some(RESIDUAL),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "layer-norm",
        about: "normalised before each part, and at the end",
        lecture: (2.06, 2.06),
        body: Some(LAYER_NORM),
        ..ONE_HEAD_RUNG
    },
    Rung {
        name: "scaled",
        about: "the same, larger, with dropout",
        lecture: (1.48, 1.48),
        batch_size: 64,
        block_size: 256,
        lr: 3e-4,
        body: Some(SCALED),
        ..ONE_HEAD_RUNG
    },
];

/// The model of every rung. Weights begin as PyTorch's do, which the lecture keeps.
#[derive(Debug, Clone)]
pub struct Lecture {
    params: Params<f32>,
    /// What a token is, `(V, C)`; of the bigram `(V, V)`, what follows it.
    token_embedding: Embedding,
    top: Option<Top>,
}

/// All but the token embedding.
#[derive(Debug, Clone)]
struct Top {
    /// Where it stands, `(block_size, C)`.
    position_embedding: Embedding,
    blocks: Vec<Block>,
    ln_f: Option<LayerNorm>,
    /// `(C) -> (V)`.
    lm_head: Linear,
}

impl Lecture {
    /// The model of a rung, for `v` tokens, with random weights.
    ///
    /// # Errors
    /// None that a rung of [`RUNGS`] has.
    pub fn new(rung: &Rung, v: usize, seed: u64) -> Result<Self, Error> {
        let (params, rng) = (&mut Params::new(), &mut Streams::new(seed).stream("init", 0));
        let width = rung.body.map_or(v, |body| body.n_embd);
        let token_embedding = Embedding::new(params, "token_embedding", (v, width), 1.0, rng)?;
        let top = match rung.body {
            None => None,
            Some(body) => Some(Top {
                position_embedding: Embedding::new(
                    params,
                    "position_embedding",
                    (rung.block_size, width),
                    1.0,
                    rng,
                )?,
                blocks: (0..body.n_layer)
                    .map(|i| Block::new(params, &format!("blocks.{i}"), body, rng))
                    .collect::<Result<_, _>>()?,
                ln_f: norm(params, "ln_f", body)?,
                lm_head: Linear::new(params, "lm_head", (width, v), Init::Uniform, rng)?,
            }),
        };
        // PyTorch's AdamW decays whatever it is given, biases and norms too.
        params.iter_mut().for_each(|p| p.decay = true);
        Ok(Self { params: std::mem::take(params), token_embedding, top })
    }

    /// The logits of what follows each token: `(B, T) -> (B, T, V)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the tokens are too many, or not in the vocabulary.
    pub fn forward(&self, tape: &mut Tape<f32>, tokens: &Tokens) -> Result<Var, Error> {
        let params = &self.params;
        let x = self.token_embedding.forward(tape, params, tokens)?;
        let Some(top) = &self.top else { return Ok(x) }; // (B, T, V)
        let t = tokens.shape[1];
        let places = Tokens::new([1, t], (0..t as u32).collect::<Vec<_>>())?;
        let positions = top.position_embedding.forward(tape, params, &places)?; // (1, T, C)
        let mut x = tape.add(x, positions)?; // (B, T, C)
        for block in &top.blocks {
            x = block.forward(tape, params, x)?;
        }
        let x = normalised(top.ln_f, tape, params, x)?;
        top.lm_head.forward(tape, params, x)
    }
}

impl Model<f32> for Lecture {
    type Batch = TokenBatch;

    fn params(&self) -> &Params<f32> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<f32> {
        &mut self.params
    }

    fn loss(&self, tape: &mut Tape<f32>, batch: &TokenBatch) -> Result<Var, Error> {
        let logits = self.forward(tape, &batch.x)?;
        tape.cross_entropy(logits, &batch.y)
    }
}

/// Attention, and perhaps thinking.
#[derive(Debug, Clone)]
struct Block {
    body: Body,
    ln_1: Option<LayerNorm>,
    /// Q, K and V of all heads, `(C) -> (3 C)`.
    qkv: Linear,
    attention_proj: Option<Linear>,
    ln_2: Option<LayerNorm>,
    /// `(C) -> (C)`, or to 4 C where a projection brings it back.
    feed_forward: Option<Linear>,
    feed_forward_proj: Option<Linear>,
}

impl Block {
    fn new(params: &mut Params<f32>, name: &str, body: Body, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        let (c, hidden) = (body.n_embd, body.feed_forward * body.n_embd);
        let mut linear = |params: &mut _, part: &str, wanted: bool, shape| match wanted {
            true => Linear::new(params, &format!("{name}.{part}"), shape, Init::Uniform, rng).map(Some),
            false => Ok(None),
        };
        let thinks = hidden > 0;
        let attention_proj = linear(params, "attention_proj", body.residual, (c, c))?;
        let feed_forward = linear(params, "feed_forward", thinks, (c, hidden))?;
        let feed_forward_proj = linear(params, "feed_forward_proj", thinks && body.residual, (hidden, c))?;
        Ok(Self {
            body,
            ln_1: norm(params, &format!("{name}.ln_1"), body)?,
            qkv: Linear::without_bias(params, &format!("{name}.qkv"), (c, 3 * c), Init::Uniform, rng)?,
            attention_proj,
            ln_2: norm(params, &format!("{name}.ln_2"), body)?,
            feed_forward,
            feed_forward_proj,
        })
    }

    /// `(B, T, C) -> (B, T, C)`.
    fn forward(&self, tape: &mut Tape<f32>, params: &Params<f32>, x: Var) -> Result<Var, Error> {
        let Body { n_head, dropout, .. } = self.body;
        let y = normalised(self.ln_1, tape, params, x)?;
        let y = self.qkv.forward(tape, params, y)?; // (B, T, C) -> (B, T, 3 C)
        // Scores over sqrt(C / H), the width of a head; some copies of the lecture take C.
        let options = AttentionOptions { dropout, ..AttentionOptions::new(n_head, Mask::Causal) };
        let y = tape.attention(y, options)?; // (B, T, C)
        let x = self.join(tape, params, x, y, self.attention_proj)?;

        let Some(feed_forward) = self.feed_forward else { return Ok(x) };
        let y = normalised(self.ln_2, tape, params, x)?;
        let y = feed_forward.forward(tape, params, y)?;
        let y = tape.relu(y)?;
        self.join(tape, params, x, y, self.feed_forward_proj)
    }

    /// With a projection `x + proj(y)`, a residual connection; without, `y` alone.
    fn join(
        &self,
        tape: &mut Tape<f32>,
        params: &Params<f32>,
        x: Var,
        y: Var,
        proj: Option<Linear>,
    ) -> Result<Var, Error> {
        let Some(proj) = proj else { return Ok(y) };
        let y = proj.forward(tape, params, y)?;
        tape.residual(x, y, self.body.dropout)
    }
}

fn norm(params: &mut Params<f32>, name: &str, body: Body) -> Result<Option<LayerNorm>, Error> {
    match body.norm {
        true => LayerNorm::new(params, name, body.n_embd, true).map(Some),
        false => Ok(None),
    }
}

fn normalised(
    norm: Option<LayerNorm>,
    tape: &mut Tape<f32>,
    params: &Params<f32>,
    x: Var,
) -> Result<Var, Error> {
    norm.map_or(Ok(x), |norm| norm.forward(tape, params, x))
}

impl Rung {
    /// The rung of this name.
    pub fn named(name: &str) -> Option<&'static Rung> {
        RUNGS.iter().find(|rung| rung.name == name)
    }

    /// How far a loss is above what the lecture shows, or below.
    pub fn difference(&self, loss: f64) -> f64 {
        loss - loss.clamp(self.lecture.0, self.lecture.1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::train::Ended;

    use super::*;
    use crate::data::Corpus;
    use m2g_text::TokenizerKind;

    #[test]
    fn the_rungs_have_the_parameters_of_the_lecture() {
        let count = |name| Lecture::new(Rung::named(name).unwrap(), 65, 1).unwrap().params.count();
        let c = 32;
        let ends = 65 * c + 8 * c + (c * 65 + 65);
        assert_eq!(count("bigram"), 65 * 65);
        assert_eq!(count("one-head"), ends + 3 * c * c);
        assert_eq!(count("multi-head"), count("one-head"));
        assert_eq!(count("feed-forward"), ends + 3 * c * c + c * c + c);
        let block = 3 * c * c + (c * c + c) + (4 * c * c + 4 * c) + (4 * c * c + c);
        assert_eq!(count("residual"), ends + 3 * block);
        assert_eq!(count("layer-norm"), ends + 3 * (block + 4 * c) + 2 * c);
        // The lecture prints 10.788929 million for its last model.
        assert_eq!(count("scaled"), 10_788_929);
    }

    #[test]
    fn no_rung_sees_the_future_and_all_learn() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("text.txt");
        let text: String = (0..3000).map(|i| ["ab", "acd", "b "][i * i % 7 % 3]).collect();
        std::fs::write(&file, text).unwrap();
        let corpus = Corpus::load(file.to_str().unwrap(), TokenizerKind::Char).unwrap();
        let v = corpus.tokenizer.vocab_size();
        for rung in &RUNGS[..6] {
            let lecture = Lecture::new(rung, v, 1).unwrap();
            let logits = |ids: [u32; 8]| {
                let mut tape = Tape::new();
                let y = lecture.forward(&mut tape, &Tokens::new([1, 8], ids).unwrap()).unwrap();
                tape.value(y).data().to_vec()
            };
            let (a, b) = (logits([0, 1, 2, 3, 0, 1, 2, 3]), logits([0, 1, 2, 3, 0, 2, 2, 3]));
            assert!(a[..5 * v] == b[..5 * v] && a[5 * v..] != b[5 * v..], "{}", rung.name);
            let seen = a[7 * v..] != b[7 * v..];
            assert_eq!(seen, rung.body.is_some(), "only the bigram does not look back");

            let short = Rung { steps: 150, ..*rung };
            let climbed = short.train(&corpus, 1, &mut ()).unwrap();
            assert_eq!(climbed.ended, Ended::Finished);
            assert!(climbed.val_loss < 1.6, "{}: {climbed:?}", rung.name);
            assert!((climbed.val_loss - climbed.val_loss_estimate).abs() < 0.1, "{climbed:?}");
            assert_eq!(climbed.val_loss, short.train(&corpus, 1, &mut ()).unwrap().val_loss);
        }
    }

    #[test]
    fn a_loss_within_the_lectures_range_makes_no_difference() {
        let bigram = Rung::named("bigram").unwrap();
        assert_eq!(bigram.difference(2.5), 0.0);
        assert!((bigram.difference(2.6) - 0.03).abs() < 1e-12);
        assert!((bigram.difference(2.45) + 0.04).abs() < 1e-12);
        assert!(Rung::named("trigram").is_none());
    }
}
