//! How well a key answers a query: the scalar product of the paper, and what one might
//! take instead.

use serde::{Deserialize, Serialize};

use crate::{Error, Float, Tape, Var};

/// How a score is made of a query `q` and a key `k`, of D numbers each; the model is C wide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// `q . k / sqrt(D)`: the standard (Vaswani et al. 2017, section 3.2.1). If the numbers
    /// of `q` and `k` have variance 1, so has the score.
    #[default]
    ScaledDot,
    /// `q . k`, not scaled.
    Dot,
    /// `q . k / sqrt(C)`: scaled by the width of the model instead of that of the head, a
    /// mistake that many programs copy from each other.
    WidthScaledDot,
    /// `sum_d q_d^2 k_d^2 / sqrt(D)`: the numbers are squared first.
    SquaredDot,
    /// `1 / (q . k)`: the inverse as a number.
    InverseDot,
    /// `sum_d q_d k_(D-1-d) / sqrt(D)`: the inverse as an order, one vector from its end.
    ReversedDot,
    /// `sqrt(D) q . k / (|q| |k|)`: only the angle counts.
    Cosine,
    /// `-|q - k|^2 / (2 sqrt(D))`: the scaled scalar product, less the half squares of both
    /// lengths.
    NegativeDistance,
    /// `w . tanh(q + k)` with weights `w` of each head (Bahdanau et al. 2015).
    Additive,
}

impl Score {
    /// All names, as settings have them.
    pub const NAMES: [&str; 9] = [
        "scaled-dot",
        "dot",
        "width-scaled-dot",
        "squared-dot",
        "inverse-dot",
        "reversed-dot",
        "cosine",
        "negative-distance",
        "additive",
    ];

    /// What the scalar product is multiplied with, for heads of `d` numbers in a model that
    /// is `c` wide; none if the score is more than a scalar product with a factor.
    pub fn scale(self, d: usize, c: usize) -> Option<f64> {
        match self {
            Self::ScaledDot => Some(1.0 / (d as f64).sqrt()),
            Self::Dot => Some(1.0),
            Self::WidthScaledDot => Some(1.0 / (c as f64).sqrt()),
            _ => None,
        }
    }

    /// The scores of all pairs, `(B, H, T, D)` twice to `(B, H, T, T)`, in single ops. `w`,
    /// `(H, D)`, are the weights of the additive score, which no other has.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not fit each other.
    #[track_caller]
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
        let scores = tape.batched_matmul_transposed(q, k)?; // (B, H, T, D) (B, H, D, T) -> (B, H, T, T)
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

    /// All scores, by their names.
    fn all() -> Vec<Score> {
        let named = |name: &&str| serde_json::from_value(serde_json::json!(name)).unwrap();
        Score::NAMES.iter().map(named).collect()
    }

    #[test]
    fn gradient() {
        for score in all() {
            let shape = [1, 2, 3, 4];
            check(&[&shape, &shape, &[2, 4]], |tape, x| {
                // Far enough from 0 for the inverse.
                let shift = tape.input(Tensor::from_fn(&shape, || 3.0));
                let (q, k) = (tape.add(x[0], shift)?, tape.add(x[1], shift)?);
                let scores = score.forward(tape, q, k, Some(x[2]))?;
                // Weights that the score does not have get a gradient too, for the check.
                let unused = tape.mean(x[2])?;
                let unused = tape.scale(unused, 0.1)?;
                let scores = tape.mean(scores)?;
                tape.add(scores, unused)
            });
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
        // Two heads, so that the model is twice as wide; the second is something else.
        let both = |shape: &[usize], x: &[f64], other| {
            Tensor::from_vec(shape, [x, constant(&[3], other).data()].concat()).unwrap()
        };
        let mut tape = Tape::new();
        let (q, k) = (tape.input(both(&[1, 2, 1, 3], &q, 1.0)), tape.input(both(&[1, 2, 1, 3], &k, 2.0)));
        let w = tape.input(both(&[2, 3], &w, 3.0));
        for (score, want) in all().into_iter().zip(want) {
            let scores = score.forward(&mut tape, q, k, Some(w)).unwrap();
            assert!((tape.value(scores).data()[0] - want).abs() < 1e-9, "{score:?}");
        }
    }
}
