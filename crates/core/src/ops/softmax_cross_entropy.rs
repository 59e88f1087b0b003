//! Softmax and cross-entropy in one op: the usual cost of classifiers.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, cost_shape, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `C = -1/B sum_b sum_j y_bj ln softmax(z_b)_j`: logits `z` and target probabilities `y`, both
/// `(B, N)`, give a single value. For one-hot `y` it is the log-likelihood cost (Nielsen,
/// chapter 3, equation 80).
///
/// `dC/dz = (a sum_j y_j - y) / B` with `a = softmax(z)`. For probabilities, whose sum is 1, this
/// is `(a - y) / B`, as for [sigmoid and cross-entropy](super::sigmoid_cross_entropy). `y` gets no
/// gradient.
#[derive(Debug)]
pub struct SoftmaxCrossEntropy;

impl<T: Float> Tape<T> {
    /// Records [`SoftmaxCrossEntropy`] of logits `z` and target probabilities `y`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both have the same shape and are not empty; [`Error::NoBackward`] if `y` needs a
    /// gradient.
    #[track_caller]
    pub fn softmax_cross_entropy(&mut self, z: Var, y: Var) -> Result<Var, Error> {
        self.need_no_gradient("softmax_cross_entropy", &[y])?;
        self.record(SoftmaxCrossEntropy, &[z, y])
    }
}

impl<T: Float> Op<T> for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }
    fn equation(&self, _: usize) -> &'static str {
        "C = -1/B sum y ln softmax(z)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        cost_shape(inputs, "logits and target probabilities must have the same shape (B, N)")
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (z, y) = (io.input(0), io.input(1));
        io.save(z.shape());
        T::Kernels::softmax_cross_entropy(
            io.out,
            io.saved[0].data_mut(),
            z.data(),
            y.data(),
            z.rows_cols().1,
        );
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        8 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for SoftmaxCrossEntropy {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dz_j = (softmax(z)_j sum_k y_k - y_j) / B * dC"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (a, y, dy) = (io.saved(0), io.input(1).data(), io.dy.data());
        let cols = a.rows_cols().1;
        io.input_grad(0, |dz| T::Kernels::softmax_cross_entropy_backward(dz, a.data(), y, dy, cols));
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
        // Three equal logits cost ln 3; a confident wrong one costs the difference.
        let mut tape = Tape::new();
        let z = tape.input(Tensor::from_vec(&[2, 3], vec![5.0_f32, 5.0, 5.0, 0.0, 200.0, 0.0]).unwrap());
        let y = tape.input(Tensor::from_vec(&[2, 3], vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap());
        let cost = tape.softmax_cross_entropy(z, y).unwrap();
        let cost = tape.read_loss(cost);
        assert!((cost - (3.0_f32.ln() + 200.0) / 2.0).abs() < 1e-4, "{cost}");
    }
}
