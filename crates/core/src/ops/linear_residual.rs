//! The fully connected layer at the end of a residual branch, fused with the addition.

use std::sync::Arc;

use super::residual::branch_gradient;
use crate::kernels::Kernels;
use crate::kernels::dropout::DropoutMask;
use crate::kernels::matmul::{Accumulate, Epilogue, PackedFactor};
use crate::ops::{Backward, Differentiable, Forward, Op, count, matrix};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `Y = R + m (X W^T + b) / (1 - p)`: `(.., N)`, `(.., K)`, `(N, K)` and `(N)` give `(.., N)`. It
/// is [linear](super::linear) and [residual](super::residual) in one pass, without storing the
/// output of the branch.
///
/// With `dY = dL/dY` and `dZ = m dY / (1 - p)`: `dL/dR = dY`, `dL/dX = dZ W`, `dL/dW = dZ^T X`, and
/// `dL/db` is the sum of the rows of `dZ`.
#[derive(Debug)]
pub struct LinearResidual {
    dropout: Option<DropoutMask>,
    /// `W^T` as a packed factor, which the forward pass reads instead: see
    /// [`Params::pack_factor`](crate::Params::pack_factor).
    factor: Option<Arc<PackedFactor>>,
}

impl<T: Float> Tape<T> {
    /// Records [`LinearResidual`], with or without a bias, and with dropout of probability `p` if
    /// the tape is [training](Tape::set_dropout).
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= p < 1`; [`Error::Shape`] unless the weights fit `x`, the bias
    /// has one element for each output and `r` has the shape of the result.
    #[track_caller]
    pub fn linear_residual(
        &mut self,
        r: Var,
        x: Var,
        weight: Var,
        bias: Option<Var>,
        p: f64,
    ) -> Result<Var, Error> {
        self.linear_residual_with_factor(r, x, (weight, None), bias, p)
    }

    /// As [`Tape::linear_residual`], with `W^T` as a packed factor.
    #[track_caller]
    pub(crate) fn linear_residual_with_factor(
        &mut self,
        r: Var,
        x: Var,
        (weight, factor): (Var, Option<&Arc<PackedFactor>>),
        bias: Option<Var>,
        p: f64,
    ) -> Result<Var, Error> {
        let op = LinearResidual { dropout: self.dropout_mask(p)?, factor: factor.cloned() };
        match bias {
            Some(bias) => self.record(op, &[r, x, weight, bias]),
            None => self.record(op, &[r, x, weight]),
        }
    }
}

impl<T: Float> Op<T> for LinearResidual {
    fn name(&self) -> &'static str {
        "linear_residual"
    }
    fn equation(&self, inputs: usize) -> &'static str {
        match (&self.dropout, inputs) {
            (None, 4) => "Y = R + X W^T + b",
            (None, _) => "Y = R + X W^T",
            (Some(_), 4) => "Y = R + m (X W^T + b) / (1 - p), m = 0 with probability p",
            (Some(_), _) => "Y = R + m X W^T / (1 - p), m = 0 with probability p",
        }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let (&[n, k], Some((&last, rows))) = (inputs[2], inputs[1].split_last()) else {
            return Err("expected X (.., K) and W (N, K)".into());
        };
        let shape = [rows, &[n]].concat();
        if last != k || inputs[0] != shape || inputs.get(3).is_some_and(|bias| *bias != [n]) {
            return Err("expected R (.., N), X (.., K), W (N, K) and b (N)".into());
        }
        Ok(ndarray::IxDyn(&shape))
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (r, x, w) = (io.input(0).data(), io.input(1), io.input(2));
        let bias = io.optional_input(3).map(Tensor::data);
        let accumulate = bias.map_or(Accumulate::Overwrite, Accumulate::Bias);
        let add = Epilogue::AddResidual { residual: r, dropout: self.dropout };
        T::Kernels::matmul_with_epilogue(
            matrix(x),
            matrix(w).t().with_packed(self.factor.as_deref(), io.precision),
            accumulate,
            io.out,
            (io.precision, io.row_bits),
            add,
        );
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let per_element = 1 + u64::from(inputs.len() == 4) + u64::from(self.dropout.is_some());
        count(output) * (2 * inputs[2][1] as u64 + per_element)
    }
}

impl<T: Float> Differentiable<T> for LinearResidual {
    fn gradient_equations(&self) -> &'static [&'static str] {
        match self.dropout {
            None => &["dR = dY", "dX = dY W", "dW = dY^T X", "db_j = sum_i dY_ij"],
            Some(_) => &[
                "dR = dY",
                "dX = dZ W, dZ = m dY / (1 - p)",
                "dW = dZ^T X, dZ = m dY / (1 - p)",
                "db_j = sum_i dZ_ij, dZ = m dY / (1 - p)",
            ],
        }
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let dz = branch_gradient(io, self.dropout);
        let [x, w, dz_rows] = [io.input(1), io.input(2), &dz].map(matrix);
        let precision = io.precision;
        io.input_grad(1, |dx| T::Kernels::matmul(dz_rows, w, Accumulate::Overwrite, dx, precision));
        io.input_grad(2, |dw| T::Kernels::matmul(dz_rows.t(), x, Accumulate::Overwrite, dw, precision));
        io.input_grad(3, |db| T::Kernels::column_sums(dz.data(), db));
        io.give_back(dz);
        io.pass(0);
    }
    fn backward_flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let per_element = u64::from(inputs.len() == 4) + u64::from(self.dropout.is_some());
        count(output) * (4 * inputs[2][1] as u64 + per_element)
    }
    fn input_grad_flops(&self, i: usize, inputs: &[&[usize]], output: &[usize]) -> u64 {
        if [1, 2].contains(&i) { 2 * count(output) * inputs[2][1] as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::{check, constant};
    use crate::rng::Streams;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        let key = Streams::new(1).dropout(0);
        for p in [0.0, 0.4] {
            for (b, k, n) in [(3, 4, 5), (1, 4, 1), (2, 1, 3), (1, 1, 1), (10, 100, 7)] {
                let shapes = [&[b, n][..], &[b, k], &[n, k], &[n]];
                check(&shapes, |tape, x| {
                    tape.set_dropout(Some(key));
                    tape.linear_residual(x[0], x[1], x[2], Some(x[3]), p)
                });
                check(&shapes[..3], |tape, x| {
                    tape.set_dropout(Some(key));
                    tape.linear_residual(x[0], x[1], x[2], None, p)
                });
            }
        }
        check(&[&[2, 3, 5], &[2, 3, 4], &[5, 4]], |tape, x| {
            tape.linear_residual(x[0], x[1], x[2], None, 0.0)
        });
    }

    #[test]
    fn is_linear_and_residual() {
        let key = Streams::new(7).dropout(3);
        // One row; blocks of rows with an incomplete one; several slices of the inner dimension; a
        // transposed product.
        for (rows, k, n) in [(1, 20, 30), (70, 64, 130), (200, 700, 128), (50, 80, 300)] {
            let [r, x, w, b] = [&[rows, n][..], &[rows, k], &[n, k], &[n]].map(|shape| {
                let values = constant(shape, shape.len() as f64);
                let mut next = values.data().iter();
                Tensor::from_fn(shape, || *next.next().unwrap() as f32)
            });
            for p in [0.0, 0.3] {
                let [mut one, mut two] = [(); 2].map(|()| Tape::<f32>::new());
                let [of_one, of_two] = [&mut one, &mut two].map(|tape| {
                    tape.set_dropout(Some(key));
                    [&r, &x, &w, &b].map(|x| tape.input(x.clone()))
                });
                let y = one.linear_residual(of_one[0], of_one[1], of_one[2], Some(of_one[3]), p).unwrap();
                let z = two.linear(of_two[1], of_two[2], Some(of_two[3])).unwrap();
                let want = two.residual(of_two[0], z, p).unwrap();
                assert_eq!(one.value(y), two.value(want), "{rows} x {k} x {n}, dropout {p}");
            }
        }
    }

    #[test]
    fn shapes_must_fit() {
        let mut tape = Tape::<f32>::new();
        let [r, x, w, b] =
            [&[2, 4][..], &[2, 3], &[4, 3], &[4]].map(|shape| tape.input(Tensor::zeros(shape)));
        assert!(tape.linear_residual(r, x, w, Some(b), 0.0).is_ok());
        assert!(tape.linear_residual(x, x, w, Some(b), 0.0).is_err());
        assert!(tape.linear_residual(r, r, w, Some(b), 0.0).is_err());
        assert!(tape.linear_residual(r, x, w, Some(r), 0.0).is_err());
        assert!(tape.linear_residual(r, x, w, None, 1.0).is_err());
    }
}
