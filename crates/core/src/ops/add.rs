//! The sum of two tensors.

use crate::kernels::map;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Real, Shape, Tape, Var};

/// `y = a + b`, of tensors of one shape.
///
/// `dL/da = dL/db = dL/dy`: a sum hands its gradient on unchanged, which is why
/// a residual connection lets the gradient through.
#[derive(Debug)]
pub struct Add;

impl<T: Real> Tape<T> {
    /// Records [`Add`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the shapes are the same.
    #[track_caller]
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(Add, &[a, b])
    }
}

impl<T: Real> Op<T> for Add {
    fn name(&self) -> &'static str {
        "add"
    }
    fn equation(&self) -> &'static str {
        "y = a + b"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        map::map2(io.out, io.input(0).data(), io.input(1).data(), |a, b| a + b);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Real> Differentiable<T> for Add {
    fn backward(&self, io: &mut Backward<'_, T>) {
        io.pass(0);
        io.pass(1);
    }
    fn backward_flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3], &[1]] {
            check(&[shape, shape], |tape, x| tape.add(x[0], x[1]));
        }
    }
}
