//! A batch of matrix products: one for each sequence and head.

use crate::kernels::Kernels;
use crate::kernels::matmul::MatBatch;
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// `Y = A B` for each pair of matrices: `(.., M, K)` and `(.., K, N)` give `(.., M, N)`. Or
/// `Y = A B^T` with B `(.., N, K)`, as in the scores of attention, `Q K^T`.
///
/// The derivatives are those of the [matrix product](super::matmul): `dA = dY B^T`,
/// `dB = A^T dY`; for `A B^T`, `dA = dY B` and `dB = dY^T A`.
#[derive(Debug)]
pub struct BatchedMatMul {
    transposed: bool,
}

impl<T: Float> Tape<T> {
    /// Records [`BatchedMatMul`]: `A B`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the batch axes are the same and the shapes of the matrices match.
    #[track_caller]
    pub fn batched_matmul(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(BatchedMatMul { transposed: false }, &[a, b])
    }

    /// Records [`BatchedMatMul`]: `A B^T`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the batch axes are the same and the shapes of the matrices match.
    #[track_caller]
    pub fn batched_matmul_transposed(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(BatchedMatMul { transposed: true }, &[a, b])
    }
}

/// The tensor as a batch of matrices: the last two axes are those of a matrix.
fn matrices<T: Float>(x: &Tensor<T>) -> MatBatch<'_, T> {
    let shape = x.shape();
    MatBatch::new(x.data(), (shape[shape.len() - 2], shape[shape.len() - 1]))
}

impl<T: Float> Op<T> for BatchedMatMul {
    fn name(&self) -> &'static str {
        if self.transposed { "batched_matmul_transposed" } else { "batched_matmul" }
    }
    fn equation(&self, _: usize) -> &'static str {
        if self.transposed { "Y = A B^T" } else { "Y = A B" }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let rule = || match self.transposed {
            true => "expected A (.., M, K) and B (.., N, K), with K at least 1".to_string(),
            false => "expected A (.., M, K) and B (.., K, N), with K at least 1".to_string(),
        };
        let ([a_batch @ .., m, k], [b_batch @ .., b_rows, b_cols]) = (inputs[0], inputs[1]) else {
            return Err(rule());
        };
        let (k2, n) = if self.transposed { (b_cols, b_rows) } else { (b_rows, b_cols) };
        if a_batch != b_batch || k != k2 || *k == 0 {
            return Err(rule());
        }
        Ok(ndarray::IxDyn(&[a_batch, &[*m, *n]].concat()))
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (a, b) = (matrices(io.input(0)), matrices(io.input(1)));
        let b = if self.transposed { b.t() } else { b };
        T::Kernels::batched_matmul(a, b, io.out, io.precision);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output) * inputs[0][inputs[0].len() - 1] as u64
    }
}

impl<T: Float> Differentiable<T> for BatchedMatMul {
    fn gradient_equations(&self) -> &'static [&'static str] {
        match self.transposed {
            true => &["dA = dY B", "dB = dY^T A"],
            false => &["dA = dY B^T", "dB = A^T dY"],
        }
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let [a, b, dy] = [io.input(0), io.input(1), io.dy].map(matrices);
        let (transposed, precision) = (self.transposed, io.precision);
        io.input_grad(0, |da| {
            T::Kernels::batched_matmul(dy, if transposed { b } else { b.t() }, da, precision)
        });
        io.input_grad(1, |db| match transposed {
            true => T::Kernels::batched_matmul(dy.t(), a, db, precision),
            false => T::Kernels::batched_matmul(a.t(), dy, db, precision),
        });
    }
    fn input_grad_flops(&self, _: usize, inputs: &[&[usize]], output: &[usize]) -> u64 {
        Op::<T>::flops(self, inputs, output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::check;
    use crate::{Tape, Tensor};

    #[test]
    fn gradient() {
        for (batch, m, k, n) in [(&[2, 3][..], 3, 4, 2), (&[1], 1, 1, 1), (&[3], 1, 5, 2), (&[2], 4, 1, 3)] {
            let shape = |rows, cols| [batch, &[rows, cols]].concat();
            check(&[&shape(m, k), &shape(k, n)], |tape, x| tape.batched_matmul(x[0], x[1]));
            check(&[&shape(m, k), &shape(n, k)], |tape, x| tape.batched_matmul_transposed(x[0], x[1]));
        }
    }

    #[test]
    fn by_hand() {
        let mut tape = Tape::new();
        let a = tape.input(Tensor::from_vec(&[2, 1, 2], vec![1.0_f32, 2.0, 3.0, 4.0]).unwrap());
        let b = tape.input(Tensor::from_vec(&[2, 2, 1], vec![1.0, 1.0, 0.0, 1.0]).unwrap());
        let y = tape.batched_matmul(a, b).unwrap();
        assert_eq!((tape.value(y).shape(), tape.value(y).data()), (&[2, 1, 1][..], &[3.0, 4.0][..]));
        let y = tape.batched_matmul_transposed(a, a).unwrap();
        assert_eq!(tape.value(y).data(), [5.0, 25.0]);
        assert!(tape.batched_matmul(a, a).is_err());
    }
}
