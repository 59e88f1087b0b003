//! The logarithm of the sum of exponentials of each row, for log-probabilities.

use crate::kernels::Kernels;
use crate::ops::{Forward, Op, count, one_per_row};
use crate::{Error, Float, Shape, Tape, Var};

/// `y_r = ln sum_j e^(x_rj)`: `(.., V)` gives one element for each row. `x_rj - y_r` is the logarithm of
/// the softmax of `x_r`, finite even where the probability itself rounds to 0.
///
/// It has no backward pass: losses compute theirs.
#[derive(Debug)]
pub struct LogSumExp;

impl<T: Float> Tape<T> {
    /// Records [`LogSumExp`].
    ///
    /// # Errors
    /// [`Error::NoBackward`] if `x` needs a gradient; [`Error::Shape`] if the rows are empty.
    #[track_caller]
    pub fn log_sum_exp(&mut self, x: Var) -> Result<Var, Error> {
        self.record_forward_only(LogSumExp, &[x])
    }
}

impl<T: Float> Op<T> for LogSumExp {
    fn name(&self) -> &'static str {
        "log_sum_exp"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = ln sum e^x"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        one_per_row(inputs[0])
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let x = io.input(0);
        T::Kernels::log_sum_exp(io.out, x.data(), x.rows_cols().1);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        3 * count(inputs[0])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::{Tape, Tensor};

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = vec![0.0, 3.0_f64.ln(), 1000.0, 1000.0];
        let x = tape.input(Tensor::from_vec(&[1, 2, 2], x).unwrap());
        let y = tape.log_sum_exp(x).unwrap();
        let want = [4.0_f64.ln(), 1000.0 + 2.0_f64.ln()];
        assert_eq!(tape.value(y).shape(), [2]);
        assert!(tape.value(y).data().iter().zip(want).all(|(y, want)| (y - want).abs() < 1e-12));
        let empty = tape.input(Tensor::zeros(&[2, 0]));
        assert!(tape.log_sum_exp(empty).is_err());
    }
}
