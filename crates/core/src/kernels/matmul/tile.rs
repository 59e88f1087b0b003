//! The innermost loop: a few rows times a panel of columns, with all sums in registers.

use ndarray::{ArrayViewMut2, Axis};

use super::epilogue::Accumulate;
use super::factor::Factor;
use super::operands::{
    Contiguous, Left, Order, PackedTile, ROWS_PER_TILE, Right, Steps, Strided, TileByColumns, TileByRows,
};
use crate::Number;
use crate::kernels::isa::Compiled;
use crate::kernels::simd::{array, prefetch};

/// Rows that stay in the L1 cache while they are multiplied with panel after panel. A product with
/// at most this many rows reads B in place, unless a packed copy of B is given.
pub const ROWS_IN_L1: usize = 8 * ROWS_PER_TILE;

/// The minimum number of factors per row for which the output is prefetched while its sums are
/// computed.
const MIN_DEPTH_TO_PREFETCH: usize = 32;

/// A block of rows and a panel of columns of the output.
#[derive(Debug)]
pub struct OutputPart<'a, T> {
    /// The elements to write.
    pub part: ArrayViewMut2<'a, T>,
    /// How the sums are combined with the contents of `part`; a bias starts at this part.
    pub accumulate: Accumulate<'a, T>,
    /// If the columns of the output are contiguous: scratch space for the transposed part. The bias
    /// then has one element per row. Empty for other outputs.
    pub transpose_buffer: &'a mut [T],
}

/// `out = accumulate + A B` for the rows of A and one panel of B, of V vectors of L columns; `out`
/// may have fewer columns. The innermost loop is unrolled by S.
#[inline(always)]
pub fn rows_times_panel<
    T: Number,
    F: Factor<T>,
    I: Compiled,
    const V: usize,
    const L: usize,
    const S: usize,
>(
    a: Left<'_, F>,
    b: Right<'_, F>,
    out: OutputPart<'_, T>,
) {
    let OutputPart { mut part, accumulate, transpose_buffer } = out;
    let rows = part.nrows();
    let fetch = a.depth >= MIN_DEPTH_TO_PREFETCH && a.rows > ROWS_IN_L1;
    for (i, mut part) in part.axis_chunks_iter_mut(Axis(0), ROWS_PER_TILE).enumerate() {
        // A tile that would extend past the last row starts earlier and computes some rows again.
        let row = a.first + i * ROWS_PER_TILE;
        let first = row.min(a.rows.saturating_sub(ROWS_PER_TILE));
        let mut whole = if transpose_buffer.is_empty() { whole_tile(&mut part) } else { None };
        let prefetched = match &whole {
            Some(rows) if fetch => &rows[..],
            _ => &[],
        };
        let sums = tile::<T, F, I, V, L, S>(a, first, b, prefetched);
        if let Some(rows) = &mut whole {
            write_tile(rows, sums, accumulate);
        } else {
            // A copy, so that the sums of whole tiles stay out of memory.
            #[allow(clippy::redundant_locals)]
            let sums = sums;
            let sums = &sums.as_flattened().as_flattened()[(row - first) * V * L..];
            match transpose_buffer.is_empty() {
                true => write_edge(part, sums, V * L, accumulate),
                false => transpose_sums(transpose_buffer, (rows, i * ROWS_PER_TILE), sums, V * L),
            }
        }
    }
    if !transpose_buffer.is_empty() {
        write_transposed(part, transpose_buffer, accumulate);
    }
}

/// The rows of the output, if they form a whole tile.
#[inline(always)]
fn whole_tile<'a, T, const V: usize, const L: usize>(
    part: &'a mut ArrayViewMut2<'_, T>,
) -> Option<[&'a mut [[T; L]; V]; ROWS_PER_TILE]> {
    if part.dim() != (ROWS_PER_TILE, V * L) {
        return None;
    }
    let mut rows = part.outer_iter_mut();
    let mut row = || rows.next()?.into_slice()?.as_chunks_mut().0.first_chunk_mut();
    Some([row()?, row()?, row()?, row()?, row()?, row()?])
}

/// The sums of the tile whose first row is `first`. An unrolled loop also prefetches the output
/// rows `prefetched`; without unrolling, prefetching costs more than it saves.
#[inline(always)]
fn tile<T: Number, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    a: Left<'_, F>,
    first: usize,
    b: Right<'_, F>,
    prefetched: &[&mut [[T; L]; V]],
) -> [[[T; L]; V]; ROWS_PER_TILE] {
    let (n, dense) = (a.depth, S > 1 && b.stride == V * L);
    match a.order {
        Order::Rows { stride } if dense => {
            let (a, b) = (TileByRows::new(a, first, stride), Contiguous::new(b, n));
            sums::<T, F, I, V, L, S>(n, a, b, prefetched)
        }
        Order::Rows { stride } => {
            sums::<T, F, I, V, L, 1>(n, TileByRows::new(a, first, stride), Strided::new(b, n), &[])
        }
        Order::Tiles if dense => {
            sums::<T, F, I, V, L, S>(n, PackedTile::new(a, first), Contiguous::new(b, n), prefetched)
        }
        Order::Tiles => sums::<T, F, I, V, L, 1>(n, PackedTile::new(a, first), Strided::new(b, n), &[]),
        Order::Columns { stride } => {
            sums::<T, F, I, V, L, 1>(n, TileByColumns::new(a, first, stride), Strided::new(b, n), &[])
        }
    }
}

/// The sums of the products of `n` steps.
#[inline(always)]
fn sums<'b, T: Number, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    n: usize,
    mut a: impl Steps<S, Factors = [F; ROWS_PER_TILE]>,
    mut b: impl Steps<S, Factors = &'b [[F; L]; V]>,
    prefetched: &[&mut [[T; L]; V]],
) -> [[[T; L]; V]; ROWS_PER_TILE] {
    let zero = [[[T::zero(); L]; V]; ROWS_PER_TILE];
    let sums = add_products::<T, F, I, V, L, S>(zero, (n / S, false), &mut a, &mut b, prefetched);
    if S == 1 {
        return sums;
    }
    add_products::<T, F, I, V, L, S>(sums, (n % S, true), &mut a, &mut b, &[])
}

/// `sums` plus the products of `n` groups of S steps, or of `n` steps of the rest.
///
/// All loops but the outermost have small constant bounds, and each row has a separate variable:
/// this compiles to loads and multiply-adds only, with the sums in registers. Check the machine
/// code after a change here.
///
/// The rows `prefetched` are prefetched line by line: all at once would stall the loop, because a
/// core fetches only about ten lines at a time.
#[inline(always)]
fn add_products<'b, T: Number, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    sums: [[[T; L]; V]; ROWS_PER_TILE],
    (n, rest): (usize, bool),
    a: &mut impl Steps<S, Factors = [F; ROWS_PER_TILE]>,
    b: &mut impl Steps<S, Factors = &'b [[F; L]; V]>,
    prefetched: &[&mut [[T; L]; V]],
) -> [[[T; L]; V]; ROWS_PER_TILE] {
    let [mut s0, mut s1, mut s2, mut s3, mut s4, mut s5] = sums;
    for p in 0..n {
        if let Some(row) = prefetched.get(p / V) {
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
fn add_product<T: Number, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
    sums: &mut [[T; L]; V],
    a: F,
    b: &[[F; L]; V],
) {
    for v in 0..V {
        sums[v] = F::add_product::<I, L>(a, b[v], sums[v]);
    }
}

/// Writes a whole tile.
#[inline(always)]
fn write_tile<T: Number, const V: usize, const L: usize>(
    rows: &mut [&mut [[T; L]; V]; ROWS_PER_TILE],
    sums: [[[T; L]; V]; ROWS_PER_TILE],
    accumulate: Accumulate<'_, T>,
) {
    match accumulate {
        Accumulate::Overwrite => write_rows(
            rows,
            sums,
            #[inline(always)]
            |_, _, sum| sum,
        ),
        Accumulate::Add => write_rows(
            rows,
            sums,
            #[inline(always)]
            |_, out, sum| plus(out, sum),
        ),
        Accumulate::Bias(bias) => write_rows(
            rows,
            sums,
            #[inline(always)]
            |v, _, sum| plus(bias.as_chunks().0[v], sum),
        ),
        Accumulate::Multiply => write_rows(
            rows,
            sums,
            #[inline(always)]
            |_, out, sum| times(out, sum),
        ),
    }
}

/// `out = f(v, out, sums)` for each vector v of each row of a tile.
#[inline(always)]
fn write_rows<T: Number, const V: usize, const L: usize>(
    [r0, r1, r2, r3, r4, r5]: &mut [&mut [[T; L]; V]; ROWS_PER_TILE],
    [s0, s1, s2, s3, s4, s5]: [[[T; L]; V]; ROWS_PER_TILE],
    f: impl Fn(usize, [T; L], [T; L]) -> [T; L] + Copy,
) {
    write_row(r0, s0, f);
    write_row(r1, s1, f);
    write_row(r2, s2, f);
    write_row(r3, s3, f);
    write_row(r4, s4, f);
    write_row(r5, s5, f);
}

#[inline(always)]
fn write_row<T: Number, const V: usize, const L: usize>(
    row: &mut [[T; L]; V],
    sums: [[T; L]; V],
    f: impl Fn(usize, [T; L], [T; L]) -> [T; L],
) {
    for v in 0..V {
        row[v] = f(v, row[v], sums[v]);
    }
}

/// Writes rows of `width` sums to an output that may have fewer rows and columns.
#[inline(never)]
fn write_edge<T: Number>(
    mut part: ArrayViewMut2<'_, T>,
    sums: &[T],
    width: usize,
    accumulate: Accumulate<'_, T>,
) {
    for (row, sums) in part.outer_iter_mut().zip(sums.chunks_exact(width)) {
        write(row.into_slice().expect("a row is contiguous"), sums, accumulate);
    }
}

/// Transposes rows of `width` sums, starting at row `row` of `rows`.
#[inline(never)]
fn transpose_sums<T: Number>(transposed: &mut [T], (rows, row): (usize, usize), sums: &[T], width: usize) {
    let here = (sums.len() / width).min(rows - row);
    for (c, to) in transposed.chunks_exact_mut(rows).enumerate() {
        for (r, to) in to[row..row + here].iter_mut().enumerate() {
            *to = sums[r * width + c];
        }
    }
}

/// Writes transposed sums.
#[inline(never)]
fn write_transposed<T: Number>(
    mut part: ArrayViewMut2<'_, T>,
    transposed: &[T],
    accumulate: Accumulate<'_, T>,
) {
    let rows = part.nrows();
    for (column, sums) in part.axis_iter_mut(Axis(1)).zip(transposed.chunks_exact(rows)) {
        write(column.into_slice().expect("a column is contiguous"), sums, accumulate);
    }
}

/// `out = accumulate + sums`, for the elements that `out` has.
#[inline(never)]
fn write<T: Number>(out: &mut [T], sums: &[T], accumulate: Accumulate<'_, T>) {
    let pairs = out.iter_mut().zip(sums);
    match accumulate {
        Accumulate::Overwrite => pairs.for_each(|(out, &sum)| *out = sum),
        Accumulate::Add => pairs.for_each(|(out, &sum)| *out += sum),
        Accumulate::Bias(bias) => pairs.zip(bias).for_each(|((out, &sum), &b)| *out = b + sum),
        Accumulate::Multiply => pairs.for_each(|(out, &sum)| *out *= sum),
    }
}

/// `a + b`, lane by lane.
#[inline(always)]
fn plus<T: Number, const L: usize>(a: [T; L], b: [T; L]) -> [T; L] {
    array(
        #[inline(always)]
        |l| a[l] + b[l],
    )
}

/// `a b`, lane by lane.
#[inline(always)]
fn times<T: Number, const L: usize>(a: [T; L], b: [T; L]) -> [T; L] {
    array(
        #[inline(always)]
        |l| a[l] * b[l],
    )
}
