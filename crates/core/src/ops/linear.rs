//! The fully connected layer: every output is a weighted sum of every input.

use std::sync::Arc;

use crate::kernels::Kernels;
use crate::kernels::matmul::{Accumulate, Epilogue, PackedFactor};
use crate::ops::{Backward, Differentiable, Forward, Op, count, matrix};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `Y = X W^T + b`: `(.., K)`, `(N, K)` and `(N)` give `(.., N)`.
///
/// Row `j` of `W` holds the weights into neuron `j`, as in the book. There, an example is a column
/// vector, `z = w a + b`; here, it is a row of X.
///
/// With `dY = dL/dY`: `dL/dX = dY W`, `dL/dW = dY^T X` (BP4 for a whole mini-batch at once), and
/// `dL/db` is the sum of the rows of `dY` (BP3).
#[derive(Debug, Default)]
pub struct Linear {
    /// `W^T` as a packed factor, which the forward pass reads instead: see
    /// [`Params::pack_factor`](crate::Params::pack_factor).
    factor: Option<Arc<PackedFactor>>,
}

impl<T: Float> Tape<T> {
    /// Records [`Linear`], with or without a bias.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the weights fit the input and the bias has one element for each
    /// output.
    #[track_caller]
    pub fn linear(&mut self, x: Var, weight: Var, bias: Option<Var>) -> Result<Var, Error> {
        self.linear_with_factor(x, (weight, None), bias)
    }

    /// As [`Tape::linear`], with `W^T` as a packed factor.
    #[track_caller]
    pub(crate) fn linear_with_factor(
        &mut self,
        x: Var,
        (weight, factor): (Var, Option<&Arc<PackedFactor>>),
        bias: Option<Var>,
    ) -> Result<Var, Error> {
        let op = Linear { factor: factor.cloned() };
        match bias {
            Some(bias) => self.record(op, &[x, weight, bias]),
            None => self.record(op, &[x, weight]),
        }
    }
}

impl<T: Float> Op<T> for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }
    fn equation(&self, inputs: usize) -> &'static str {
        if inputs == 3 { "Y = X W^T + b" } else { "Y = X W^T" }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let (&[n, k], Some((&last, rows))) = (inputs[1], inputs[0].split_last()) else {
            return Err("expected X (.., K) and W (N, K)".into());
        };
        if last != k || inputs.get(2).is_some_and(|bias| *bias != [n]) {
            return Err("expected X (.., K), W (N, K) and b (N)".into());
        }
        Ok(ndarray::IxDyn(&[rows, &[n]].concat()))
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (x, w) = (io.input(0), io.input(1));
        let bias = io.optional_input(2).map(Tensor::data);
        T::Kernels::matmul_with_epilogue(
            matrix(x),
            matrix(w).t().with_packed(self.factor.as_deref(), io.precision),
            bias.map_or(Accumulate::Overwrite, Accumulate::Bias),
            io.out,
            (io.precision, io.row_bits),
            Epilogue::None,
        );
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let bias = if inputs.len() == 3 { count(output) } else { 0 };
        2 * count(output) * inputs[1][1] as u64 + bias
    }
}

impl<T: Float> Differentiable<T> for Linear {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dX = dY W", "dW = dY^T X", "db_j = sum_i dY_ij"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let [x, w, dy] = [io.input(0), io.input(1), io.dy].map(matrix);
        let (dy_data, precision) = (io.dy.data(), io.precision);
        io.input_grad(0, |dx| T::Kernels::matmul(dy, w, Accumulate::Overwrite, dx, precision));
        io.input_grad(1, |dw| T::Kernels::matmul(dy.t(), x, Accumulate::Overwrite, dw, precision));
        io.input_grad(2, |db| T::Kernels::column_sums(dy_data, db));
    }
    fn input_grad_flops(&self, i: usize, inputs: &[&[usize]], output: &[usize]) -> u64 {
        if i < 2 { 2 * count(output) * inputs[1][1] as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (b, k, n) in [(3, 4, 5), (1, 4, 1), (2, 1, 3), (1, 1, 1), (10, 100, 7)] {
            check(&[&[b, k], &[n, k], &[n]], |tape, x| tape.linear(x[0], x[1], Some(x[2])));
            check(&[&[b, k], &[n, k]], |tape, x| tape.linear(x[0], x[1], None));
        }
        check(&[&[2, 3, 4], &[5, 4], &[5]], |tape, x| tape.linear(x[0], x[1], Some(x[2])));
    }

    #[test]
    fn with_fixed_row_bits_the_number_of_rows_changes_no_bit() {
        let (k, n) = (70, 48);
        let mut tape = Tape::<f32>::new();
        tape.set_fixed_row_bits(true);
        let f32s = |shape: &[usize], seed| {
            let values = constant(shape, seed);
            let mut values = values.data().iter().map(|&x| x as f32);
            Tensor::from_fn(shape, || values.next().unwrap())
        };
        let (w, b) = (tape.input(f32s(&[n, k], 1.0)), tape.input(f32s(&[n], 2.0)));
        let all = f32s(&[300, k], 3.0);
        let mut rows = |m: usize| {
            let x = tape.input(Tensor::from_vec(&[m, k], all.data()[..m * k].to_vec()).unwrap());
            let y = tape.linear(x, w, Some(b)).unwrap();
            let z = tape.linear_residual(y, x, w, None, 0.0).unwrap();
            [y, z].map(|var| tape.value(var).data().to_vec())
        };
        let want = rows(300);
        for m in [1, 2, 5, 17, 64, 299] {
            for (got, want) in rows(m).iter().zip(&want) {
                assert!(got[..] == want[..m * n], "{m} rows");
            }
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[1, 2], vec![1.0_f32, 2.0]).unwrap());
        let w = tape.input(Tensor::from_vec(&[3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap());
        let b = tape.input(Tensor::from_vec(&[3], vec![10.0, 20.0, 30.0]).unwrap());
        let y = tape.linear(x, w, Some(b)).unwrap();
        assert_eq!(tape.value(y).data(), [11.0, 22.0, 33.0]);
        assert!(tape.linear(w, x, Some(b)).is_err());
    }
}
