//! The sum of two tensors.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = a + b`. The shapes are the same, or the shape of `a` ends with that of `b`, which is then
/// added to each block of `a`: `(B, T, C) + (T, C)` for positions. Leading axes of length 1 in `b`
/// are ignored.
///
/// `dL/da = dL/db = dL/dy`: a sum passes its gradient on unchanged, which is why a residual
/// connection lets the gradient through. If `b` is added to several blocks, it gets the sum of
/// their gradients.
#[derive(Debug)]
pub struct Add;

impl<T: Float> Tape<T> {
    /// Records [`Add`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless the shapes are the same, or the shape of `a` ends with that of `b`.
    #[track_caller]
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(Add, &[a, b])
    }
}

impl<T: Float> Op<T> for Add {
    fn name(&self) -> &'static str {
        "add"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = a + b"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs {
            [a, b] if a.ends_with(&b[b.iter().take_while(|&&n| n == 1).count()..]) && a.len() >= b.len() => {
                Ok(ndarray::IxDyn(a))
            }
            _ => Err("the shapes must be the same, or the second must be a suffix of the first".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (a, b) = (io.input(0).data(), io.input(1).data());
        if a.len() == b.len() {
            return T::Kernels::add(io.out, a, b);
        }
        T::Kernels::add_row_block(io.out, a, b);
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Float> Differentiable<T> for Add {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["da = dy", "db = dy, summed over the copies of b"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        io.pass(0);
        if io.input(0).shape() == io.input(1).shape() {
            return io.pass(1);
        }
        let dy = io.dy.data();
        io.input_grad(1, |db| T::Kernels::column_sums(dy, db));
    }
    fn backward_flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        if inputs[0] == inputs[1] { 0 } else { count(output) }
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
        check(&[&[2, 3, 4], &[3, 4]], |tape, x| tape.add(x[0], x[1]));
        check(&[&[2, 3, 4], &[4]], |tape, x| tape.add(x[0], x[1]));
        check(&[&[2, 3, 4], &[1, 3, 4]], |tape, x| tape.add(x[0], x[1]));
        check(&[&[1, 3, 4], &[3, 4]], |tape, x| tape.add(x[0], x[1]));
    }
}
