//! The index of the largest element, for evaluation.

use crate::kernels::Kernels;
use crate::ops::{Forward, Op, count, one_per_row};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_b = argmax_j x_bj`: `(B, N)` gives `(B)`; the first of equal elements.
///
/// It is piecewise constant and has no useful derivative. It therefore has no backward pass, and
/// the tape rejects it where a gradient is needed.
#[derive(Debug)]
pub struct Argmax;

impl<T: Float> Tape<T> {
    /// Records [`Argmax`].
    ///
    /// # Errors
    /// [`Error::NoBackward`] if `x` needs a gradient; [`Error::Shape`] if the rows are empty.
    #[track_caller]
    pub fn argmax(&mut self, x: Var) -> Result<Var, Error> {
        self.record_forward_only(Argmax, &[x])
    }
}

impl<T: Float> Op<T> for Argmax {
    fn name(&self) -> &'static str {
        "argmax"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y_b = argmax_j x_bj"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        one_per_row(inputs[0])
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::argmax(io.out, x.data(), x.rows_cols().1);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        count(inputs[0])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::{Tape, Tensor};

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[2, 3], vec![1.0_f32, 3.0, 2.0, 7.0, 7.0, -1.0]).unwrap());
        let y = tape.argmax(x).unwrap();
        assert_eq!(tape.value(y).data(), [1.0, 0.0]);
    }
}
