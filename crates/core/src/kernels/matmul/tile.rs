//! The innermost loop: a few rows times a panel of columns, with all sums in registers.

use ndarray::{ArrayViewMut2, Axis};

use super::Accumulate;
use super::factor::Factor;
use super::operands::{Dense, InColumns, InRows, InTile, Left, Order, Right, Spaced, Steps};
use crate::Float;
use crate::kernels::{array, isa::Compiled, prefetch};

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
    pub start: Accumulate<'a, T>,
    /// For an output whose columns are stored one after the other: room for the part as it
    /// is stored. Its bias is one for each row. Empty for other outputs.
    pub turned: &'a mut [T],
}

/// `out = start + A B` for the rows of A and one panel of B, of V vectors of
/// L columns; `out` may lack the last of them. The innermost loop takes S steps at a time.
#[inline(always)]
pub fn rows_times_panel<
    T: Float,
    F: Factor<T>,
    I: Compiled,
    const V: usize,
    const L: usize,
    const S: usize,
>(
    a: Left<'_, F>,
    b: Right<'_, F>,
    out: Out<'_, T>,
) {
    let Out { mut part, start, turned } = out;
    let rows = part.nrows();
    let ask = a.depth >= LONG && a.rows > FEW;
    for (i, mut part) in part.axis_chunks_iter_mut(Axis(0), ROWS).enumerate() {
        // A tile that would stick out at the end begins earlier, and does some rows again.
        let row = a.first + i * ROWS;
        let first = row.min(a.rows.saturating_sub(ROWS));
        let mut whole = if turned.is_empty() { whole_tile(&mut part) } else { None };
        let asked = match &whole {
            Some(rows) if ask => &rows[..],
            _ => &[],
        };
        let sums = tile::<T, F, I, V, L, S>(a, first, b, asked);
        if let Some(rows) = &mut whole {
            write_tile(rows, sums, start);
        } else {
            // A copy, so that the sums of whole tiles need no place in memory.
            #[allow(clippy::redundant_locals)]
            let sums = sums;
            let sums = &sums.as_flattened().as_flattened()[(row - first) * V * L..];
            match turned.is_empty() {
                true => write_edge(part, sums, V * L, start),
                false => turn(turned, (rows, i * ROWS), sums, V * L),
            }
        }
    }
    if !turned.is_empty() {
        write_turned(part, turned, start);
    }
}

/// The rows of a whole tile of the output.
#[inline(always)]
fn whole_tile<'a, T, const V: usize, const L: usize>(
    part: &'a mut ArrayViewMut2<'_, T>,
) -> Option<[&'a mut [[T; L]; V]; ROWS]> {
    if part.dim() != (ROWS, V * L) {
        return None;
    }
    let mut rows = part.outer_iter_mut();
    let mut row = || rows.next()?.into_slice()?.as_chunks_mut().0.first_chunk_mut();
    Some([row()?, row()?, row()?, row()?, row()?, row()?])
}

/// The sums of the tile whose first row is `first`; the cache lines of the rows `asked`, where the
/// sums will go, are asked for on the way, if it goes several steps at a time: in a loop of single
/// steps the question costs more than the answer saves.
#[inline(always)]
fn tile<T: Float, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    a: Left<'_, F>,
    first: usize,
    b: Right<'_, F>,
    asked: &[&mut [[T; L]; V]],
) -> [[[T; L]; V]; ROWS] {
    let (n, dense) = (a.depth, S > 1 && b.distance == V * L);
    match a.order {
        Order::Rows { distance } if dense => {
            let (a, b) = (InRows::new(a, first, distance), Dense::new(b, n));
            sums::<T, F, I, V, L, S>(n, a, b, asked)
        }
        Order::Rows { distance } => {
            sums::<T, F, I, V, L, 1>(n, InRows::new(a, first, distance), Spaced::new(b, n), &[])
        }
        Order::Tiles if dense => sums::<T, F, I, V, L, S>(n, InTile::new(a, first), Dense::new(b, n), asked),
        Order::Tiles => sums::<T, F, I, V, L, 1>(n, InTile::new(a, first), Spaced::new(b, n), &[]),
        Order::Columns { distance } => {
            sums::<T, F, I, V, L, 1>(n, InColumns::new(a, first, distance), Spaced::new(b, n), &[])
        }
    }
}

/// The sums of the products of `n` steps.
#[inline(always)]
fn sums<'b, T: Float, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    n: usize,
    mut a: impl Steps<S, Factors = [F; ROWS]>,
    mut b: impl Steps<S, Factors = &'b [[F; L]; V]>,
    asked: &[&mut [[T; L]; V]],
) -> [[[T; L]; V]; ROWS] {
    let zero = [[[T::zero(); L]; V]; ROWS];
    let sums = add_products::<T, F, I, V, L, S>(zero, (n / S, false), &mut a, &mut b, asked);
    if S == 1 {
        return sums;
    }
    add_products::<T, F, I, V, L, S>(sums, (n % S, true), &mut a, &mut b, &[])
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
fn add_products<'b, T: Float, F: Factor<T>, I: Compiled, const V: usize, const L: usize, const S: usize>(
    sums: [[[T; L]; V]; ROWS],
    (n, rest): (usize, bool),
    a: &mut impl Steps<S, Factors = [F; ROWS]>,
    b: &mut impl Steps<S, Factors = &'b [[F; L]; V]>,
    asked: &[&mut [[T; L]; V]],
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
fn add_product<T: Float, F: Factor<T>, I: Compiled, const V: usize, const L: usize>(
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
fn write_tile<T: Float, const V: usize, const L: usize>(
    rows: &mut [&mut [[T; L]; V]; ROWS],
    sums: [[[T; L]; V]; ROWS],
    start: Accumulate<'_, T>,
) {
    match start {
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
fn write_rows<T: Float, const V: usize, const L: usize>(
    [r0, r1, r2, r3, r4, r5]: &mut [&mut [[T; L]; V]; ROWS],
    [s0, s1, s2, s3, s4, s5]: [[[T; L]; V]; ROWS],
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
fn write_row<T: Float, const V: usize, const L: usize>(
    row: &mut [[T; L]; V],
    sums: [[T; L]; V],
    f: impl Fn(usize, [T; L], [T; L]) -> [T; L],
) {
    for v in 0..V {
        row[v] = f(v, row[v], sums[v]);
    }
}

/// Writes those of some rows of `width` sums that the output has.
#[inline(never)]
fn write_edge<T: Float>(mut part: ArrayViewMut2<'_, T>, sums: &[T], width: usize, start: Accumulate<'_, T>) {
    for (row, sums) in part.outer_iter_mut().zip(sums.chunks_exact(width)) {
        write(row.into_slice().expect("a row lies in one piece"), sums, start);
    }
}

/// Turns rows of `width` sums, from number `row` of so many on.
#[inline(never)]
fn turn<T: Float>(turned: &mut [T], (rows, row): (usize, usize), sums: &[T], width: usize) {
    let here = (sums.len() / width).min(rows - row);
    for (c, to) in turned.chunks_exact_mut(rows).enumerate() {
        for (r, to) in to[row..row + here].iter_mut().enumerate() {
            *to = sums[r * width + c];
        }
    }
}

/// Writes what has been turned.
#[inline(never)]
fn write_turned<T: Float>(mut part: ArrayViewMut2<'_, T>, turned: &[T], start: Accumulate<'_, T>) {
    let rows = part.nrows();
    for (column, sums) in part.axis_iter_mut(Axis(1)).zip(turned.chunks_exact(rows)) {
        write(column.into_slice().expect("a column lies in one piece"), sums, start);
    }
}

/// `out = start + sums`, for as many as there are of `out`.
#[inline(never)]
fn write<T: Float>(out: &mut [T], sums: &[T], start: Accumulate<'_, T>) {
    let numbers = out.iter_mut().zip(sums);
    match start {
        Accumulate::Overwrite => numbers.for_each(|(out, &sum)| *out = sum),
        Accumulate::Add => numbers.for_each(|(out, &sum)| *out += sum),
        Accumulate::Bias(bias) => numbers.zip(bias).for_each(|((out, &sum), &b)| *out = b + sum),
        Accumulate::Multiply => numbers.for_each(|(out, &sum)| *out *= sum),
    }
}

/// `a + b`, lane by lane.
#[inline(always)]
fn plus<T: Float, const L: usize>(a: [T; L], b: [T; L]) -> [T; L] {
    array(
        #[inline(always)]
        |l| a[l] + b[l],
    )
}

/// `a b`, lane by lane.
#[inline(always)]
fn times<T: Float, const L: usize>(a: [T; L], b: [T; L]) -> [T; L] {
    array(
        #[inline(always)]
        |l| a[l] * b[l],
    )
}
