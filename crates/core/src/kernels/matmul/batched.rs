//! Batches of products of small matrices, one for each sequence and head.

use ndarray::ArrayViewMut2;
use rayon::prelude::*;

use super::epilogue::Accumulate;
use super::matrix::Mat;
use super::multiply::matmul_serial;
use crate::kernels::parallel::ForEachTask;
use crate::{Number, Precision};

/// Matrices of one shape, stored one after the other.
#[derive(Debug, Clone, Copy)]
pub struct MatBatch<'a, T> {
    data: &'a [T],
    /// Rows and columns as they are stored.
    shape: (usize, usize),
    transposed: bool,
}

impl<'a, T: Number> MatBatch<'a, T> {
    /// Row-major matrices of the given number of rows and columns.
    pub fn new(data: &'a [T], shape: (usize, usize)) -> Self {
        Self { data, shape, transposed: false }
    }

    /// Transposes each matrix; no element is moved.
    pub fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Elements of one matrix, at least 1.
    fn elements(self) -> usize {
        (self.shape.0 * self.shape.1).max(1)
    }

    fn matrix(self, data: &[T]) -> Mat<'_, T> {
        let matrix = Mat::new(data, self.shape);
        if self.transposed { matrix.t() } else { matrix }
    }
}

/// `out[n] = a[n] b[n]`, in parallel; each product runs on one thread. Matrices without elements have the product 0.
pub fn batched_matmul<T: Number>(
    a: MatBatch<'_, T>,
    b: MatBatch<'_, T>,
    out: &mut [T],
    precision: Precision,
) {
    if a.data.is_empty() || b.data.is_empty() {
        return out.fill(T::zero());
    }
    let pairs = a.data.par_chunks_exact(a.elements()).zip(b.data.par_chunks_exact(b.elements()));
    let elements = out.len() / (a.data.len() / a.elements()).max(1);
    out.par_chunks_exact_mut(elements.max(1)).zip(pairs).for_each_task(&|(out, (a_n, b_n))| {
        let (a, b) = (a.matrix(a_n), b.matrix(b_n));
        let out = ArrayViewMut2::from_shape((a.rows(), b.cols()), out).expect("the output fits the product");
        matmul_serial(a, b, Accumulate::Overwrite, out, precision);
    });
}
