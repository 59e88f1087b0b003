//! The mean of all elements.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = (x_1 + ... + x_n) / n`, a single element; `dL/dx_i = dL/dy / n`.
#[derive(Debug)]
pub struct Mean;

impl<T: Float> Tape<T> {
    /// Records [`Mean`].
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is empty.
    #[track_caller]
    pub fn mean(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Mean, &[x])
    }
}

impl<T: Float> Op<T> for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = sum(x) / n"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match count(inputs[0]) {
            0 => Err("the mean needs at least one element".into()),
            _ => Ok(ndarray::IxDyn(&[])),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::mean(io.out, io.input(0).data());
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for Mean {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = dy / n"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy.data();
        io.input_grad(0, |dx| T::Kernels::mean_backward(dx, dy));
    }
    fn backward_flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3], &[1]] {
            check(&[shape], |tape, x| tape.mean(x[0]));
        }
    }
}
