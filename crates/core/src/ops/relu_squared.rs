//! The squared rectified linear unit.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = max(0, x)^2` (So et al. 2021, found by search and better than GELU in their models), with
/// `dy/dx = 2 max(0, x)`. NaN stays NaN.
#[derive(Debug)]
pub struct ReluSquared;

impl<T: Float> Tape<T> {
    /// Records [`ReluSquared`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn relu_squared(&mut self, x: Var) -> Result<Var, Error> {
        self.record(ReluSquared, &[x])
    }
}

impl<T: Float> Op<T> for ReluSquared {
    fn name(&self) -> &'static str {
        "relu_squared"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = max(0, x)^2"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::relu_squared(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

impl<T: Float> Differentiable<T> for ReluSquared {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = 2 max(0, x) dy"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (x, dy) = (io.input(0).data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::relu_squared_backward(dx, dy, x));
    }
    fn backward_flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        check(&[&[3, 4]], |tape, x| tape.relu_squared(x[0]));
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::<f64>::new();
        let x = tape.input(Tensor::from_vec(&[4], vec![-2.0, 0.0, 1.5, f64::NAN]).unwrap());
        let y = tape.relu_squared(x).unwrap();
        assert_eq!(tape.value(y).data()[..3], [0.0, 0.0, 2.25]);
        assert!(tape.value(y).data()[3].is_nan());
    }
}
