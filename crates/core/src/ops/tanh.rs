//! The hyperbolic tangent, a sigmoid between -1 and 1.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = tanh x`; `dL/dx = dL/dy (1 - y^2)` (Nielsen, chapter 3, equation 109).
#[derive(Debug)]
pub struct Tanh;

impl<T: Float> Tape<T> {
    /// Records [`Tanh`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn tanh(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Tanh, &[x])
    }
}

impl<T: Float> Op<T> for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = tanh x"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::tanh(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        5 * count(output)
    }
}

impl<T: Float> Differentiable<T> for Tanh {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy (1 - y^2)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (y, dy) = (io.y.data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::tanh_backward(dx, dy, y));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        3 * count(output)
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[1]] {
            check(&[shape], |tape, x| tape.tanh(x[0]));
        }
    }
}
