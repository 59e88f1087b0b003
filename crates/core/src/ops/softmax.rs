//! Softmax over the last axis: scores become probabilities.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_j = e^(x_j) / sum_k e^(x_k)` over the last axis (Nielsen, chapter 3, equation 78).
///
/// `dL/dx_j = y_j (dL/dy_j - sum_k y_k dL/dy_k)`. Minus infinity gives exactly 0; a row of minus
/// infinities gives zeros.
#[derive(Debug)]
pub struct Softmax;

impl<T: Float> Tape<T> {
    /// Records [`Softmax`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn softmax(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Softmax, &[x])
    }
}

impl<T: Float> Op<T> for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y_j = exp(x_j) / sum_k exp(x_k)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::softmax(io.out, x.data(), x.rows_cols().1);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        5 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Softmax {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx_j = y_j (dy_j - sum_k y_k dy_k)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let cols = io.y.rows_cols().1.max(1);
        let (y, dy) = (io.y.data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::softmax_backward(dx, y, dy, cols));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        4 * count(output)
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3], &[6, 1]] {
            check(&[shape], |tape, x| tape.softmax(x[0]));
        }
    }
}
