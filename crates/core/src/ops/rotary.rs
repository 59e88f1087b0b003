//! Rotary position embeddings: Q and K are rotated by an angle that grows with the position.

use crate::kernels::Kernels;
pub use crate::kernels::rotary::BASE;
use crate::kernels::rotary::{Direction, RotaryLayout};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// In each head of Q and K, rotates the pair `(x_2i, x_2i+1)` of the token at position `p` by the
/// angle `p / 10000^(2i/D)` (Su et al. 2021). Positions enter the dot product of a rotated query
/// and a rotated key only as their distance. V is unchanged. `(B, T, 3 C)` gives `(B, T, 3 C)`.
///
/// A rotation keeps lengths, and its derivative is the opposite rotation.
#[derive(Debug)]
pub struct Rotary {
    n_head: usize,
    start: usize,
}

impl<T: Float> Tape<T> {
    /// Records [`Rotary`] of Q, K and V side by side; the first token of each sequence is at
    /// position `start`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `qkv` is `(B, T, 3 C)` with an even head size `C / n_head`.
    #[track_caller]
    pub fn rotary(&mut self, qkv: Var, n_head: usize, start: usize) -> Result<Var, Error> {
        self.record(Rotary { n_head, start }, &[qkv])
    }
}

impl Rotary {
    /// The layout of Q, K and V side by side, `(B, T, 3 C)`.
    fn layout(&self, shape: &[usize]) -> RotaryLayout {
        RotaryLayout { t: shape[1], n_head: self.n_head, d: shape[2] / (3 * self.n_head), start: self.start }
    }
}

impl<T: Float> Op<T> for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x rotated by p / 10000^(2i/D), pair by pair, in Q and K"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[_, _, width] if width > 0 && width.is_multiple_of(6 * self.n_head) => {
                Ok(ndarray::IxDyn(inputs[0]))
            }
            _ => Err(format!("expected (B, T, 3 C), with an even head size C / {}", self.n_head)),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::rotate(io.out, x.data(), self.layout(x.shape()), Direction::Forward);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Rotary {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy rotated by -p / 10000^(2i/D), pair by pair, in Q and K"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy;
        io.input_grad(0, |dx| {
            T::Kernels::rotate(dx, dy.data(), self.layout(dy.shape()), Direction::Backward)
        });
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, t, h, d) in [(2, 3, 2, 4), (1, 1, 1, 2)] {
            check(&[&[b, t, 3 * h * d]], |tape, x| tape.rotary(x[0], h, 5));
        }
    }

    /// One token with Q = (1, 0, 0, 1) and K the same, V = 7.
    fn rotated(position: usize) -> Vec<f64> {
        let mut tape = Tape::new();
        let x = vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 7.0, 7.0, 7.0, 7.0];
        let x = tape.input(Tensor::from_vec(&[1, 1, 12], x).unwrap());
        let y = tape.rotary(x, 1, position).unwrap();
        tape.value(y).data().to_vec()
    }

    #[test]
    fn by_hand() {
        // The second pair is rotated by 2 / 10000^(2/4) = 0.02.
        let want = [2_f64.cos(), 2_f64.sin(), -(0.02_f64.sin()), 0.02_f64.cos()];
        let got = rotated(2);
        assert!(got[..4].iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12), "{got:?}");
        assert_eq!(got[8..], [7.0; 4]);
        let mut tape = Tape::<f64>::new();
        let odd = tape.input(constant(&[1, 1, 3], 0.0));
        assert!(tape.rotary(odd, 1, 0).is_err());
    }

    #[test]
    fn the_scalar_product_depends_on_the_distance_alone() {
        let score = |i, j| rotated(i)[..4].iter().zip(&rotated(j)[4..8]).map(|(q, k)| q * k).sum::<f64>();
        assert!((score(7, 3) - score(104, 100)).abs() < 1e-12);
        assert!((score(7, 3) - score(7, 4)).abs() > 1e-3);
    }
}
