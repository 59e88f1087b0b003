//! The matrix product: where nearly all the time of a training goes.
//!
//! `C = A B` is cut three times (Goto and van de Geijn 2008): into slices of the inner
//! length whose part of B stays in a cache, into blocks of rows of C, or of columns where A
//! is small, and into tiles of C whose sums stay in registers. Threads work on blocks side by
//! side, or on slices, where C is small beside A and B, as the gradient of a weight is. B is
//! first copied into panels, columns side by side, so that the innermost loop reads it in
//! order; A is copied where its rows are not stored as that loop reads them.
//!
//! Each number of C is added up in the same order, wherever it stands and whoever
//! computes it: no number of threads and no neighbouring row changes a bit.

pub mod bf16;
mod blocks;
mod factor;
mod operands;
mod pack;
mod then;
mod tile;

use std::ops::Range;

use ndarray::ArrayViewMut2;

#[cfg(target_arch = "aarch64")]
use super::isa::Neon;
#[cfg(target_arch = "x86_64")]
use super::isa::{Avx2, Avx512, Avx512Bf16};
use super::isa::{Isa, Plain};
use super::matvec::matvec;
use super::small_matmul::{rows_pay, rows_times_rows};
use crate::{Float, Precision};
#[cfg(target_arch = "x86_64")]
use bf16::DotPair;
use bf16::Rounded;
use factor::Factor;
pub use factor::with_buffer;
pub use then::Then;

/// A row-major matrix, perhaps to be read as its transpose.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    /// From one stored row to the next.
    distance: usize,
    transposed: bool,
}

impl<'a, T: Float> Mat<'a, T> {
    /// `rows` times `cols` numbers, row by row.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn new(data: &'a [T], (rows, cols): (usize, usize)) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix");
        Self { data, rows, cols, distance: cols, transposed: false }
    }

    /// The same with `distance` numbers from the beginning of one row to that of the next.
    ///
    /// # Panics
    /// If `data` is too short.
    pub fn spaced(data: &'a [T], (rows, cols): (usize, usize), distance: usize) -> Self {
        let end = if rows == 0 { 0 } else { (rows - 1) * distance + cols };
        assert!(distance >= cols && data.len() >= end, "a {rows} x {cols} matrix");
        Self { data, rows, cols, distance, transposed: false }
    }

    /// The transpose, without moving a number.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, transposed: !self.transposed, ..self }
    }

    /// How many rows it has.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// How many columns it has.
    pub fn cols(self) -> usize {
        self.cols
    }

    /// Some of its rows, of one that is not transposed.
    ///
    /// # Panics
    /// If it has not got them, or is transposed.
    pub fn rows_of(self, rows: Range<usize>) -> Self {
        assert!(!self.transposed && rows.start <= rows.end && rows.end <= self.rows, "rows of a matrix");
        let data = &self.data[(rows.start * self.distance).min(self.data.len())..];
        Self { data, rows: rows.len(), ..self }
    }

    /// Row `i` as it is stored.
    #[inline(always)]
    pub fn row(self, i: usize) -> &'a [T] {
        self.stored_row(i, 0, if self.transposed { self.rows } else { self.cols })
    }

    /// Row `i` as it is stored, from its number `from` on, at most `n` of them.
    #[inline(always)]
    fn stored_row(self, i: usize, from: usize, n: usize) -> &'a [T] {
        &self.data[i * self.distance + from..][..n]
    }

    /// Whether it is stored in this way, without gaps between the rows.
    fn is_dense(self, transposed: bool) -> bool {
        self.transposed == transposed && self.distance == if transposed { self.rows } else { self.cols }
    }
}

/// What happens to the numbers that the output holds already.
#[derive(Debug, Clone, Copy)]
pub enum Accumulate<'a, T> {
    /// `C = A B`.
    Overwrite,
    /// `C = b + A B`, with the same `b` in every row.
    Bias(&'a [T]),
    /// `C = C + A B`.
    Add,
    /// `C = C * (A B)`, element by element.
    Multiply,
}

/// Below this many multiplications a second thread costs more than it brings.
const PARALLEL_FROM: usize = 1 << 20;

/// `out = start + a b`; `out` is row-major.
///
/// The result is the same bits for any number of threads.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn matmul<T: Float>(a: Mat<T>, b: Mat<T>, start: Accumulate<T>, out: &mut [T], precision: Precision) {
    multiply(a, b, start, out, precision, None);
}

/// The same, and what follows.
///
/// # Panics
/// If the shapes do not fit each other, or `then` has others and not as many as the product.
pub fn matmul_then<T: Float>(
    a: Mat<T>,
    b: Mat<T>,
    start: Accumulate<T>,
    out: &mut [T],
    precision: Precision,
    then: Then<'_, T>,
) {
    assert!(then.fits(out.len()), "others of a matrix product");
    multiply(a, b, start, out, precision, Some(then));
}

/// [`matmul`], or [`matmul_then`] if anything follows.
fn multiply<T: Float>(
    a: Mat<T>,
    b: Mat<T>,
    start: Accumulate<T>,
    out: &mut [T],
    precision: Precision,
    mut then: Option<Then<'_, T>>,
) {
    assert_eq!(a.cols, b.rows, "inner lengths of a matrix product");
    assert_eq!(out.len(), a.rows * b.cols, "length of a matrix product");
    let work = a.rows * a.cols * b.cols;
    let in_place = precision == Precision::F32 && a.is_dense(false) && b.is_dense(true) && !out.is_empty();
    let few = work < PARALLEL_FROM && rows_pay(a.rows, a.cols, b.cols);
    if in_place && (a.rows == 1 || few) && !matches!(start, Accumulate::Multiply) {
        if let Accumulate::Bias(bias) = start {
            out.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
        }
        let accumulate = !matches!(start, Accumulate::Overwrite);
        match a.rows {
            1 => matvec(b.data, a.data, out, accumulate),
            _ => rows_times_rows(a.data, b.data, a.cols, out, accumulate),
        };
    } else {
        let threads = if work < PARALLEL_FROM { 1 } else { rayon::current_num_threads() };
        let view = ArrayViewMut2::from_shape((a.rows, b.cols), &mut *out).expect("the length was checked");
        let mut product = Product::new(a, b, start, view, threads);
        product.then = then.as_mut();
        compute(product, precision);
    }
    if let Some(then) = then {
        then.run_rest(out);
    }
}

/// The same on this thread alone, for code that is one of many parallel pieces.
///
/// # Panics
/// If the shapes do not fit each other, or the numbers of a row of `out` do not lie side
/// by side.
pub fn matmul_serial<T: Float>(
    a: Mat<T>,
    b: Mat<T>,
    start: Accumulate<T>,
    out: ArrayViewMut2<T>,
    precision: Precision,
) {
    assert_eq!(a.cols, b.rows, "inner lengths of a matrix product");
    assert_eq!(out.dim(), (a.rows, b.cols), "shape of a matrix product");
    compute(Product::new(a, b, start, out, 1), precision);
}

/// Computes a product with the best instructions of this machine.
fn compute<T: Float>(product: Product<'_, '_, T>, precision: Precision) {
    if product.a.cols > 0 {
        return T::multiply(product, precision, Isa::best());
    }
    // Without terms, what the sums start from is all.
    let Product { start, mut out, turned, .. } = product;
    match start {
        Accumulate::Overwrite | Accumulate::Multiply => out.fill(T::zero()),
        Accumulate::Add => {}
        Accumulate::Bias(bias) => {
            let rows = if turned { out.reversed_axes() } else { out };
            rows.into_iter().zip(bias.iter().cycle()).for_each(|(out, &b)| *out = b);
        }
    }
}

/// A product to be computed.
#[derive(Debug)]
pub struct Product<'a, 'b, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    start: Accumulate<'a, T>,
    out: ArrayViewMut2<'a, T>,
    /// Whether this is the transpose of what was asked for: the columns of `out` lie in one
    /// piece, and a bias is one for each row.
    turned: bool,
    threads: usize,
    /// What follows, of which is left what has not been done meanwhile.
    then: Option<&'a mut Then<'b, T>>,
}

impl<'a, T: Float> Product<'a, '_, T> {
    /// `out = start + a b`, or its transpose where that is faster: if else the larger of
    /// both matrices would be copied across its rows.
    fn new(
        a: Mat<'a, T>,
        b: Mat<'a, T>,
        start: Accumulate<'a, T>,
        out: ArrayViewMut2<'a, T>,
        threads: usize,
    ) -> Self {
        if b.transposed && !a.transposed && a.rows < b.cols {
            let (a, b, out) = (b.t(), a.t(), out.reversed_axes());
            return Self { a, b, start, out, turned: true, threads, then: None };
        }
        Self { a, b, start, out, turned: false, threads, then: None }
    }
}

/// Numbers of which matrices can be multiplied.
pub trait Multiply: Factor<Self> {
    /// Computes a product with the instructions of `isa`, which this machine must have.
    fn multiply(product: Product<'_, '_, Self>, precision: Precision, isa: Isa);
}

impl Multiply for f32 {
    fn multiply(product: Product<'_, '_, f32>, precision: Precision, isa: Isa) {
        match (precision, isa) {
            #[cfg(target_arch = "x86_64")]
            (Precision::F32, Isa::Avx512 | Isa::Avx512Bf16) => product.compute::<f32, Avx512, 4, 16>(),
            #[cfg(target_arch = "x86_64")]
            (Precision::F32, Isa::Avx2) => product.compute::<f32, Avx2, 2, 8>(),
            #[cfg(target_arch = "aarch64")]
            (Precision::F32, Isa::Neon) => product.compute::<f32, Neon, 4, 4>(),
            (Precision::F32, _) => product.compute::<f32, Plain, 2, 4>(),
            #[cfg(target_arch = "x86_64")]
            (Precision::Bf16, Isa::Avx512Bf16) => product.compute::<DotPair, Avx512Bf16, 4, 16>(),
            #[cfg(target_arch = "x86_64")]
            (Precision::Bf16, Isa::Avx512) => product.compute::<Rounded, Avx512, 4, 16>(),
            #[cfg(target_arch = "x86_64")]
            (Precision::Bf16, Isa::Avx2) => product.compute::<Rounded, Avx2, 2, 8>(),
            #[cfg(target_arch = "aarch64")]
            (Precision::Bf16, Isa::Neon) => product.compute::<Rounded, Neon, 4, 4>(),
            (Precision::Bf16, _) => product.compute::<Rounded, Plain, 2, 4>(),
        }
    }
}

impl Multiply for f64 {
    /// Always in f64, whatever the precision.
    fn multiply(product: Product<'_, '_, f64>, _: Precision, isa: Isa) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => product.compute::<f64, Avx512, 4, 8>(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => product.compute::<f64, Avx2, 2, 4>(),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => product.compute::<f64, Neon, 4, 2>(),
            _ => product.compute::<f64, Plain, 2, 2>(),
        }
    }
}

#[cfg(test)]
mod tests;
