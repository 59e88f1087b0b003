//! The matrix product.

use crate::kernels::Kernels;
use crate::kernels::matmul::Accumulate;
use crate::ops::{Backward, Differentiable, Forward, Op, count, matrix};
use crate::{Error, Float, Shape, Tape, Var};

/// `Y = A B`: `(M, K)` and `(K, N)` give `(M, N)`.
///
/// `dL/dA = dL/dY B^T` and `dL/dB = A^T dL/dY`: no other product of these matrices has the right
/// shape.
#[derive(Debug)]
pub struct MatMul;

impl<T: Float> Tape<T> {
    /// Records [`MatMul`].
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are matrices and the number of columns of A is the number of
    /// rows of B.
    #[track_caller]
    pub fn matmul(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.record(MatMul, &[a, b])
    }
}

impl<T: Float> Op<T> for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn equation(&self, _: usize) -> &'static str {
        "Y = A B"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        match inputs {
            [[m, k], [k2, n]] if k == k2 => Ok(ndarray::IxDyn(&[*m, *n])),
            _ => Err("expected A (M, K) and B (K, N)".into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (a, b) = (io.input(0), io.input(1));
        T::Kernels::matmul(matrix(a), matrix(b), Accumulate::Overwrite, io.out, io.precision);
    }
    fn flops(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        2 * count(output) * inputs[0][1] as u64
    }
}

impl<T: Float> Differentiable<T> for MatMul {
    fn gradient_equations(&self) -> &'static [&'static str] {
        &["dA = dY B^T", "dB = A^T dY"]
    }
    fn backward(&self, io: &mut Backward<'_, T>) {
        let [a, b, dy] = [io.input(0), io.input(1), io.dy].map(matrix);
        let precision = io.precision;
        io.input_grad(0, |da| T::Kernels::matmul(dy, b.t(), Accumulate::Overwrite, da, precision));
        io.input_grad(1, |db| T::Kernels::matmul(a.t(), dy, Accumulate::Overwrite, db, precision));
    }
    fn input_grad_flops(&self, _: usize, inputs: &[&[usize]], output: &[usize]) -> u64 {
        Op::<T>::flops(self, inputs, output)
    }
}

#[cfg(test)]
mod tests {
    use crate::gradcheck::check;

    #[test]
    fn gradient() {
        for (m, k, n) in [(3, 4, 5), (1, 4, 1), (2, 1, 3), (1, 1, 1), (7, 80, 3)] {
            check(&[&[m, k], &[k, n]], |tape, x| tape.matmul(x[0], x[1]));
        }
    }
}
