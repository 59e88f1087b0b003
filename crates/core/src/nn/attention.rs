//! The common parts of self-attention and cross-attention: the settings, and attention op by op.

use super::{Positions, Score};
use crate::ops::attention::{AttentionOptions, alibi_slopes};
use crate::{Error, Float, Tape, Tensor, Var};

/// The settings of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSettings {
    /// H: the number of heads.
    pub n_head: usize,
    /// The position encoding. Self-attention applies [`Positions::Rotary`] and [`Positions::Alibi`];
    /// the others do not concern it. Cross-attention applies none.
    pub positions: Positions,
    /// How well a key matches a query.
    pub score: Score,
    /// Whether the linear layers have biases.
    pub bias: bool,
    /// Whether self-attention divides each query and key by its root mean square:
    /// [`ops::qk_norm`](crate::ops::qk_norm).
    pub qk_norm: bool,
    /// The dropout probability of the attention weights.
    pub dropout: f64,
}

/// `merge_heads(softmax(score(Q, K) + mask) V)` op by op, so that every matrix can be inspected:
/// Q `(B, H, T, D)`, K and V `(B, H, S, D)` to `(B, T, C)`. The trace labels the matrices
/// `name.q`, `name.k` and so on. The additive score has weights, `(H, D)`.
pub(super) fn op_by_op<T: Float>(
    tape: &mut Tape<T>,
    [q, k, v]: [Var; 3],
    (score, score_weights): (Score, Option<Var>),
    options: AttentionOptions,
    name: &str,
) -> Result<Var, Error> {
    // (B, H, T, D) (B, H, D, S) -> (B, H, T, S)
    let mut scores = score.forward(tape, q, k, score_weights)?;
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
    let y = tape.batched_matmul(weights, v)?; // (B, H, T, S) (B, H, S, D) -> (B, H, T, D)
    tape.merge_heads(y) // (B, H, T, D) -> (B, T, C)
}

impl AttentionSettings {
    /// The elements that attention op by op keeps for each token, besides its input and output, if the T tokens of a
    /// sequence of width C see each other:
    ///
    /// ```text
    /// 4 C      Q, K and V of each head, and its output; for some scores, queries and keys in another form
    /// H T      for each op: the score, its scale, ALiBi's distances, the softmax, dropout
    /// ```
    pub fn op_by_op_elements(&self, c: usize, t: usize) -> u64 {
        let (tensors, of_score) = self.score.values();
        let others = [self.positions == Positions::Alibi, self.dropout > 0.0].map(usize::from);
        let matrices = of_score + 1 + others.iter().sum::<usize>();
        ((4 + tensors) * c) as u64 + (matrices * self.n_head) as u64 * t as u64
    }
}

/// `-slope_h |i - j|` for each head `h`, query `i` and key `j`, `(H, T, T)`.
fn alibi_distances<T: Float>(n_head: usize, t: usize) -> Tensor<T> {
    let (slopes, mut index) = (alibi_slopes(n_head), 0);
    Tensor::from_fn(&[n_head, t, t], || {
        let (h, i, j) = (index / (t * t), index / t % t, index % t);
        index += 1;
        T::of(-(slopes[h] * i.abs_diff(j) as f64))
    })
}
