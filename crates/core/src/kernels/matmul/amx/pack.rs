//! Packing: rounds a factor to bf16 and writes it in the order in which the tiles read it.

use std::ops::Range;

use rayon::prelude::*;

use super::unit::{LINES, Line, STEP, STRIP, TILE, TileUnit};
use crate::kernels::matmul::matrix::Mat;
use crate::kernels::parallel::ForEachTask;
use crate::kernels::simd::prefetch;

/// Rows of A that are packed at the same time: memory is faster with a few streams than with one.
const ROWS_AT_ONCE: usize = 4;

/// The distance in rows between the packing of B and the prefetch ahead of it.
const PREFETCH_ROWS_AHEAD: usize = 8;

/// The side of the product on which a factor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// A: a line holds consecutive elements of a row.
    Left,
    /// B: a line holds pairs of consecutive elements of 16 columns.
    Right,
}

/// A factor of a product: rows of A, or columns of B, of `inner` elements each.
#[derive(Debug, Clone, Copy)]
pub struct TileFactor<'a> {
    /// The matrix as it is stored.
    stored: Mat<'a, f32>,
    side: Side,
    /// The number of rows of A or columns of B.
    outer: usize,
    /// Elements of each.
    inner: usize,
    /// Whether the elements of a row of A, or a column of B, are stored side by side.
    along_inner: bool,
}

impl<'a> TileFactor<'a> {
    /// A.
    pub fn left(a: Mat<'a, f32>) -> Self {
        let along_inner = !a.transposed;
        let stored = if a.transposed { a.t() } else { a };
        Self { stored, side: Side::Left, outer: a.rows, inner: a.cols, along_inner }
    }

    /// B.
    pub fn right(b: Mat<'a, f32>) -> Self {
        let along_inner = b.transposed;
        let stored = if b.transposed { b.t() } else { b };
        Self { stored, side: Side::Right, outer: b.cols, inner: b.rows, along_inner }
    }

    /// The number of strips.
    pub fn strips(&self) -> usize {
        self.outer.div_ceil(STRIP)
    }

    /// The number of steps of a strip.
    pub fn steps(&self) -> usize {
        self.inner.div_ceil(STEP)
    }

    /// What is stored from row `r` of A on, if its rows are.
    pub fn address_of_row(&self, r: usize) -> *const f32 {
        match self.along_inner {
            true => self.stored.data.as_ptr().wrapping_add(r * self.stored.row_stride),
            false => std::ptr::null(),
        }
    }

    /// Packs all strips, on all threads.
    pub fn pack_all<U: TileUnit>(&self, to: &mut [Line], threads: usize) {
        let lines = self.steps() * LINES;
        if threads == 1 {
            return self.pack::<U>(to, 0..self.strips(), 0..self.steps());
        }
        // Stored rows that run across the strips are read in long pieces.
        let strips = if self.along_inner { 1 } else { self.strips().div_ceil(threads) };
        to.par_chunks_mut(strips * lines).enumerate().for_each_task(&|(i, to)| {
            let strips = i * strips..i * strips + to.len() / lines;
            self.pack::<U>(to, strips, 0..self.steps());
        });
    }

    /// Packs some steps of some strips, strip after strip. Edges are padded with zeros.
    pub fn pack<U: TileUnit>(&self, to: &mut [Line], strips: Range<usize>, steps: Range<usize>) {
        assert_eq!(to.len(), strips.len() * steps.len() * LINES, "lines of a packed factor");
        U::run(
            #[inline(always)]
            || match (self.along_inner, self.side) {
                (true, Side::Left) => self.copy_rows::<U>(to, strips, steps),
                (true, Side::Right) => self.transpose_columns::<U>(to, strips, steps),
                (false, Side::Right) => self.interleave_rows::<U>(to, strips, steps),
                (false, Side::Left) => self.transpose_rows::<U>(to, strips, steps),
            },
        );
    }

    /// Elements from `from` on of row or column `i`, which is stored side by side; none past the edge.
    #[inline(always)]
    fn stored_side_by_side(&self, i: usize, from: usize) -> &'a [f32] {
        match i < self.outer && from < self.inner {
            true => self.stored.stored_row(i, from, self.inner - from),
            false => &[],
        }
    }

    /// Element `k` of the rows or columns `outer`, which are not stored side by side; none past the
    /// edge.
    #[inline(always)]
    fn stored_across(&self, k: usize, outer: Range<usize>) -> &'a [f32] {
        match k < self.inner && outer.start < outer.end {
            true => self.stored.stored_row(k, outer.start, outer.len()),
            false => &[],
        }
    }

    /// Tiles of A from rows.
    #[inline(always)]
    fn copy_rows<U: TileUnit>(&self, to: &mut [Line], strips: Range<usize>, steps: Range<usize>) {
        for (strip, to) in strips.zip(to.chunks_exact_mut(steps.len() * LINES)) {
            for r in (0..STRIP).step_by(ROWS_AT_ONCE) {
                let mut rows = [&[][..]; ROWS_AT_ONCE];
                for (i, row) in (strip * STRIP + r..).zip(&mut rows) {
                    *row = self.stored_side_by_side(i, steps.start * STEP);
                }
                for (step, to) in to.chunks_exact_mut(LINES).enumerate() {
                    for (row, to) in rows.iter().zip(&mut to[r..r + ROWS_AT_ONCE]) {
                        U::write(to, U::elements(row.get(step * STEP..).unwrap_or(&[])));
                    }
                }
            }
        }
    }

    /// Tiles of B from columns that are stored as rows.
    #[inline(always)]
    fn transpose_columns<U: TileUnit>(&self, to: &mut [Line], strips: Range<usize>, steps: Range<usize>) {
        for (strip, to) in strips.zip(to.chunks_exact_mut(steps.len() * LINES)) {
            for tile in 0..2 {
                let first = strip * STRIP + tile * TILE;
                for (step, to) in steps.clone().zip(to.chunks_exact_mut(LINES)) {
                    let mut lines = [U::elements(&[]); TILE];
                    for (column, line) in (first..).zip(&mut lines) {
                        *line = U::elements(self.stored_side_by_side(column, step * STEP));
                    }
                    U::write_transposed(tile_of(to, tile), lines);
                }
            }
        }
    }

    /// Tiles of B from rows, four rows at a time.
    #[inline(always)]
    fn interleave_rows<U: TileUnit>(&self, to: &mut [Line], strips: Range<usize>, steps: Range<usize>) {
        let columns = strips.start * STRIP..self.outer.min(strips.end * STRIP);
        let lines = steps.len() * LINES;
        for (i, k) in (steps.start * STEP..steps.end * STEP).step_by(4).enumerate() {
            let rows = [k, k + 1, k + 2, k + 3].map(|k| self.stored_across(k, columns.clone()));
            let ahead = [k, k + 1, k + 2, k + 3]
                .map(|k| self.stored_across((k + PREFETCH_ROWS_AHEAD).min(self.inner - 1), columns.clone()));
            let place = i * 4 / STEP * LINES + i * 4 % STEP / 2;
            for s in 0..strips.len() {
                for tile in 0..2 {
                    let j = s * STRIP + tile * TILE;
                    ahead.iter().filter_map(|row| row.get(j..)).for_each(prefetch);
                    let [a, b, c, d] = rows.map(|row| row.get(j..).unwrap_or(&[]));
                    let to = &mut to[s * lines + place + tile * TILE..][..2];
                    U::write(&mut to[0], U::pairs(a, b));
                    U::write(&mut to[1], U::pairs(c, d));
                }
            }
        }
    }

    /// Tiles of A from columns that are stored as rows.
    #[inline(always)]
    fn transpose_rows<U: TileUnit>(&self, to: &mut [Line], strips: Range<usize>, steps: Range<usize>) {
        let (lines, end) = (steps.len() * LINES, self.outer.min(strips.end * STRIP));
        for (i, step) in steps.enumerate() {
            for (s, strip) in strips.clone().enumerate() {
                for tile in 0..2 {
                    let first = strip * STRIP + tile * TILE;
                    let mut pairs = [U::elements(&[]); TILE];
                    for (k, pair) in (step * STEP..).step_by(2).zip(&mut pairs) {
                        let row = |k| self.stored_across(k, first..end);
                        *pair = U::pairs(row(k), row(k + 1));
                    }
                    U::write_transposed(tile_of(&mut to[s * lines + i * LINES..][..LINES], tile), pairs);
                }
            }
        }
    }
}

/// One of the two tiles of a step.
#[inline(always)]
fn tile_of(step: &mut [Line], tile: usize) -> &mut [Line; TILE] {
    step[tile * TILE..].first_chunk_mut().expect("the lines of a tile")
}
