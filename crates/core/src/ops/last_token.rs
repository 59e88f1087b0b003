//! The last token of each sequence: all that is needed to predict the next token.

use crate::kernels::Kernels;
use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_b = x_b,T-1`: `(B, T, C)` gives `(B, 1, C)`.
///
/// `dL/dx` is `dL/dy` in the last row of each sequence, and 0 elsewhere.
#[derive(Debug)]
pub struct LastToken;

impl<T: Float> Tape<T> {
    /// Records [`LastToken`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x` has three axes and at least one token.
    #[track_caller]
    pub fn last_token(&mut self, x: Var) -> Result<Var, Error> {
        self.record(LastToken, &[x])
    }
}

impl<T: Float> Op<T> for LastToken {
    fn name(&self) -> &'static str {
        "last_token"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = x[T - 1]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, t, c] if t > 0 => Ok(ndarray::IxDyn(&[b, 1, c])),
            _ => Err("expected (B, T, C), with T at least 1".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::take_last(io.out, x.data(), x.shape()[1], x.shape()[2]);
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for LastToken {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dx[T - 1] = dy, 0 for the other tokens"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (x, dy) = (io.input(0), io.dy.data());
        io.input_grad(0, |dx| T::Kernels::take_last_backward(dx, dy, x.shape()[1], x.shape()[2]));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for shape in [[2, 3, 4], [1, 1, 1], [3, 1, 2]] {
            check(&[&shape], |tape, x| tape.last_token(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 2, 1], vec![1.0_f32, 2.0, 3.0, 4.0]).unwrap());
        let y = tape.last_token(x).unwrap();
        assert_eq!((tape.value(y).shape(), tape.value(y).data()), (&[2, 1, 1][..], &[2.0, 4.0][..]));
        let empty = tape.input(Tensor::zeros(&[2, 0, 3]));
        assert!(tape.last_token(empty).is_err());
    }
}
