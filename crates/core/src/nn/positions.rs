//! Position encodings: without them, attention sees the tokens as a set, in no order.

use serde::{Deserialize, Serialize};

use super::Embedding;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, Params, Tape, Tensor, Tokens, Var};

/// How a model encodes the position of each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector for each position, added to the token's vector (GPT-2).
    Learned,
    /// Fixed sines and cosines, added to the token's vector times `sqrt(C)`: [`sinusoidal`].
    Sinusoidal,
    /// Attention rotates Q and K by an angle that grows with the position:
    /// [`ops::rotary`](crate::ops::rotary).
    Rotary,
    /// Attention lowers each score in proportion to the distance, with a slope for each head:
    /// [`ops::attention`](crate::ops::attention).
    Alibi,
    /// No encoding: only the causal mask reveals the order.
    None,
}

/// The encoding that is added to the token embeddings.
#[derive(Debug, Clone, Copy)]
pub enum PositionEmbedding {
    /// A learned vector for each position.
    Learned(Embedding),
    /// Sines and cosines: [`sinusoidal`] with this base.
    Sinusoidal {
        /// The base of the wavelengths.
        base: f64,
    },
    /// Nothing is added: attention encodes the positions, or they are not encoded.
    None,
}

impl PositionEmbedding {
    /// The encoding for `positions`. Learned positions add `name.weight` to `params`: normal random
    /// values of this `shape`, `(rows, cols)`, with standard deviation `std`. `base` is that of
    /// [`sinusoidal`].
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        positions: Positions,
        shape: (usize, usize),
        (std, base): (f64, f64),
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        Ok(match positions {
            Positions::Learned => Self::Learned(Embedding::new(params, name, shape, std, rng)?),
            Positions::Sinusoidal => Self::Sinusoidal { base },
            Positions::Rotary | Positions::Alibi | Positions::None => Self::None,
        })
    }

    /// Adds the encodings of the positions `start..start + T` to the token embeddings `x`:
    /// `(B, T, C) -> (B, T, C)`. Before sines and cosines are added, `x` is multiplied by `sqrt(C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are fewer learned positions than tokens.
    ///
    /// # Panics
    /// If `x` does not have three axes.
    pub fn add_to<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        start: usize,
    ) -> Result<Var, Error> {
        let c = tape.value(x).rows_cols().1;
        let x = match self {
            // As in the paper (Vaswani et al. 2017, section 3.4): otherwise the sines would drown the small initial
            // embeddings.
            Self::Sinusoidal { .. } => tape.scale(x, (c as f64).sqrt())?,
            Self::Learned(_) | Self::None => x,
        };
        self.add_unscaled(tape, params, x, start)
    }

    /// As [`PositionEmbedding::add_to`], without the factor `sqrt(C)`: for models that apply it
    /// themselves, or do without.
    ///
    /// # Errors
    /// As [`PositionEmbedding::add_to`].
    pub fn add_unscaled<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        start: usize,
    ) -> Result<Var, Error> {
        let &[_, t, c] = tape.value(x).shape() else { unreachable!("embeddings have three axes") };
        match self {
            Self::Learned(table) => {
                let positions: Vec<u32> = (start as u32..(start + t) as u32).collect();
                let positions = table.forward(tape, params, &Tokens::new([1, t], positions)?)?; // (1, T, C)
                tape.add(x, positions)
            }
            Self::Sinusoidal { base } => {
                let positions = tape.input(sinusoidal(start, t, c, *base)); // (T, C)
                tape.add(x, positions)
            }
            Self::None => Ok(x),
        }
    }
}

/// `PE[p, 2i] = sin(p / base^(2i/C))`, `PE[p, 2i+1] = cos(p / base^(2i/C))` (Vaswani et al.
/// 2017, section 3.5, with base 10000), for the T positions `p` that begin at `start`: `(T, C)`.
///
/// Each pair of columns is the hand of a clock, and each clock runs slower than the one before.
/// Together they identify every position.
pub fn sinusoidal<T: Float>(start: usize, t: usize, c: usize, base: f64) -> Tensor<T> {
    let divisors: Vec<f64> = (0..c).map(|k| base.powf((k - k % 2) as f64 / c as f64)).collect();
    let mut index = 0;
    Tensor::from_fn(&[t, c], || {
        let (p, column) = (start + index / c, index % c);
        index += 1;
        let angle = p as f64 / divisors[column];
        T::of(if column.is_multiple_of(2) { angle.sin() } else { angle.cos() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinusoidal_by_hand() {
        let table = sinusoidal::<f64>(1, 2, 4, 1e4);
        let want = [[1.0_f64, 0.01], [2.0, 0.02]].map(|[a, b]| [a.sin(), a.cos(), b.sin(), b.cos()]);
        for (got, want) in table.data().iter().zip(want.as_flattened()) {
            assert!((got - want).abs() < 1e-12);
        }
        assert_eq!(sinusoidal::<f64>(0, 3, 4, 1e4).data()[4..], table.data()[..]);
    }
}
