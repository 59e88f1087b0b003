//! What self-attention and cross-attention share: the settings, and attention op by op.

use super::{Positions, Score};
use crate::ops::attention::{AttentionOptions, alibi_slopes};
use crate::{Error, Float, Tape, Tensor, Var};

/// The settings of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSettings {
    /// H: heads.
    pub n_head: usize,
    /// How the layer knows the order of the tokens, where that is up to the layer: rotary and
    /// ALiBi. Cross-attention ignores it.
    pub positions: Positions,
    /// How well a key matches a query.
    pub score: Score,
    /// Whether the linear layers have a bias.
    pub bias: bool,
    /// The dropout probability of the attention weights.
    pub dropout: f64,
}

/// How [`op_by_op`] scores each key for each query.
pub(super) struct Scoring {
    pub score: Score,
    /// The weights of the additive score, `(H, D)`.
    pub weights: Option<Var>,
}

/// `merge_heads(softmax(score(Q, K) + mask) V)` op by op, so that every matrix can be looked at:
/// Q `(B, H, Tq, D)`, K and V `(B, H, Tk, D)` to `(B, Tq, C)`. `name` is the layer's, for the trace.
#[track_caller]
pub(super) fn op_by_op<T: Float>(
    tape: &mut Tape<T>,
    [q, k, v]: [Var; 3],
    scoring: &Scoring,
    options: AttentionOptions,
    name: &str,
) -> Result<Var, Error> {
    // (B, H, Tq, D) (B, H, D, Tk) -> (B, H, Tq, Tk)
    let mut scores = scoring.score.forward(tape, q, k, scoring.weights)?;
    if options.alibi {
        let t = tape.value(q).shape()[2];
        let distances = tape.input(alibi_distances(options.n_head, t)); // (H, T, T)
        scores = tape.add(scores, distances)?;
    }
    let weights = tape.masked_softmax(scores, options.mask)?;
    for (var, value) in [(q, "q"), (k, "k"), (v, "v"), (scores, "scores"), (weights, "weights")] {
        tape.trace.label(var, || format!("{name}.{value}"));
    }
    let weights = tape.dropout(weights, options.dropout)?;
    let y = tape.batched_matmul(weights, v)?; // (B, H, Tq, Tk) (B, H, Tk, D) -> (B, H, Tq, D)
    tape.merge_heads(y) // (B, H, Tq, D) -> (B, Tq, C)
}

/// `slope_h (j - i)` for each head, query and key, `(H, T, T)`.
fn alibi_distances<T: Float>(h: usize, t: usize) -> Tensor<T> {
    let (slopes, mut index) = (alibi_slopes(h), 0);
    Tensor::from_fn(&[h, t, t], || {
        let (h, i, j) = (index / (t * t), index / t % t, index % t);
        index += 1;
        T::of(slopes[h] * (j as f64 - i as f64))
    })
}
