//! Copies of factors in the order in which the innermost loop reads them.

use super::Mat;
use super::factor::Factor;
use super::operands::{Right, Spaced, Steps};
use super::tile::ROWS;
use crate::Float;
use crate::kernels::transpose::SIDE;
use crate::kernels::{array, prefetch};

/// Numbers of a stored row that are taken at a time where rows become columns: a cache line.
const LINE: usize = 16;

/// So many rows before it is copied, a row's cache lines are asked for.
const AHEAD: usize = 8;

/// Columns side by side: the first factor of each column, then the second ...
///
/// `row(p)` is row `p` of `depth` rows. `packed` is cut into rows of `width`, one for every
/// `DEPTH` rows. Columns that are missing at the edge become zeros, as does the row that an
/// odd number of rows lacks for a whole factor.
#[inline(always)]
pub fn from_rows<'a, T: Float, F: Factor<T>>(
    packed: &mut [F],
    width: usize,
    depth: usize,
    row: impl Fn(usize) -> &'a [T],
) {
    for (q, to) in packed.chunks_exact_mut(width).enumerate() {
        let p = q * F::DEPTH;
        let first = row(p);
        for p in p + AHEAD..p + AHEAD + F::DEPTH {
            row(p.min(depth - 1)).chunks(LINE).for_each(prefetch);
        }
        let (to, edge) = to.split_at_mut(first.len());
        edge.fill(F::default());
        if p + 1 < depth && F::DEPTH == 2 {
            let numbers = first.iter().zip(row(p + 1));
            to.iter_mut().zip(numbers).for_each(|(to, (&x, &y))| *to = F::pack(x, y));
        } else {
            to.iter_mut().zip(first).for_each(|(to, &x)| *to = F::pack(x, T::zero()));
        }
    }
}

/// The same of columns that are stored as rows: `column(j)` is column `j` of `columns`.
#[inline(always)]
pub fn from_columns<'a, T: Float, F: Factor<T>>(
    packed: &mut [F],
    width: usize,
    columns: usize,
    column: impl Fn(usize) -> &'a [T],
) {
    if columns < width {
        packed.fill(F::default());
    }
    for (line, to) in packed.chunks_mut(LINE / F::DEPTH * width).enumerate() {
        for j in (0..columns).step_by(SIDE) {
            let side: [&[T]; SIDE] = array(
                #[inline(always)]
                |c| &column((j + c).min(columns - 1))[line * LINE..],
            );
            if j + SIDE <= columns && side[0].len() >= LINE {
                let side = side.each_ref().map(
                    #[inline(always)]
                    |numbers| numbers.first_chunk::<LINE>().expect("a whole line"),
                );
                blocks(&mut to[j..], width, side);
                continue;
            }
            for (j, numbers) in (j..columns).zip(side) {
                let factors = numbers.chunks(F::DEPTH);
                let to = to[j..].iter_mut().step_by(width);
                to.zip(factors)
                    .for_each(|(to, x)| *to = F::pack(x[0], x.get(1).copied().unwrap_or_else(T::zero)));
            }
        }
    }
}

/// A line of each of some columns, whose factors go into rows of `to`, `width` apart.
#[inline(always)]
fn blocks<T: Float, F: Factor<T>>(to: &mut [F], width: usize, side: [&[T; LINE]; SIDE]) {
    for first in (0..LINE / F::DEPTH).step_by(SIDE) {
        let block = array(
            #[inline(always)]
            |c| {
                array(
                    #[inline(always)]
                    |q| {
                        let p = (first + q) * F::DEPTH;
                        F::pack(side[c][p], side[c][(p + 1) % LINE])
                    },
                )
            },
        );
        for (q, row) in (first..).zip(F::transposed(block)) {
            *to[q * width..].first_chunk_mut().expect("a whole row of a block") = row;
        }
    }
}

/// Tiles of rows whose columns are stored as rows: of each tile the first factors of its
/// [`ROWS`] rows, then the second ...
///
/// Rows that the last tile lacks become zeros.
#[inline(always)]
pub fn tiles<T: Float, F: Factor<T>>(packed: &mut [F], columns: Mat<'_, T>) {
    let Mat { data, rows: depth, cols: rows, distance, .. } = columns;
    let (factors, whole) = (depth.div_ceil(F::DEPTH), rows / ROWS);
    // Some columns at a time, whose cache lines then serve all tiles, and meanwhile those of the
    // next ones arrive.
    for start in (0..depth).step_by(LINE) {
        let here = LINE.min(depth - start);
        let next: [&[T]; LINE] = array(
            #[inline(always)]
            |p| columns.row((start + LINE + p).min(depth - 1)),
        );
        for (i, tile) in packed.chunks_exact_mut(factors * ROWS).enumerate() {
            let to = &mut tile.as_chunks_mut::<ROWS>().0[start / F::DEPTH..];
            if i * ROWS % LINE < ROWS {
                next.iter().filter_map(|next| next.get(i * ROWS..)).for_each(prefetch);
            }
            if i < whole {
                let data = &data[start * distance + i * ROWS..];
                let mut numbers = Spaced::<_, 1, ROWS>::new(Right { data, distance }, here);
                let numbers = |p| numbers.step(false, p, 0)[0];
                // A loop of a length that the compiler knows has no jumps.
                match here {
                    LINE => pack_columns(to, LINE, numbers),
                    _ => pack_columns(to, here, numbers),
                }
            } else {
                let number = |p, r| columns.row(p).get(i * ROWS + r).copied().unwrap_or_else(T::zero);
                pack_columns(to, here, |p| array(|r| number(start + p, r)));
            }
        }
    }
}

/// The factors of `numbers(p)`, for `p` from 0 to `depth`.
#[inline(always)]
fn pack_columns<T: Float, F: Factor<T>>(
    to: &mut [[F; ROWS]],
    depth: usize,
    mut numbers: impl FnMut(usize) -> [T; ROWS],
) {
    for (q, to) in to[..depth.div_ceil(F::DEPTH)].iter_mut().enumerate() {
        let x = numbers(q * F::DEPTH);
        let y = if q * F::DEPTH + 1 < depth && F::DEPTH == 2 {
            numbers(q * F::DEPTH + 1)
        } else {
            [T::zero(); ROWS]
        };
        *to = array(
            #[inline(always)]
            |r| F::pack(x[r], y[r]),
        );
    }
}

/// Rows of `depth` factors each, one after the other, of rows of numbers.
#[inline(always)]
pub fn rows<'a, T: Float, F: Factor<T>>(packed: &mut [F], depth: usize, row: impl Fn(usize) -> &'a [T]) {
    for (i, to) in packed.chunks_exact_mut(depth).enumerate() {
        if F::DEPTH == 1 {
            to.iter_mut().zip(row(i)).for_each(|(to, &x)| *to = F::pack(x, T::zero()));
        } else {
            let (pairs, rest) = row(i).as_chunks::<2>();
            to.iter_mut().zip(pairs).for_each(|(to, &[x, y])| *to = F::pack(x, y));
            if let (Some(to), [x]) = (to.get_mut(pairs.len()), rest) {
                *to = F::pack(*x, T::zero());
            }
        }
    }
}
