//! A tensor times a constant.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = c x` with a constant `c`; `dL/dx = c dL/dy`.
#[derive(Debug)]
pub struct Scale(
    /// The constant.
    pub f64,
);

impl<T: Float> Tape<T> {
    /// Records [`Scale`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn scale(&mut self, x: Var, c: f64) -> Result<Var, Error> {
        self.record(Scale(c), &[x])
    }
}

impl<T: Float> Op<T> for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = c x"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::scale(io.out, io.input(0).data(), T::of(self.0));
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Float> Differentiable<T> for Scale {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = c dy"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (c, dy) = (T::of(self.0), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::scale(dx, dy, c));
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
            check(&[shape], |tape, x| tape.scale(x[0], -2.5));
        }
    }
}
