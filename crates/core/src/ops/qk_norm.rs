//! The normalisation of queries and keys.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// Divides the D elements of each head of Q and K by their root mean square, as in
/// [RMS normalisation](super::rms_norm) (Henry et al. 2020, Dehghani et al. 2023). V is unchanged.
/// `(B, T, 3 C)` gives `(B, T, 3 C)`.
///
/// A query and a key then have the length `sqrt(D)`, so a scaled score is `sqrt(D)` times the cosine of
/// their angle: it cannot grow without bound, and larger learning rates stay stable.
///
/// With `xhat = x r`, `r = 1 / sqrt(mean(x^2) + eps)`: `dL/dx = r (dL/dy - xhat mean(dL/dy xhat))`.
#[derive(Debug)]
pub struct QkNorm {
    n_head: usize,
}

/// Keeps the division finite for a head of zeros.
const EPS: f64 = 1e-6;

impl<T: Float> Tape<T> {
    /// Records [`QkNorm`] of Q, K and V side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `qkv` is `(B, T, 3 C)` and C a multiple of `n_head`.
    #[track_caller]
    pub fn qk_norm(&mut self, qkv: Var, n_head: usize) -> Result<Var, Error> {
        self.record(QkNorm { n_head }, &[qkv])
    }
}

impl QkNorm {
    /// The length of a row, 3 C, and the size of a head, D.
    fn sizes(&self, shape: &[usize]) -> (usize, usize) {
        (shape[2], shape[2] / (3 * self.n_head))
    }
}

impl<T: Float> Op<T> for QkNorm {
    fn name(&self) -> &'static str {
        "qk_norm"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x / sqrt(mean(x^2) + eps), in each head of Q and K"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[_, _, width] if width > 0 && width.is_multiple_of(3 * self.n_head) => {
                Ok(ndarray::IxDyn(inputs[0]))
            }
            _ => Err(format!("expected (B, T, 3 C), with C a multiple of {}", self.n_head)),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        let (width, d) = self.sizes(x.shape());
        T::Kernels::normalize_heads(io.out, x.data(), width, d, EPS);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

impl<T: Float> Differentiable<T> for QkNorm {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = (dy - y mean(dy y)) / sqrt(mean(x^2) + eps), and dx = dy in V"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (x, dy) = (io.input(0), io.dy.data());
        let (width, d) = self.sizes(x.shape());
        io.input_grad(0, |dx| T::Kernels::normalize_heads_backward(dx, dy, x.data(), width, d, EPS));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, t, h, d) in [(2, 3, 2, 4), (1, 1, 1, 3), (1, 2, 3, 1)] {
            check(&[&[b, t, 3 * h * d]], |tape, x| tape.qk_norm(x[0], h));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::<f64>::new();
        // Two heads of two elements: Q, K, V.
        let x = vec![3.0, 4.0, 0.0, 2.0, 1.0, 1.0, 0.0, 0.0, 7.0, 8.0, 9.0, 10.0];
        let x = tape.input(Tensor::from_vec(&[1, 1, 12], x).unwrap());
        let y = tape.qk_norm(x, 2).unwrap();
        let r = 12.5_f64.sqrt();
        let want = [3.0 / r, 4.0 / r, 0.0, 2_f64.sqrt(), 1.0, 1.0, 0.0, 0.0, 7.0, 8.0, 9.0, 10.0];
        for (got, want) in tape.value(y).data().iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        let odd = tape.input(constant(&[1, 1, 9], 0.0));
        assert!(tape.qk_norm(odd, 2).is_err());
    }
}
