//! A product that is about to be computed.

use ndarray::ArrayViewMut2;

use super::epilogue::{Accumulate, Remaining};
use super::matrix::Mat;
use crate::Float;

/// `out = accumulate + a b`.
#[derive(Debug)]
pub struct Product<'a, 'b, T> {
    pub(super) a: Mat<'a, T>,
    pub(super) b: Mat<'a, T>,
    pub(super) accumulate: Accumulate<'a, T>,
    pub(super) out: ArrayViewMut2<'a, T>,
    /// Whether this is the transpose of the product that was called for: the columns of `out` are
    /// contiguous, and a bias has an element for each row.
    pub(super) transposed: bool,
    pub(super) threads: usize,
    /// The epilogue of the elements that it has not been applied to yet.
    pub(super) epilogue: Option<&'a mut Remaining<'b, T>>,
}

impl<'a, T: Float> Product<'a, '_, T> {
    /// `out = accumulate + a b`, or its transpose where that is faster: where otherwise the larger
    /// of the two matrices would be copied across its rows.
    pub(super) fn new(
        a: Mat<'a, T>,
        b: Mat<'a, T>,
        accumulate: Accumulate<'a, T>,
        out: ArrayViewMut2<'a, T>,
        threads: usize,
    ) -> Self {
        if b.transposed && !a.transposed && a.rows < b.cols {
            let (a, b, out) = (b.t(), a.t(), out.reversed_axes());
            return Self { a, b, accumulate, out, transposed: true, threads, epilogue: None };
        }
        Self { a, b, accumulate, out, transposed: false, threads, epilogue: None }
    }
}
