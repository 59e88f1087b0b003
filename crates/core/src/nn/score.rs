//! Attention scores: the scaled dot product, and alternatives to compare it with.

use serde::{Deserialize, Serialize};

use super::Init;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, ParamId, Params, Tape, Var};

/// How well a key `k` matches a query `q`, both vectors of D elements, in a model of width C. The
/// softmax over all keys turns the scores of a query into its attention weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// `q . k / sqrt(D)`: the standard (Vaswani et al. 2017, section 3.2.1). If the elements of
    /// `q` and `k` have variance 1, so does the score.
    #[default]
    ScaledDot,
    /// `q . k`, unscaled.
    Dot,
    /// `q . k / sqrt(C)`: scaled by the width of the model instead of the head, a common mistake.
    WidthScaledDot,
    /// `sum_d q_d^2 k_d^2 / sqrt(D)`: the dot product of the squared elements.
    SquaredDot,
    /// `1 / (q . k)`: the reciprocal of the dot product.
    InverseDot,
    /// `sum_d q_d k_(D-1-d) / sqrt(D)`: the dot product with the elements of `k` in reverse order. The same as the
    /// rows of `W_k` in another order, unless rotary positions stand between.
    ReversedDot,
    /// `sqrt(D) q . k / (|q| |k|)`: depends only on the angle between the vectors.
    Cosine,
    /// `-|q - k|^2 / (2 sqrt(D))`: the scaled dot product minus `(|q|^2 + |k|^2) / (2 sqrt(D))`.
    NegativeDistance,
    /// `w . tanh(q + k)` with learned weights `w` for each head (Bahdanau et al. 2015).
    Additive,
}

impl Score {
    /// All scores, in the order of the variants.
    pub const ALL: [Self; 9] = [
        Self::ScaledDot,
        Self::Dot,
        Self::WidthScaledDot,
        Self::SquaredDot,
        Self::InverseDot,
        Self::ReversedDot,
        Self::Cosine,
        Self::NegativeDistance,
        Self::Additive,
    ];

    /// The equation in one line.
    pub fn equation(self) -> &'static str {
        match self {
            Self::ScaledDot => "q . k / sqrt(D)",
            Self::Dot => "q . k",
            Self::WidthScaledDot => "q . k / sqrt(C)",
            Self::SquaredDot => "sum_d q_d^2 k_d^2 / sqrt(D)",
            Self::InverseDot => "1 / (q . k)",
            Self::ReversedDot => "sum_d q_d k_(D-1-d) / sqrt(D)",
            Self::Cosine => "sqrt(D) q . k / (|q| |k|)",
            Self::NegativeDistance => "-|q - k|^2 / (2 sqrt(D))",
            Self::Additive => "w . tanh(q + k)",
        }
    }

    /// Whether the score is the dot product times a constant, as fused attention and the KV cache
    /// require.
    pub fn is_scaled_dot(self) -> bool {
        self.scale(1, 1).is_some()
    }

    /// The constant factor of the dot product, for heads of `d` elements in a model of width `c`;
    /// `None` if the score is not the dot product times a constant.
    pub fn scale(self, d: usize, c: usize) -> Option<f64> {
        match self {
            Self::ScaledDot => Some(1.0 / (d as f64).sqrt()),
            Self::Dot => Some(1.0),
            Self::WidthScaledDot => Some(1.0 / (c as f64).sqrt()),
            _ => None,
        }
    }

    /// How many values [`Score::forward`] records: tensors `(B, H, T, D)`, and matrices `(B, H, T, S)`.
    pub(super) fn values(self) -> (usize, usize) {
        match self {
            Self::Dot | Self::Additive => (0, 1),
            Self::ScaledDot | Self::WidthScaledDot | Self::InverseDot | Self::NegativeDistance => (0, 2),
            Self::ReversedDot => (1, 2),
            Self::SquaredDot | Self::Cosine => (2, 2),
        }
    }

    /// Adds the weights `(H, D)` of the additive score to `params` as `name.score.weight`. The other
    /// scores have no weights.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub(super) fn add_weights<T: Float>(
        self,
        params: &mut Params<T>,
        name: &str,
        (h, c): (usize, usize),
        init: Init,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<ParamId>, Error> {
        match self {
            Self::Additive => {
                let weights = init.weights(&[h, c / h], c / h, rng);
                params.add(format!("{name}.score.weight"), weights).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The score of each key for each query, op by op: `(B, H, T, D)` and `(B, H, S, D)` to
    /// `(B, H, T, S)`. `w`, `(H, D)`, holds the weights of the additive score.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes of `q`, `k` and `w` do not match.
    ///
    /// # Panics
    /// If `q` does not have four axes, or the additive score gets no weights.
    pub fn forward<T: Float>(self, tape: &mut Tape<T>, q: Var, k: Var, w: Option<Var>) -> Result<Var, Error> {
        let &[_, h, _, d] = tape.value(q).shape() else { unreachable!("heads have four axes") };
        let root = (d as f64).sqrt();
        let (q, k) = match self {
            Self::SquaredDot => (tape.mul(q, q)?, tape.mul(k, k)?),
            Self::Cosine => (tape.l2_normalize(q)?, tape.l2_normalize(k)?),
            Self::ReversedDot => (q, tape.reverse_features(k)?),
            Self::NegativeDistance => {
                let scores = tape.negative_distance(q, k)?;
                return tape.scale(scores, 0.5 / root);
            }
            Self::Additive => {
                let w = w.expect("a layer with the additive score has its weights");
                return tape.additive_scores(q, k, w);
            }
            _ => (q, k),
        };
        let scores = tape.batched_matmul_transposed(q, k)?; // (B, H, T, D) (B, H, D, S) -> (B, H, T, S)
        match self {
            Self::Dot => Ok(scores),
            Self::InverseDot => tape.reciprocal(scores),
            Self::Cosine => tape.scale(scores, root),
            _ => tape.scale(scores, self.scale(d, h * d).unwrap_or(1.0 / root)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Tensor;
    use crate::gradcheck::{check, constant};

    #[test]
    fn gradient() {
        for score in Score::ALL {
            let shape = [1, 2, 3, 4];
            check(&[&shape, &shape, &[2, 4]], |tape, x| {
                // Keeps `q . k` away from 0, where the reciprocal has its pole.
                let shift = tape.input(Tensor::from_fn(&shape, || 3.0));
                let (q, k) = (tape.add(x[0], shift)?, tape.add(x[1], shift)?);
                let scores = score.forward(tape, q, k, Some(x[2]))?;
                // Uses the weights even if the score does not, so that every input has a gradient.
                let unused = tape.mean(x[2])?;
                let unused = tape.scale(unused, 0.1)?;
                let scores = tape.mean(scores)?;
                tape.add(scores, unused)
            });
        }
    }

    #[test]
    fn records_as_many_values_as_it_says() {
        let (tensor, matrix) = ([1, 2, 5, 3], [1, 2, 5, 5]);
        for score in Score::ALL {
            let mut tape = Tape::<f64>::new();
            let [q, k] = [1.0, 2.0].map(|first| tape.input(constant(&tensor, first)));
            let w = tape.input(constant(&[2, 3], 3.0));
            tape.trace.switch(true);
            score.forward(&mut tape, q, k, Some(w)).unwrap();
            let records = tape.trace.take();
            let of_shape = |shape: &[usize]| {
                records.iter().filter(|record| record.output == ndarray::IxDyn(shape)).count()
            };
            assert_eq!((of_shape(&tensor), of_shape(&matrix)), score.values(), "{score:?}");
        }
    }

    #[test]
    fn by_definition() {
        let (q, k, w) = ([0.5_f64, -1.0, 2.0], [3.0, 0.25, -0.5], [1.0, 2.0, 3.0]);
        let pairs = || q.iter().zip(&k);
        let dot: f64 = pairs().map(|(q, k)| q * k).sum();
        let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let root = 3_f64.sqrt();
        let want = [
            dot / root,
            dot,
            dot / 6_f64.sqrt(),
            pairs().map(|(q, k)| q * q * k * k).sum::<f64>() / root,
            1.0 / dot,
            q.iter().zip(k.iter().rev()).map(|(q, k)| q * k).sum::<f64>() / root,
            root * dot / (length(&q) * length(&k)),
            -pairs().map(|(q, k)| (q - k).powi(2)).sum::<f64>() / (2.0 * root),
            pairs().zip(&w).map(|((q, k), w)| w * (q + k).tanh()).sum(),
        ];
        // Two heads, so that the model is twice as wide; the second head has other values.
        let both = |shape: &[usize], x: &[f64], other| {
            Tensor::from_vec(shape, [x, constant(&[3], other).data()].concat()).unwrap()
        };
        let mut tape = Tape::new();
        let (q, k) = (tape.input(both(&[1, 2, 1, 3], &q, 1.0)), tape.input(both(&[1, 2, 1, 3], &k, 2.0)));
        let w = tape.input(both(&[2, 3], &w, 3.0));
        for (score, want) in Score::ALL.into_iter().zip(want) {
            let scores = score.forward(&mut tape, q, k, Some(w)).unwrap();
            assert!((tape.value(scores).data()[0] - want).abs() < 1e-9, "{score:?}");
        }
    }
}
