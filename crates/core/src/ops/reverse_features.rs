//! Each row in reverse order.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op, same_shape};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_j = x_(D-1-j)` over the last axis, of length D. It only moves elements, and the gradient
/// moves back in the same way.
#[derive(Debug)]
pub struct ReverseFeatures;

impl<T: Float> Tape<T> {
    /// Records [`ReverseFeatures`].
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn reverse_features(&mut self, x: Var) -> Result<Var, Error> {
        self.record(ReverseFeatures, &[x])
    }
}

impl<T: Float> Op<T> for ReverseFeatures {
    fn name(&self) -> &'static str {
        "reverse_features"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y_j = x_(D-1-j)"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        same_shape(inputs)
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::reverse(io.out, x.data(), x.rows_cols().1.max(1));
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for ReverseFeatures {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx_j = dy_(D-1-j)"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (cols, dy) = (io.y.rows_cols().1.max(1), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::reverse(dx, dy, cols));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [&[3, 4][..], &[1, 5], &[2, 1, 3], &[6, 1]] {
            check(&[shape], |tape, x| tape.reverse_features(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap());
        let y = tape.reverse_features(x).unwrap();
        assert_eq!(tape.value(y).data(), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    }
}
