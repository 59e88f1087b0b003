//! The mean of all numbers.

use crate::kernels::reduce;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = (x_1 + ... + x_n) / n`, one number; `dL/dx_i = dL/dy / n`.
#[derive(Debug)]
pub struct Mean;

impl<T: Float> Tape<T> {
    /// Records [`Mean`].
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no number.
    #[track_caller]
    pub fn mean(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Mean, &[x])
    }
}

impl<T: Float> Op<T> for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }
    fn equation(&self) -> &'static str {
        "y = sum(x) / n"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match count(inputs[0]) {
            0 => Err("there must be a number to take the mean of".into()),
            _ => Ok(ndarray::IxDyn(&[])),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0).data();
        io.out[0] = T::of(reduce::sum(x) / x.len() as f64);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        count(inputs[0])
    }
}

impl<T: Float> Differentiable<T> for Mean {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let share = io.dy.data()[0] / T::of(io.input(0).len() as f64);
        io.input_grad(0, |dx| dx.fill(share));
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
