//! A matrix product to compute.

use ndarray::ArrayViewMut2;

use super::epilogue::{Accumulate, RemainingEpilogue};
use super::matrix::Mat;
use crate::Number;

/// `out = accumulate + a b`.
#[derive(Debug)]
pub struct Product<'a, 'b, T> {
    pub(super) a: Mat<'a, T>,
    pub(super) b: Mat<'a, T>,
    pub(super) accumulate: Accumulate<'a, T>,
    pub(super) out: ArrayViewMut2<'a, T>,
    /// Whether this is the transpose of the requested product: the columns of `out` are contiguous,
    /// and a bias has one element per row.
    pub(super) transposed: bool,
    pub(super) threads: usize,
    /// The part of the epilogue that is still to be applied.
    pub(super) epilogue: Option<&'a mut RemainingEpilogue<'b, T>>,
}

impl<'a, T: Number> Product<'a, '_, T> {
    /// `out = accumulate + a b`.
    pub(super) fn new(
        a: Mat<'a, T>,
        b: Mat<'a, T>,
        accumulate: Accumulate<'a, T>,
        out: ArrayViewMut2<'a, T>,
        threads: usize,
    ) -> Self {
        Self { a, b, accumulate, out, transposed: false, threads, epilogue: None }
    }

    /// The product, or its transpose if that is faster: if the larger of the two matrices would
    /// otherwise have to be transposed when it is packed.
    pub(super) fn in_faster_order(self) -> Self {
        let Self { a, b, out, .. } = self;
        if b.transposed && !a.transposed && a.rows < b.cols {
            let (a, b, out) = (b.t(), a.t(), out.reversed_axes());
            return Self { a, b, out, transposed: true, ..self };
        }
        Self { a, b, out, ..self }
    }
}
