//! The reciprocal of each element.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, count, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y = 1 / x`; `dL/dx = -dL/dy y^2`. Where `x` is 0, `y` is infinite.
#[derive(Debug)]
pub struct Reciprocal;

impl<T: Float> Tape<T> {
    /// Records [`Reciprocal`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn reciprocal(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Reciprocal, &[x])
    }
}

impl<T: Float> Op<T> for Reciprocal {
    fn name(&self) -> &'static str {
        "reciprocal"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = 1 / x"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        T::Kernels::reciprocal(io.out, io.input(0).data());
    }
    fn flops(&self, _: &[&[usize]], output: &[usize]) -> u64 {
        count(output)
    }
}

impl<T: Float> Differentiable<T> for Reciprocal {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx = -dy y^2"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (y, dy) = (io.y.data(), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::reciprocal_backward(dx, dy, y));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[1]] {
            // Away from the pole at 0.
            check(&[shape], |tape, x| {
                let shift = tape.input(Tensor::from_fn(shape, || 4.0));
                let x = tape.add(x[0], shift)?;
                tape.reciprocal(x)
            });
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[3], vec![4.0_f32, -0.5, 0.0]).unwrap());
        let y = tape.reciprocal(x).unwrap();
        assert_eq!(tape.value(y).data(), [0.25, -2.0, f32::INFINITY]);
    }
}
