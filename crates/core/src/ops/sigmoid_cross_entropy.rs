//! The cross-entropy cost of sigmoid neurons.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, cost_shape, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `C = -1/B sum [y ln a + (1 - y) ln(1 - a)]` with `a = sigmoid(z)`: weighted inputs `z` and
/// desired outputs `y`, both `(B, N)`, give a single value (Nielsen, chapter 3, equation 63).
///
/// It is computed as `max(z, 0) - z y + ln(1 + e^-|z|)`, which is equal and stays precise when `a`
/// is nearly 0 or 1.
///
/// `dC/dz = (a - y) / B`: the slope of the sigmoid cancels, so a neuron that is badly wrong learns
/// fast. `y` gets no gradient.
#[derive(Debug)]
pub struct SigmoidCrossEntropy;

impl<T: Float> Tape<T> {
    /// Records [`SigmoidCrossEntropy`] of weighted inputs `z` and desired outputs `y`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both have the same shape and are not empty; [`Error::NoBackward`] if `y` needs a
    /// gradient.
    #[track_caller]
    pub fn sigmoid_cross_entropy(&mut self, z: Var, y: Var) -> Result<Var, Error> {
        self.need_no_gradient("sigmoid_cross_entropy", &[y])?;
        self.record(SigmoidCrossEntropy, &[z, y])
    }
}

impl<T: Float> Op<T> for SigmoidCrossEntropy {
    fn name(&self) -> &'static str {
        "sigmoid_cross_entropy"
    }
    fn equation(&self, _: usize) -> &'static str {
        "C = -1/B sum (y ln a + (1 - y) ln(1 - a)), a = sigmoid(z)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        cost_shape(inputs, "weighted inputs and desired outputs must have the same shape (B, N)")
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (z, y) = (io.input(0), io.input(1));
        let mut costs = io.scratch(z.len());
        T::Kernels::sigmoid_cross_entropy(io.out, costs.data_mut(), z.data(), y.data(), z.rows_cols().0);
        io.give_back(costs);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        6 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for SigmoidCrossEntropy {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dz = (a - y) / B * dC, a = sigmoid(z)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (z, y, dy) = (io.input(0), io.input(1).data(), io.dy.data());
        let rows = z.rows_cols().0;
        io.input_grad(0, |dz| T::Kernels::sigmoid_cross_entropy_backward(dz, z.data(), y, dy, rows));
    }
    fn backward_flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        6 * count(inputs[0])
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
                tape.sigmoid_cross_entropy(x[0], y)
            });
        }
    }

    #[test]
    fn by_hand() {
        // a = 1/2 costs ln 2 for any y; a confident wrong neuron costs |z|.
        let mut tape = Tape::new();
        let z = tape.input(Tensor::from_vec(&[1, 2], vec![0.0_f32, -100.0]).unwrap());
        let y = tape.input(Tensor::from_vec(&[1, 2], vec![1.0, 1.0]).unwrap());
        let cost = tape.sigmoid_cross_entropy(z, y).unwrap();
        let cost = tape.read_loss(cost);
        assert!((cost - (2.0_f32.ln() + 100.0)).abs() < 1e-4, "{cost}");
    }
}
