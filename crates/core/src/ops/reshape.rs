//! The same elements in another shape.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = x` with another shape of as many elements, in row-major order; `dL/dx = dL/dy` in the shape of `x`.
#[derive(Debug)]
pub struct Reshape(Shape);

impl<T: Float> Tape<T> {
    /// Records [`Reshape`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `shape` has as many elements as `x`.
    #[track_caller]
    pub fn reshape(&mut self, x: Var, shape: &[usize]) -> Result<Var, Error> {
        self.record(Reshape(ndarray::IxDyn(shape)), &[x])
    }
}

impl<T: Float> Op<T> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn equation(&self) -> &'static str {
        "y = x"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let shape = ndarray::Dimension::slice(&self.0);
        match count(shape) == count(inputs[0]) {
            true => Ok(self.0.clone()),
            false => Err(format!("the shape {shape:?} has another number of elements")),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        io.out.copy_from_slice(io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for Reshape {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dy = io.dy.data();
        io.add_to_input_grad(0, |dx| T::Kernels::add_assign(dx, dy));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        check(&[&[4, 1, 3]], |tape, x| tape.reshape(x[0], &[2, 2, 3]));
        check(&[&[6]], |tape, x| tape.reshape(x[0], &[1, 2, 3]));
    }

    #[test]
    fn elements_keep_their_order() {
        let mut tape = Tape::new();
        let x: Tensor<f64> = constant(&[4, 3], 1.0);
        let var = tape.input(x.clone());
        let y = tape.reshape(var, &[2, 6]).unwrap();
        assert_eq!((tape.value(y).shape(), tape.value(y).data()), (&[2, 6][..], x.data()));
        assert!(tape.reshape(var, &[5, 2]).is_err());
    }
}
