//! The rectified linear unit.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = max(0, x)`; the gradient passes where `x > 0` and stops elsewhere.
///
/// The derivative at 0 is defined as 0. NaN stays NaN.
#[derive(Debug)]
pub struct Relu;

impl<T: Float> Tape<T> {
    /// Records [`Relu`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn relu(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Relu, &[x])
    }
}

impl<T: Float> Op<T> for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = max(0, x)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::relu(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Float> Differentiable<T> for Relu {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy where x > 0, and 0 elsewhere"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (y, dy) = (io.y.data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::relu_backward(dx, dy, y));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[1]] {
            check(&[shape], |tape, x| tape.relu(x[0]));
        }
    }
}
