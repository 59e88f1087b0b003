//! The quadratic cost, the book's first cost function.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, cost_shape, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `C = 1/(2B) sum |a - y|^2`: outputs and desired outputs `(B, N)` give a single value (Nielsen,
/// chapter 1, equation 6).
///
/// `dC/da = (a - y) / B`: the book's `cost_derivative`, divided by the size of the mini-batch. `y` gets no
/// gradient.
#[derive(Debug)]
pub struct QuadraticCost;

impl<T: Float> Tape<T> {
    /// Records [`QuadraticCost`] of outputs `a` and desired outputs `y`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both have the same shape and are not empty; [`Error::NoBackward`] if `y` needs a
    /// gradient.
    #[track_caller]
    pub fn quadratic_cost(&mut self, a: Var, y: Var) -> Result<Var, Error> {
        self.need_no_gradient("quadratic_cost", &[y])?;
        self.record(QuadraticCost, &[a, y])
    }
}

impl<T: Float> Op<T> for QuadraticCost {
    fn name(&self) -> &'static str {
        "quadratic_cost"
    }
    fn equation(&self, _: usize) -> &'static str {
        "C = 1/(2B) sum (a - y)^2"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        cost_shape(inputs, "outputs and desired outputs must have the same shape (B, N)")
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (a, y) = (io.input(0), io.input(1));
        io.save(a.shape());
        T::Kernels::quadratic(io.out, io.saved[0].data_mut(), a.data(), y.data(), a.rows_cols().0);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        3 * count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for QuadraticCost {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["da = (a - y) / B * dC"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (difference, dy) = (io.saved(0), io.dy.data());
        let rows = difference.rows_cols().0;
        io.input_grad(0, |da| T::Kernels::quadratic_backward(da, difference.data(), dy, rows));
    }
    fn backward_flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        count(inputs[0])
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
                tape.quadratic_cost(x[0], y)
            });
        }
    }

    #[test]
    fn by_hand() {
        // Two examples: (1^2 + 2^2) / 2 and 3^2 / 2; their mean is 3.5.
        let mut tape = Tape::new();
        let a = tape.input(Tensor::from_vec(&[2, 2], vec![1.0_f32, 2.0, 3.0, 5.0]).unwrap());
        let y = tape.input(Tensor::from_vec(&[2, 2], vec![0.0, 0.0, 0.0, 5.0]).unwrap());
        let cost = tape.quadratic_cost(a, y).unwrap();
        assert_eq!(tape.read_loss(cost), 3.5);
    }
}
