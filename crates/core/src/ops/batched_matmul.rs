//! Many matrix products at a time: one for each sequence and head.

use ndarray::ArrayViewMut2;
use rayon::prelude::*;

use crate::kernels::matmul::{Accumulate, Mat, matmul_serial};
use crate::ops::{Backward, Differentiable, Forward, Op, count};
use crate::{Error, Float, Precision, Shape, Tape, Var};

/// `Y = A B` for each pair of matrices, of `(.., M, K)` and `(.., K, N)` to `(.., M, N)`;
/// or `Y = A B^T` with B of `(.., N, K)`, as attention compares each query with each key.
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
    /// [`Error::Shape`] unless the matrices are as many and fit each other.
    #[track_caller]
    pub fn batched_matmul(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(BatchedMatMul { transposed: false }, &[a, b])
    }

    /// Records [`BatchedMatMul`]: `A B^T`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the matrices are as many and fit each other.
    #[track_caller]
    pub fn batched_matmul_transposed(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(BatchedMatMul { transposed: true }, &[a, b])
    }
}

/// The last two lengths of a shape.
fn matrix(shape: &[usize]) -> (usize, usize) {
    (shape[shape.len() - 2], shape[shape.len() - 1])
}

/// `out = a b` for each of many matrices, which `view` makes of the slices.
fn each<T: Float>(
    precision: Precision,
    out: &mut [T],
    (a, a_len): (&[T], usize),
    (b, b_len): (&[T], usize),
    view: impl for<'x> Fn(&'x [T], &'x [T]) -> (Mat<'x, T>, Mat<'x, T>) + Sync,
) {
    let pairs = a.par_chunks_exact(a_len.max(1)).zip(b.par_chunks_exact(b_len.max(1)));
    let of = out.len() / (a.len() / a_len.max(1)).max(1);
    out.par_chunks_exact_mut(of.max(1)).zip(pairs).for_each(|(out, (a, b))| {
        let (a, b) = view(a, b);
        let out = ArrayViewMut2::from_shape((a.rows(), b.cols()), out).expect("as many as the output has");
        matmul_serial(a, b, Accumulate::Overwrite, out, precision);
    });
}

impl<T: Float> Op<T> for BatchedMatMul {
    fn name(&self) -> &'static str {
        if self.transposed { "batched_matmul_transposed" } else { "batched_matmul" }
    }
    fn equation(&self) -> &'static str {
        if self.transposed { "Y = A B^T" } else { "Y = A B" }
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let rule = || "(.., M, K) and (.., K, N), or (.., N, K) transposed, give (.., M, N)".to_string();
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
        let (a, b) = (io.input(0), io.input(1));
        let ((m, k), b_dims) = (matrix(a.shape()), matrix(b.shape()));
        let n = if self.transposed { b_dims.0 } else { b_dims.1 };
        each(io.precision, io.out, (a.data(), m * k), (b.data(), n * k), |a, b| {
            let b = Mat::new(b, b_dims);
            (Mat::new(a, (m, k)), if self.transposed { b.t() } else { b })
        });
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output) * inputs[0][inputs[0].len() - 1] as u64
    }
}

impl<T: Float> Differentiable<T> for BatchedMatMul {
    fn backward(&self, io: &mut Backward<'_, T>) {
        let (a, b, dy) = (io.input(0), io.input(1), io.dy);
        let (a_dims, b_dims, y_dims) = (matrix(a.shape()), matrix(b.shape()), matrix(dy.shape()));
        let [a_len, b_len, y_len] = [a_dims, b_dims, y_dims].map(|(rows, cols)| rows * cols);
        let (transposed, precision) = (self.transposed, io.precision);
        io.input_grad(0, |da| {
            each(precision, da, (dy.data(), y_len), (b.data(), b_len), |dy, b| {
                let b = Mat::new(b, b_dims);
                (Mat::new(dy, y_dims), if transposed { b } else { b.t() })
            });
        });
        io.input_grad(1, |db| {
            each(precision, db, (dy.data(), y_len), (a.data(), a_len), |dy, a| {
                let (dy, a) = (Mat::new(dy, y_dims), Mat::new(a, a_dims));
                if transposed { (dy.t(), a) } else { (a.t(), dy) }
            });
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
