//! The last token of each sequence: all that is needed to say what comes next.

use crate::ops::{Backward, Differentiable, Forward, Op};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_b = x_b,T-1`, of `(B, T, C)` to `(B, 1, C)`.
///
/// `dL/dx` is `dL/dy` in the last row of each sequence, and 0 elsewhere.
#[derive(Debug)]
pub struct Last;

impl<T: Float> Tape<T> {
    /// Records [`Last`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are three axes, and at least one token.
    #[track_caller]
    pub fn last(&mut self, x: Var) -> Result<Var, Error> {
        self.record(Last, &[x])
    }
}

impl<T: Float> Op<T> for Last {
    fn name(&self) -> &'static str {
        "last"
    }
    fn equation(&self) -> &'static str {
        "y = x[T - 1]"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs[0] {
            &[b, t, c] if t > 0 => Ok(ndarray::IxDyn(&[b, 1, c])),
            _ => Err("(B, T, C) gives (B, 1, C), and T is at least 1".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, (_, c)) = (io.input(0), io.input(0).rows_cols());
        let sequences = x.data().chunks_exact((x.shape()[1] * c).max(1));
        for (y, x) in io.out.chunks_exact_mut(c.max(1)).zip(sequences) {
            y.copy_from_slice(&x[x.len() - c..]);
        }
    }
    fn flops(&self, _: &[&[usize]], _: &[usize]) -> u64 {
        0
    }
}

impl<T: Float> Differentiable<T> for Last {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (t, (_, c), dy) = (io.input(0).shape()[1], io.input(0).rows_cols(), io.dy.data());
        io.input_grad(0, |dx| {
            dx.fill(T::zero());
            for (dx, dy) in dx.chunks_exact_mut((t * c).max(1)).zip(dy.chunks_exact(c.max(1))) {
                dx[(t - 1) * c..].copy_from_slice(dy);
            }
        });
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
            check(&[&shape], |tape, x| tape.last(x[0]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 2, 1], vec![1.0_f32, 2.0, 3.0, 4.0]).unwrap());
        let y = tape.last(x).unwrap();
        assert_eq!((tape.value(y).shape(), tape.value(y).data()), (&[2, 1, 1][..], &[2.0, 4.0][..]));
        let empty = tape.input(Tensor::zeros(&[2, 0, 3]));
        assert!(tape.last(empty).is_err());
    }
}
