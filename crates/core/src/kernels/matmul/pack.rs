//! Packing: copies factors into the order in which the innermost loop reads them.

use std::ops::Range;

use super::factor::Encoding;
use super::matrix::Mat;
use super::operands::{ROWS_PER_TILE, Right, Steps, Strided};
use crate::Number;
use crate::kernels::isa::Compiled;
use crate::kernels::simd::{array, prefetch};
use crate::kernels::transpose::{BLOCK_SIDE, Transpose};

/// Elements of a stored row that are transposed together: a cache line of f32.
const ELEMENTS_PER_LINE: usize = 16;

/// The distance in rows between the copy and the prefetch ahead of it.
const PREFETCH_ROWS_AHEAD: usize = 8;

/// Packs a panel of B: rows `inner` of `columns`, padded to whole vectors of L columns.
pub fn panel<T: Number, E: Encoding<T>, I: Compiled, const L: usize>(
    panel: &mut [E::Factor],
    b: Mat<'_, T>,
    inner: Range<usize>,
    columns: Range<usize>,
) {
    let width = columns.len().next_multiple_of(L);
    let panel = &mut panel[..inner.len().div_ceil(E::DEPTH) * width];
    padded_panel::<T, E, I>(panel, width, b, inner, columns);
}

/// Packs rows `inner` of `columns` of B, padded to `width` columns.
pub fn padded_panel<T: Number, E: Encoding<T>, I: Compiled>(
    panel: &mut [E::Factor],
    width: usize,
    b: Mat<'_, T>,
    inner: Range<usize>,
    columns: Range<usize>,
) {
    I::run(
        #[inline(always)]
        || match b.transposed {
            false => from_rows::<T, E>(
                panel,
                width,
                inner.len(),
                #[inline(always)]
                |p| b.stored_row(inner.start + p, columns.start, columns.len()),
            ),
            true => from_columns::<T, E>(
                panel,
                width,
                columns.len(),
                #[inline(always)]
                |j| b.stored_row(columns.start + j, inner.start, inner.len()),
            ),
        },
    );
}

/// Packs columns side by side: the first factor of each column, then the second, and so on.
///
/// `row(p)` returns row `p` of `depth` rows. `packed` has rows of `width` factors, one for every
/// `DEPTH` rows. It is padded with zeros: missing columns at the edge, and the second half of the
/// last factor if `depth` is odd.
#[inline(always)]
fn from_rows<'a, T: Number, E: Encoding<T>>(
    packed: &mut [E::Factor],
    width: usize,
    depth: usize,
    row: impl Fn(usize) -> &'a [T],
) {
    for (q, to) in packed.chunks_exact_mut(width).enumerate() {
        let p = q * E::DEPTH;
        let first = row(p);
        for p in p + PREFETCH_ROWS_AHEAD..p + PREFETCH_ROWS_AHEAD + E::DEPTH {
            row(p.min(depth - 1)).chunks(ELEMENTS_PER_LINE).for_each(prefetch);
        }
        let (to, edge) = to.split_at_mut(first.len());
        edge.fill(Default::default());
        if p + 1 < depth && E::DEPTH == 2 {
            let pairs = first.iter().zip(row(p + 1));
            to.iter_mut().zip(pairs).for_each(|(to, (&x, &y))| *to = E::encode(x, y));
        } else {
            to.iter_mut().zip(first).for_each(|(to, &x)| *to = E::encode(x, T::zero()));
        }
    }
}

/// [`from_rows`] for a matrix whose columns are stored as rows: `column(j)` returns column `j` of
/// `columns`.
#[inline(always)]
fn from_columns<'a, T: Number, E: Encoding<T>>(
    packed: &mut [E::Factor],
    width: usize,
    columns: usize,
    column: impl Fn(usize) -> &'a [T],
) {
    if columns < width {
        packed.fill(Default::default());
    }
    for (line, to) in packed.chunks_mut(ELEMENTS_PER_LINE / E::DEPTH * width).enumerate() {
        for j in (0..columns).step_by(BLOCK_SIDE) {
            let side: [&[T]; BLOCK_SIDE] = array(
                #[inline(always)]
                |c| &column((j + c).min(columns - 1))[line * ELEMENTS_PER_LINE..],
            );
            if j + BLOCK_SIDE <= columns && side[0].len() >= ELEMENTS_PER_LINE {
                let side = side.each_ref().map(
                    #[inline(always)]
                    |column| column.first_chunk::<ELEMENTS_PER_LINE>().expect("a whole line"),
                );
                blocks::<T, E>(&mut to[j..], width, side);
                continue;
            }
            for (j, column) in (j..columns).zip(side) {
                let factors = column.chunks(E::DEPTH);
                let to = to[j..].iter_mut().step_by(width);
                to.zip(factors)
                    .for_each(|(to, x)| *to = E::encode(x[0], x.get(1).copied().unwrap_or_else(T::zero)));
            }
        }
    }
}

/// Packs [`ELEMENTS_PER_LINE`] elements of each of [`BLOCK_SIDE`] columns into rows of `to`, which
/// are `width` apart.
#[inline(always)]
fn blocks<T: Number, E: Encoding<T>>(
    to: &mut [E::Factor],
    width: usize,
    side: [&[T; ELEMENTS_PER_LINE]; BLOCK_SIDE],
) {
    for first in (0..ELEMENTS_PER_LINE / E::DEPTH).step_by(BLOCK_SIDE) {
        let block = array(
            #[inline(always)]
            |c| {
                array(
                    #[inline(always)]
                    |q| {
                        let p = (first + q) * E::DEPTH;
                        E::encode(side[c][p], side[c][(p + 1) % ELEMENTS_PER_LINE])
                    },
                )
            },
        );
        for (q, row) in (first..).zip(Transpose::transposed(block)) {
            *to[q * width..].first_chunk_mut().expect("a whole row of a block") = row;
        }
    }
}

/// Packs tiles of rows of a matrix whose columns are stored as rows: the first factors of the
/// tile's [`ROWS_PER_TILE`] rows, then the second, and so on.
///
/// Missing rows of the last tile are set to zero.
#[inline(always)]
pub fn tiles<T: Number, E: Encoding<T>>(packed: &mut [E::Factor], columns: Mat<'_, T>) {
    let Mat { data, rows: depth, cols: rows, row_stride: stride, .. } = columns;
    let (factors, whole) = (depth.div_ceil(E::DEPTH), rows / ROWS_PER_TILE);
    // One line of columns at a time: its cache lines serve all tiles while the next ones are
    // prefetched.
    for start in (0..depth).step_by(ELEMENTS_PER_LINE) {
        let here = ELEMENTS_PER_LINE.min(depth - start);
        let next: [&[T]; ELEMENTS_PER_LINE] = array(
            #[inline(always)]
            |p| columns.row((start + ELEMENTS_PER_LINE + p).min(depth - 1)),
        );
        for (i, tile) in packed.chunks_exact_mut(factors * ROWS_PER_TILE).enumerate() {
            let to = &mut tile.as_chunks_mut::<ROWS_PER_TILE>().0[start / E::DEPTH..];
            if i * ROWS_PER_TILE % ELEMENTS_PER_LINE < ROWS_PER_TILE {
                next.iter().filter_map(|next| next.get(i * ROWS_PER_TILE..)).for_each(prefetch);
            }
            if i < whole {
                let data = &data[start * stride + i * ROWS_PER_TILE..];
                let mut steps = Strided::<_, 1, ROWS_PER_TILE>::new(Right { data, stride }, here);
                let column = |p| steps.step(false, p, 0)[0];
                // The compiler unrolls a loop of constant length.
                match here {
                    ELEMENTS_PER_LINE => pack_columns::<T, E>(to, ELEMENTS_PER_LINE, column),
                    _ => pack_columns::<T, E>(to, here, column),
                }
            } else {
                let element =
                    |p, r| columns.row(p).get(i * ROWS_PER_TILE + r).copied().unwrap_or_else(T::zero);
                pack_columns::<T, E>(to, here, |p| array(|r| element(start + p, r)));
            }
        }
    }
}

/// Packs `column(p)` for `p` from 0 to `depth`.
#[inline(always)]
fn pack_columns<T: Number, E: Encoding<T>>(
    to: &mut [[E::Factor; ROWS_PER_TILE]],
    depth: usize,
    mut column: impl FnMut(usize) -> [T; ROWS_PER_TILE],
) {
    for (q, to) in to[..depth.div_ceil(E::DEPTH)].iter_mut().enumerate() {
        let x = column(q * E::DEPTH);
        let y = if q * E::DEPTH + 1 < depth && E::DEPTH == 2 {
            column(q * E::DEPTH + 1)
        } else {
            [T::zero(); ROWS_PER_TILE]
        };
        *to = array(
            #[inline(always)]
            |r| E::encode(x[r], y[r]),
        );
    }
}

/// Packs rows of `depth` factors each, one after the other.
#[inline(always)]
pub fn rows<'a, T: Number, E: Encoding<T>>(
    packed: &mut [E::Factor],
    depth: usize,
    row: impl Fn(usize) -> &'a [T],
) {
    for (i, to) in packed.chunks_exact_mut(depth).enumerate() {
        if E::DEPTH == 1 {
            to.iter_mut().zip(row(i)).for_each(|(to, &x)| *to = E::encode(x, T::zero()));
        } else {
            let (pairs, rest) = row(i).as_chunks::<2>();
            to.iter_mut().zip(pairs).for_each(|(to, &[x, y])| *to = E::encode(x, y));
            if let (Some(to), [x]) = (to.get_mut(pairs.len()), rest) {
                *to = E::encode(*x, T::zero());
            }
        }
    }
}
