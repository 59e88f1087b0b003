//! How a model knows where a token stands: attention alone sees a set, not an order.

use serde::{Deserialize, Serialize};

use crate::{Float, Tensor};

/// How a model knows where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// A learned vector for each position, added to the token's (GPT-2).
    Learned,
    /// Fixed sines and cosines, added to the token's vector times `sqrt(C)`: [`sinusoidal`].
    Sinusoidal,
    /// Q and K are turned by an angle that grows with the position:
    /// [`ops::rotary`](crate::ops::rotary).
    Rotary,
    /// Scores fall with the distance, at a slope of each head's own:
    /// [`ops::attention`](crate::ops::attention).
    Alibi,
    /// Not at all: only the causal mask tells.
    None,
}

/// `PE[p, 2i] = sin(p / base^(2i/C))`, `PE[p, 2i+1] = cos(p / base^(2i/C))` (Vaswani et al.
/// 2017, section 3.5, with the base 10000), for the positions from `start` on, `(T, C)`.
///
/// Each pair of columns is a hand of a clock, and each clock is slower than the one
/// before: together they tell any position.
pub fn sinusoidal<T: Float>(start: usize, t: usize, c: usize, base: f64) -> Tensor<T> {
    let mut place = 0;
    Tensor::from_fn(&[t, c], || {
        let (p, column) = (start + place / c, place % c);
        place += 1;
        let angle = p as f64 / base.powf((column - column % 2) as f64 / c as f64);
        T::of(if column.is_multiple_of(2) { angle.sin() } else { angle.cos() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let table = sinusoidal::<f64>(1, 2, 4, 1e4);
        let want = [[1.0_f64, 0.01], [2.0, 0.02]].map(|[a, b]| [a.sin(), a.cos(), b.sin(), b.cos()]);
        for (got, want) in table.data().iter().zip(want.as_flattened()) {
            assert!((got - want).abs() < 1e-12);
        }
        assert_eq!(sinusoidal::<f64>(0, 3, 4, 1e4).data()[4..], table.data()[..]);
    }
}
