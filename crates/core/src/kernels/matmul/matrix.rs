//! Matrix views, the operands of products.

use std::ops::Range;

use super::packed_factor::PackedFactor;
use crate::{Number, Precision};

/// A row-major matrix, or the transpose of one.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a, T> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Elements from the start of one stored row to the start of the next.
    pub(super) row_stride: usize,
    pub(super) transposed: bool,
    /// A packed copy, if there is one.
    pub(super) packed: Option<&'a PackedFactor>,
}

impl<'a, T: Number> Mat<'a, T> {
    /// A row-major matrix of `rows` times `cols` elements, without gaps.
    ///
    /// # Panics
    /// Unless `data` has `rows * cols` elements.
    pub fn new(data: &'a [T], (rows, cols): (usize, usize)) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix");
        Self { data, rows, cols, row_stride: cols, transposed: false, packed: None }
    }

    /// A row-major matrix with `row_stride` elements from the start of one row to the start of the
    /// next.
    ///
    /// # Panics
    /// If `data` is too short, or the rows overlap.
    pub fn with_row_stride(data: &'a [T], (rows, cols): (usize, usize), row_stride: usize) -> Self {
        let end = if rows == 0 { 0 } else { (rows - 1) * row_stride + cols };
        assert!(row_stride >= cols && data.len() >= end, "a {rows} x {cols} matrix");
        Self { data, rows, cols, row_stride, transposed: false, packed: None }
    }

    /// The transpose; no element is moved.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, transposed: !self.transposed, packed: None, ..self }
    }

    /// The same matrix with its packed copy. A product of this precision reads the copy if the matrix is its right
    /// factor.
    ///
    /// # Panics
    /// If the copy has another shape.
    pub fn with_packed(self, packed: Option<&'a PackedFactor>, precision: Precision) -> Self {
        let packed = packed.filter(|packed| packed.precision == precision);
        assert!(
            packed.is_none_or(|packed| packed.shape == (self.rows, self.cols)),
            "shape of a packed factor"
        );
        Self { packed, ..self }
    }

    /// The number of rows.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(self) -> usize {
        self.cols
    }

    /// A range of the rows of a matrix that is not transposed.
    ///
    /// # Panics
    /// If the matrix has no such rows, or is transposed.
    pub fn rows_of(self, rows: Range<usize>) -> Self {
        assert!(!self.transposed && rows.start <= rows.end && rows.end <= self.rows, "rows of a matrix");
        let data = &self.data[(rows.start * self.row_stride).min(self.data.len())..];
        Self { data, rows: rows.len(), packed: None, ..self }
    }

    /// Stored row `i`, which is a column if the matrix is transposed.
    #[inline(always)]
    pub fn row(self, i: usize) -> &'a [T] {
        self.stored_row(i, 0, if self.transposed { self.rows } else { self.cols })
    }

    /// `n` elements of stored row `i`, from element `from` on.
    #[inline(always)]
    pub(super) fn stored_row(self, i: usize, from: usize, n: usize) -> &'a [T] {
        &self.data[i * self.row_stride + from..][..n]
    }

    /// Whether it is stored without gaps between the rows, and transposed or not as given.
    pub(super) fn is_dense(self, transposed: bool) -> bool {
        self.transposed == transposed && self.row_stride == if transposed { self.rows } else { self.cols }
    }
}
