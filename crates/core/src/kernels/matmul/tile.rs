//! The innermost loop: a few rows times a panel of columns, with all sums in registers.

use ndarray::{ArrayViewMut2, Axis};

use super::Start;
use super::factor::Factor;
use super::operands::{Dense, InColumns, InRows, InTile, Left, Order, Right, Spaced, Steps};
use crate::Real;
use crate::kernels::{array, isa::Compiled};

/// Rows in a tile. With panels of four registers of the 32 of AVX-512 or NEON, or two of
/// the 16 of AVX2, the sums fill all but those that the factors need.
pub const ROWS: usize = 6;

/// Up to so many rows are few: they stay in the first cache while they meet panel after panel.
/// Where there are no more, B is read where it is.
pub const FEW: usize = 8 * ROWS;

/// From so many factors on, the output's cache lines arrive while its sums are computed.
const LONG: usize = 32;

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
/// L columns; `out` may lack the last of them. The innermost loop takes S steps at a time.
#[inline(always)]
pub fn rows_times_panel<
    T: Real,
    F: Factor<T>,
    I: Compiled,
    const V: usize,
    const L: usize,
    const S: usize,
>(
    a: Left<'_, F>,
    b: Right<'_, F>,
    mut out: Out<'_, T>,
) {
    let rows = out.part.nrows();
    let whole = out.turned.is_empty() && out.part.ncols() == V * L;
    let ask = a.depth >= LONG && a.rows > FEW;
    for row in (0..rows).step_by(ROWS) {
        // A tile that would stick out at the end begins earlier, and does some rows again.
        let first = (a.first + row).min(a.rows.saturating_sub(ROWS));
        let again = a.first + row - first;
        let whole = whole && again == 0 && row + ROWS <= rows;
        let asked;
        let asked = match whole && ask {
            true => {
                asked = out.rows(row);
                &asked[..]
            }
            false => &[],
        };
        let sums = tile::<T, F, I, V, L, S>(a, first, b, asked);
        if whole {
            out.write_tile(row, sums);
        } else {
            // A copy, so that the sums of whole tiles need no place in memory.
            #[allow(clippy::redundant_locals)]
            let sums = sums;
            out.write_edge(&sums.as_flattened().as_flattened()[again * V * L..], row, V * L);
        }
    }
    if !out.turned.is_empty() {
        out.write_turned(V * L);
    }
}

/// The sums of the tile whose first row is `first`; the cache lines of the rows `asked`, where the
/// sums will go, are asked for on the way, if it goes several steps at a time: in a loop of single
/// steps the question costs more than the answer saves.
#[inline(always)]
fn tile<T: Real, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    a: Left<'_, F>,
    first: usize,
    b: Right<'_, F>,
    asked: &[&[[T; L]; V]],
) -> [[[T; L]; V]; ROWS] {
    let (n, dense) = (a.depth, S > 1 && b.distance == V * L);
    match a.order {
        Order::Rows { distance } if dense => {
            let (a, b) = (InRows::new(a, first, distance), Dense::new(b, n));
            sums::<T, F, I, V, L, S>(n, a, b, asked)
        }
        Order::Rows { distance } => {
            sums::<T, F, I, V, L, 1>(n, InRows::new(a, first, distance), Spaced(b), &[])
        }
        Order::Tiles if dense => sums::<T, F, I, V, L, S>(n, InTile::new(a, first), Dense::new(b, n), asked),
        Order::Tiles => sums::<T, F, I, V, L, 1>(n, InTile::new(a, first), Spaced(b), &[]),
        Order::Columns { distance } => {
            sums::<T, F, I, V, L, 1>(n, InColumns::new(a, first, distance), Spaced(b), &[])
        }
    }
}

/// The sums of the products of `n` steps.
#[inline(always)]
fn sums<'b, T: Real, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    n: usize,
    a: impl Steps<S, Factors = [F; ROWS]>,
    b: impl Steps<S, Factors = &'b [[F; L]; V]>,
    asked: &[&[[T; L]; V]],
) -> [[[T; L]; V]; ROWS] {
    let zero = [[[T::zero(); L]; V]; ROWS];
    let sums = add_products::<T, F, I, V, L, S>(zero, (n / S, false), a, b, asked);
    if S == 1 {
        return sums;
    }
    add_products::<T, F, I, V, L, S>(sums, (n % S, true), a, b, &[])
}

/// `sums` and the products of `n` times S steps, or of `n` of the rest.
///
/// All loops but the outermost have small constant bounds, and each row has a variable of
/// its own, so that it is compiled to loads and multiply-adds alone, with the sums in
/// registers. Look at the machine code after a change here.
///
/// The rows `asked` are asked for line by line: were it all at once, the loop would wait,
/// since a core fetches only some ten lines at a time.
#[inline(always)]
fn add_products<'b, T: Real, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    sums: [[[T; L]; V]; ROWS],
    (n, rest): (usize, bool),
    a: impl Steps<S, Factors = [F; ROWS]>,
    b: impl Steps<S, Factors = &'b [[F; L]; V]>,
    asked: &[&[[T; L]; V]],
) -> [[[T; L]; V]; ROWS] {
    let [mut s0, mut s1, mut s2, mut s3, mut s4, mut s5] = sums;
    for p in 0..n {
        if let Some(row) = asked.get(p / V) {
            prefetch(&row[p % V]);
        }
        for u in 0..if rest { 1 } else { S } {
            let (a, b) = (a.step(rest, p, u), b.step(rest, p, u));
            add_product::<T, F, I, V, L>(&mut s0, a[0], b);
            add_product::<T, F, I, V, L>(&mut s1, a[1], b);
            add_product::<T, F, I, V, L>(&mut s2, a[2], b);
            add_product::<T, F, I, V, L>(&mut s3, a[3], b);
            add_product::<T, F, I, V, L>(&mut s4, a[4], b);
            add_product::<T, F, I, V, L>(&mut s5, a[5], b);
        }
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
    /// The rows of a whole tile, from row `row` of this part on.
    #[inline(always)]
    fn rows<const V: usize, const L: usize>(&self, row: usize) -> [&[[T; L]; V]; ROWS] {
        [
            self.row(row),
            self.row(row + 1),
            self.row(row + 2),
            self.row(row + 3),
            self.row(row + 4),
            self.row(row + 5),
        ]
    }

    /// Row `row`.
    #[inline(always)]
    fn row<const V: usize, const L: usize>(&self, row: usize) -> &[[T; L]; V] {
        let row = self.part.view().index_axis_move(Axis(0), row).to_slice().expect("a row lies in one piece");
        row.as_chunks().0.first_chunk().expect("a whole row")
    }

    /// Writes a whole tile, from row `row` of this part on.
    #[inline(always)]
    fn write_tile<const V: usize, const L: usize>(&mut self, row: usize, sums: [[[T; L]; V]; ROWS]) {
        match self.start {
            Start::Zero => self.write_rows(
                row,
                sums,
                #[inline(always)]
                |_, _, sum| sum,
            ),
            Start::Out => self.write_rows(
                row,
                sums,
                #[inline(always)]
                |_, out, sum| plus(out, sum),
            ),
            Start::Bias(bias) => self.write_rows(
                row,
                sums,
                #[inline(always)]
                |v, _, sum| plus(bias.as_chunks().0[v], sum),
            ),
            Start::Times => self.write_rows(
                row,
                sums,
                #[inline(always)]
                |_, out, sum| times(out, sum),
            ),
        }
    }

    /// `out = f(v, out, sums)` for each vector v of each row of a tile.
    #[inline(always)]
    fn write_rows<const V: usize, const L: usize>(
        &mut self,
        row: usize,
        [s0, s1, s2, s3, s4, s5]: [[[T; L]; V]; ROWS],
        f: impl Fn(usize, [T; L], [T; L]) -> [T; L] + Copy,
    ) {
        self.write_row(row, s0, f);
        self.write_row(row + 1, s1, f);
        self.write_row(row + 2, s2, f);
        self.write_row(row + 3, s3, f);
        self.write_row(row + 4, s4, f);
        self.write_row(row + 5, s5, f);
    }

    #[inline(always)]
    fn write_row<const V: usize, const L: usize>(
        &mut self,
        row: usize,
        sums: [[T; L]; V],
        f: impl Fn(usize, [T; L], [T; L]) -> [T; L],
    ) {
        let row = self.part.row_mut(row).into_slice().expect("a row lies in one piece");
        let row: &mut [[T; L]; V] = row.as_chunks_mut().0.first_chunk_mut().expect("a whole row");
        for v in 0..V {
            row[v] = f(v, row[v], sums[v]);
        }
    }

    /// Writes those of some rows of `width` sums that this part has, from its row `row` on.
    #[inline(never)]
    fn write_edge(&mut self, sums: &[T], row: usize, width: usize) {
        if !self.turned.is_empty() {
            return self.turn(sums, row, width);
        }
        let rows = self.part.nrows() - row;
        for (r, sums) in sums.chunks_exact(width).take(rows).enumerate() {
            let row = self.part.row_mut(row + r).into_slice().expect("a row lies in one piece");
            write(row, sums, self.start);
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
pub fn prefetch<T>(numbers: &[T]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an instruction without effects, of every x86-64; the address is valid.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(numbers.as_ptr().cast());
    }
}
