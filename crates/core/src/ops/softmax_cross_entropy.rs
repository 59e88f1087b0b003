//! Softmax and log-likelihood in one: the cost of every classifier and of every GPT.

use crate::kernels::{map, reduce, softmax::softmax_rows};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::tensor::rows_cols;
use crate::{Error, Float, Shape, Tape, Var};

/// `C = -1/B sum_b sum_j y_bj ln softmax(z_b)_j`, of logits `z` and wished-for
/// probabilities `y`, both `(B, N)`, to one number. With `y` one-hot it is the
/// log-likelihood cost (Nielsen, chapter 3, equation 80).
///
/// `dC/dz = (a sum_j y_j - y) / B` with `a = softmax(z)`, which for
/// probabilities, whose sum is 1, is `(a - y) / B`, as for
/// [sigmoid and cross-entropy](super::sigmoid_cross_entropy). No gradient goes
/// to `y`.
#[derive(Debug)]
pub struct SoftmaxCrossEntropy;

impl<T: Float> Tape<T> {
    /// Records [`SoftmaxCrossEntropy`] of logits `z` and wished-for probabilities `y`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both have one shape.
    #[track_caller]
    pub fn softmax_cross_entropy(&mut self, z: Var, y: Var) -> Result<Var, Error> {
        self.record(SoftmaxCrossEntropy, &[z, y])
    }
}

impl<T: Float> Op<T> for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }
    fn equation(&self) -> &'static str {
        "C = -1/B sum y ln softmax(z)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs {
            [z, y] if z == y && count(z) > 0 => Ok(ndarray::IxDyn(&[])),
            _ => Err("logits and wished-for probabilities have the same shape (B, N)".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (z, y) = (io.input(0), io.input(1));
        let (batch, n) = z.rows_cols();
        let a = io.save(z.shape());
        softmax_rows(a, z.data(), n);
        // ln a_j = z_j - max - ln sum e^(z - max), never the logarithm of a
        // probability that was rounded to 0.
        let mut total = 0.0;
        for (z, y) in z.data().chunks_exact(n).zip(y.data().chunks_exact(n)) {
            let max = z.iter().copied().fold(T::neg_infinity(), T::max);
            let sum: T = z.iter().map(|&z| (z - max).exp_fast()).sum();
            let log_sum = max + sum.ln();
            let cost: T = z.iter().zip(y).map(|(&z, &y)| y * (log_sum - z)).sum();
            total += cost.as_f64();
        }
        io.out[0] = T::of(total / batch as f64);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        8 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for SoftmaxCrossEntropy {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (a, y) = (io.saved(0), io.input(1).data());
        let (batch, n) = rows_cols(a.shape());
        let c = io.dy.data()[0] / T::of(batch as f64);
        io.input_grad(0, |dz| {
            for ((dz, a), y) in dz.chunks_exact_mut(n).zip(a.data().chunks_exact(n)).zip(y.chunks_exact(n)) {
                let sum = T::of(reduce::sum(y));
                map::map2(dz, a, y, |a, y| c * (a * sum - y));
            }
        });
    }
    fn backward_flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        4 * count(inputs[0])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[4, 1], &[1, 1]] {
            check(&[shape], |tape, x| {
                let y = tape.input(constant(shape, 0.3));
                tape.softmax_cross_entropy(x[0], y)
            });
        }
    }

    #[test]
    fn by_hand() {
        // Three equal logits cost ln 3; a sure and wrong one costs the difference.
        let mut tape = Tape::new();
        let z = tape.input(Tensor::from_vec(&[2, 3], vec![5.0_f32, 5.0, 5.0, 0.0, 200.0, 0.0]).unwrap());
        let y = tape.input(Tensor::from_vec(&[2, 3], vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap());
        let cost = tape.softmax_cross_entropy(z, y).unwrap();
        let cost = tape.value(cost).item().unwrap();
        assert!((cost - (3.0_f32.ln() + 200.0) / 2.0).abs() < 1e-4, "{cost}");
    }
}
