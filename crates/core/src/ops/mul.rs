//! The element-wise product of two tensors.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = a * b`, element by element (the Hadamard product).
///
/// `dL/da = dL/dy * b` and `dL/db = dL/dy * a`.
#[derive(Debug)]
pub struct Mul;

impl<T: Float> Tape<T> {
    /// Records [`Mul`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the shapes are the same.
    #[track_caller]
    pub fn mul(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(Mul, &[a, b])
    }
}

impl<T: Float> Op<T> for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = a * b, element by element"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::multiply(io.out, io.input(0).data(), io.input(1).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Float> Differentiable<T> for Mul {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["da = dy * b", "db = dy * a"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (a, b, dy) = (io.input(0).data(), io.input(1).data(), io.dy.data());
        io.input_grad(0, |da| T::Kernels::multiply(da, dy, b));
        io.input_grad(1, |db| T::Kernels::multiply(db, dy, a));
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3], &[1]] {
            check(&[shape, shape], |tape, x| tape.mul(x[0], x[1]));
            check(&[shape], |tape, x| tape.mul(x[0], x[0]));
        }
    }
}
