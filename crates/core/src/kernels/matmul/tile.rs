//! The innermost loop: a few rows times a panel of columns, with all sums in registers.

use ndarray::{ArrayViewMut2, Axis};

use super::Start;
use super::factor::Factor;
use crate::Real;
use crate::kernels::{array, isa::Compiled};

/// Rows in a tile. With panels of four registers of the 32 of AVX-512 or NEON, or two of
/// the 16 of AVX2, the sums fill all but those that the factors need.
pub const ROWS: usize = 6;

/// Up to so many rows are few: the output is still in a cache, and B is read where it is.
pub const FEW: usize = 8 * ROWS;

/// Over so many factors a row of the output comes from memory.
const LONG: usize = 32;

/// Rows of A, as the loop reads them.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a, F> {
    /// The factors.
    pub data: &'a [F],
    /// Where they are.
    pub order: Order,
    /// The row to begin with; in tiles, the first of one.
    pub first: usize,
    /// How many rows there are, with those that fill a tile.
    pub rows: usize,
    /// How many factors a row has.
    pub depth: usize,
}

/// Where factor `p` of row `r` of A is.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// At `r * distance + p`: the factors of a row side by side.
    Rows {
        /// From one row to the next.
        distance: usize,
    },
    /// For r the first row of a tile, at `r * step + p * distance`, and those of the tile's
    /// other rows after it.
    Columns {
        /// From one row to the next, of the first factors: 1 where whole columns are stored,
        /// and as many as a row has where the tiles have been copied one after the other.
        step: usize,
        /// From one column to the next.
        distance: usize,
    },
}

/// A panel of B, as the loop reads it: the factors of a row side by side.
#[derive(Debug, Clone, Copy)]
pub struct Right<'a, F> {
    /// The factors, from the first one of the first row on.
    pub data: &'a [F],
    /// From one row to the next.
    pub distance: usize,
}

/// A block of rows and a panel of columns of the output.
#[derive(Debug)]
pub struct Out<'a, T> {
    /// Where the numbers go.
    pub part: ArrayViewMut2<'a, T>,
    /// What they start from; a bias has been cut to what this part needs.
    pub start: Start<'a, T>,
    /// For an output whose columns are stored one after the other: room for the part as it
    /// is stored. Its bias is one for each row. Empty for other outputs.
    pub turned: &'a mut [T],
}

/// `out = start + A B` for the rows of A and one panel of B, of V vectors of
/// L columns; `out` may lack the last of them.
#[inline(always)]
pub fn rows_times_panel<T: Real, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    a: Left<'_, F>,
    b: Right<'_, F>,
    mut out: Out<'_, T>,
) {
    let prefetch = a.depth >= LONG && out.part.nrows() > FEW;
    for row in (0..out.part.nrows()).step_by(ROWS) {
        if prefetch {
            out.prefetch(row);
        }
        // A tile that would stick out at the end begins earlier, and does some rows again.
        let first = (a.first + row).min(a.rows.saturating_sub(ROWS));
        let again = a.first + row - first;
        let [s0, s1, s2, s3, s4, s5] = match a.order {
            Order::Columns { step, distance } => {
                let length = (a.depth - 1) * distance + 1;
                let rows: [&[F]; ROWS] = array(
                    #[inline(always)]
                    |r| &a.data[first * step + r..][..length],
                );
                tile::<T, F, I, V, L>(
                    a.depth,
                    b,
                    #[inline(always)]
                    |p| {
                        array(
                            #[inline(always)]
                            |r| rows[r][p * distance],
                        )
                    },
                )
            }
            Order::Rows { distance } => {
                let rows: [&[F]; ROWS] = array(
                    #[inline(always)]
                    |r| &a.data[(first + r).min(a.rows - 1) * distance..][..a.depth],
                );
                tile::<T, F, I, V, L>(
                    a.depth,
                    b,
                    #[inline(always)]
                    |p| [rows[0][p], rows[1][p], rows[2][p], rows[3][p], rows[4][p], rows[5][p]],
                )
            }
        };
        if out.turned.is_empty() {
            out.write_row((0, again), row, s0);
            out.write_row((1, again), row, s1);
            out.write_row((2, again), row, s2);
            out.write_row((3, again), row, s3);
            out.write_row((4, again), row, s4);
            out.write_row((5, again), row, s5);
        } else {
            let sums = [s0, s1, s2, s3, s4, s5];
            out.turn(&sums.as_flattened().as_flattened()[again * V * L..], row, V * L);
        }
    }
    if !out.turned.is_empty() {
        out.write_turned(V * L);
    }
}

/// The sums of a tile: of `a(p)` times row p of `b`, in the order of p, `depth` of them.
///
/// All loops but that over p have small constant bounds, and each row has a variable of
/// its own, so that it is compiled to loads and multiply-adds alone, with the sums in
/// registers. Look at the machine code after a change here.
#[inline(always)]
fn tile<T: Real, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    depth: usize,
    b: Right<'_, F>,
    a: impl Fn(usize) -> [F; ROWS],
) -> [[[T; L]; V]; ROWS] {
    let [mut s0, mut s1, mut s2, mut s3, mut s4, mut s5] = [[[T::zero(); L]; V]; ROWS];
    for p in 0..depth {
        let b = b.data[p * b.distance..].as_chunks().0.first_chunk().expect("a whole row");
        let a = a(p);
        add_product::<T, F, I, V, L>(&mut s0, a[0], b);
        add_product::<T, F, I, V, L>(&mut s1, a[1], b);
        add_product::<T, F, I, V, L>(&mut s2, a[2], b);
        add_product::<T, F, I, V, L>(&mut s3, a[3], b);
        add_product::<T, F, I, V, L>(&mut s4, a[4], b);
        add_product::<T, F, I, V, L>(&mut s5, a[5], b);
    }
    [s0, s1, s2, s3, s4, s5]
}

/// `sums += a b` for a row of the panel.
#[inline(always)]
fn add_product<T: Real, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    sums: &mut [[T; L]; V],
    a: F,
    b: &[[F; L]; V],
) {
    for v in 0..V {
        sums[v] = F::add_product::<I, L>(a, b[v], sums[v]);
    }
}

impl<T: Real> Out<'_, T> {
    /// Asks for the cache lines of the tile whose first row is `row`, which then come while
    /// its sums are computed.
    #[inline(always)]
    fn prefetch(&self, row: usize) {
        if self.turned.is_empty() {
            for row in self.part.outer_iter().skip(row).take(ROWS) {
                row.to_slice().expect("a row lies in one piece").chunks(16).for_each(prefetch);
            }
        }
    }

    /// Writes row `r` of a tile whose row number `again` is row `row` of this part.
    #[inline(always)]
    fn write_row<const V: usize, const L: usize>(
        &mut self,
        (r, again): (usize, usize),
        row: usize,
        sums: [[T; L]; V],
    ) {
        if r < again || row + r - again >= self.part.nrows() {
            return;
        }
        let row = self.part.row_mut(row + r - again).into_slice().expect("a row lies in one piece");
        if row.len() < V * L {
            return write(row, sums.as_flattened(), self.start);
        }
        let row = &mut row.as_chunks_mut::<L>().0[..V];
        for v in 0..V {
            row[v] = match self.start {
                Start::Zero => sums[v],
                Start::Out => plus(row[v], sums[v]),
                Start::Bias(bias) => plus(bias.as_chunks::<L>().0[v], sums[v]),
                Start::Times => times(row[v], sums[v]),
            };
        }
    }

    /// Turns rows of `width` sums, which are those of this part from `row` on.
    #[inline(never)]
    fn turn(&mut self, sums: &[T], row: usize, width: usize) {
        let rows = (sums.len() / width).min(self.part.nrows() - row);
        for (c, to) in self.turned.chunks_exact_mut(self.part.nrows()).enumerate() {
            for (r, to) in to[row..row + rows].iter_mut().enumerate() {
                *to = sums[r * width + c];
            }
        }
    }

    /// Writes what has been turned.
    #[inline(never)]
    fn write_turned(&mut self, width: usize) {
        let rows = self.part.nrows();
        debug_assert_eq!(self.turned.len(), rows * width);
        let columns = self.part.axis_iter_mut(Axis(1));
        for (column, sums) in columns.zip(self.turned.chunks_exact(rows)) {
            write(column.into_slice().expect("a column lies in one piece"), sums, self.start);
        }
    }
}

/// `out = start + sums`, for as many as there are of `out`.
#[inline(never)]
fn write<T: Real>(out: &mut [T], sums: &[T], start: Start<'_, T>) {
    let numbers = out.iter_mut().zip(sums);
    match start {
        Start::Zero => numbers.for_each(|(out, &sum)| *out = sum),
        Start::Out => numbers.for_each(|(out, &sum)| *out += sum),
        Start::Bias(bias) => numbers.zip(bias).for_each(|((out, &sum), &b)| *out = b + sum),
        Start::Times => numbers.for_each(|(out, &sum)| *out *= sum),
    }
}

/// `a + b`, lane by lane.
#[inline(always)]
fn plus<T: Real, const L: usize>(a: [T; L], b: [T; L]) -> [T; L] {
    array(
        #[inline(always)]
        |l| a[l] + b[l],
    )
}

/// `a b`, lane by lane.
#[inline(always)]
fn times<T: Real, const L: usize>(a: [T; L], b: [T; L]) -> [T; L] {
    array(
        #[inline(always)]
        |l| a[l] * b[l],
    )
}

/// Asks for the cache line in which `numbers` begin.
#[inline(always)]
#[allow(unsafe_code)]
fn prefetch<T>(numbers: &[T]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an instruction without effects, of every x86-64; the address is valid.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(numbers.as_ptr().cast());
    }
}
