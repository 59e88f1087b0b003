//! The queries of a head that are worked on together, and the keys that they see.

use std::ops::Range;

use ndarray::{ArrayViewMut2, s};

use super::Dims;
use crate::kernels::matmul::{Accumulate, Mat, matmul_serial};
use crate::kernels::transpose::rows_to_columns;
use crate::kernels::vectorised;
use crate::mask::Mask;
use crate::{Float, Precision};

/// Queries in a tile.
pub const TILE: usize = 64;

/// Queries side by side in a register.
pub const LANES: usize = 16;

/// Keys in a block, for which the part of the tile that sees none of them is left out.
const KEYS: usize = 48;

/// Some queries of a head, and the keys among which are all that they see.
pub struct Tile {
    /// The first of them.
    pub first: usize,
    /// How many there are.
    pub rows: usize,
    /// Columns, some of which may be for no query.
    pub width: usize,
    /// The keys.
    pub keys: Range<usize>,
    /// The queries by registers.
    pub stripes: [Stripe; TILE / LANES],
}

/// The queries of a tile that stand side by side in a register.
#[derive(Clone, Default)]
pub struct Stripe {
    /// The keys among which are all that they see.
    pub seen: Range<usize>,
    /// For each query, the first key that it sees, and how many it sees.
    pub visible: ([u32; LANES], [u32; LANES]),
}

impl Tile {
    pub fn new(mask: &Mask, b: usize, first: usize, dims: Dims) -> Self {
        let rows = TILE.min(dims.t - first);
        let mut stripes: [Stripe; TILE / LANES] = Default::default();
        for r in 0..rows {
            let seen = mask.visible(b, first + r, dims.t);
            let stripe = &mut stripes[r / LANES];
            let (from, count) = &mut stripe.visible;
            (from[r % LANES], count[r % LANES]) = (seen.start as u32, seen.len() as u32);
            stripe.seen = hull(stripe.seen.clone(), seen);
        }
        let keys = stripes.iter().map(|stripe| stripe.seen.clone()).reduce(hull).unwrap_or_default();
        for stripe in stripes.iter_mut().filter(|stripe| stripe.seen.is_empty()) {
            stripe.seen = keys.start..keys.start;
        }
        Self { first, rows, width: dims.width(), keys, stripes }
    }

    /// The keys block by block, each with the columns of the queries that see any of them.
    pub fn blocks(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let Range { start, end } = self.keys;
        (start..end).step_by(KEYS).map(move |from| {
            let keys = from..end.min(from + KEYS);
            let sees = |stripe: &Stripe| stripe.seen.start < keys.end && keys.start < stripe.seen.end;
            let first = self.stripes.iter().position(sees).unwrap_or(0);
            let last = self.stripes.iter().rposition(sees).map_or(first, |last| last + 1);
            (keys, first * LANES..last * LANES)
        })
    }

    /// The stripes that have queries: their number, their rows of the tile, themselves.
    pub fn stripes(&self) -> impl Iterator<Item = (usize, Range<usize>, &Stripe)> {
        let rows = (0..self.rows).step_by(LANES).map(|first| first..self.rows.min(first + LANES));
        self.stripes.iter().zip(rows).enumerate().map(|(v, (stripe, rows))| (v, rows, stripe))
    }

    /// Of a tile's scores, or what is stored like them, those of some keys and columns.
    pub fn part<'a, T: Float>(&self, x: &'a [T], keys: Range<usize>, columns: Range<usize>) -> Mat<'a, T> {
        let first = (keys.start - self.keys.start) * self.width + columns.start;
        Mat::spaced(&x[first.min(x.len())..], (keys.len(), columns.len()), self.width)
    }

    /// Copies rows of a head, times `factor`, into the columns of `to`, `(D, width)`.
    pub fn turn<T: Float>(&self, to: &mut [T], rows: Mat<'_, T>, factor: T) {
        vectorised(
            #[inline(always)]
            || {
                rows_to_columns(
                    to,
                    self.width,
                    self.rows,
                    #[inline(always)]
                    |r| rows.row(r),
                );
                if factor != T::one() {
                    to.iter_mut().for_each(|to| *to *= factor);
                }
            },
        );
    }

    /// `K Q^T` for those keys and queries that see one another: of rows `k` of some kind and
    /// columns `q` of some kind, `(keys, D) (D, width) -> (keys, width)`.
    pub fn scores<T: Float>(&self, out: &mut [T], k: Mat<'_, T>, q: &[T]) {
        let d = k.cols();
        let mut out =
            ArrayViewMut2::from_shape((self.keys.len(), self.width), out).expect("a row for each key");
        for (keys, columns) in self.blocks() {
            let rows = keys.start - self.keys.start..keys.end - self.keys.start;
            let q = Mat::spaced(&q[columns.start..], (d, columns.len()), self.width);
            let part = out.slice_mut(s![rows.clone(), columns]);
            matmul_serial(k.rows_of(rows), q, Accumulate::Overwrite, part, Precision::F32);
        }
    }
}

/// The smallest range that holds both.
fn hull(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}

impl Stripe {
    /// Whether each query sees key `j`.
    #[inline(always)]
    pub fn sees(&self, j: u32, lane: usize) -> bool {
        j.wrapping_sub(self.visible.0[lane]) < self.visible.1[lane]
    }

    /// `x` where a query sees key `j`, and else 0.
    #[inline(always)]
    pub fn hide<T: Float>(&self, j: u32, lane: usize, x: T) -> T {
        if self.sees(j, lane) { x } else { T::zero() }
    }
}

/// The numbers of stripe `v` in the rows of a tile, `width` apart.
#[inline(always)]
pub fn lanes<T>(rows: &mut [T], width: usize, v: usize) -> impl Iterator<Item = &mut [T; LANES]> {
    rows.chunks_exact_mut(width).map(
        #[inline(always)]
        move |row| &mut row.as_chunks_mut().0[v],
    )
}
