//! Kernels that treat each row of a matrix separately.

use rayon::prelude::*;

use super::parallel::{ForEachTask, MIN_PARALLEL_ELEMENTS, by_rows};
use super::simd::vectorised;
use crate::Number;

/// `out[r] = argmax_j x[r][j]`, the first of equal elements; `cols` is at least 1.
pub fn argmax<T: Number>(out: &mut [T], x: &[T], cols: usize) {
    for (out, row) in out.iter_mut().zip(x.chunks_exact(cols)) {
        let best = (1..cols).fold(0, |best, j| if row[j] > row[best] { j } else { best });
        *out = T::of(best as f64);
    }
}

/// Elements that [`top_k`] compares with the smallest of the largest at once: one or two vector registers.
const ELEMENTS_PER_COMPARISON: usize = 16;

/// The `k` largest elements of each row, largest first, then their columns: `out` has `2 k` elements for each
/// row of `cols` elements. Of equal elements, those of the first columns; NaN is never taken. Without enough
/// elements, minus infinity at column 0 fills up.
pub fn top_k<T: Number>(out: &mut [T], x: &[T], cols: usize, k: usize) {
    let one = |(out, x): (&mut [T], &[T])| {
        let (values, columns) = out.split_at_mut(k);
        values.fill(T::neg_infinity());
        columns.fill(T::zero());
        let mut insert = |x: T, column: usize| {
            if x > values[k - 1] {
                let place = values.partition_point(|&value| value >= x);
                values.copy_within(place..k - 1, place + 1);
                columns.copy_within(place..k - 1, place + 1);
                (values[place], columns[place]) = (x, T::of(column as f64));
            }
            values[k - 1]
        };
        let mut least = T::neg_infinity();
        let (blocks, tail) = x.as_chunks::<ELEMENTS_PER_COMPARISON>();
        for (i, block) in blocks.iter().enumerate() {
            if block.iter().fold(false, |found, &x| found | (x > least)) {
                for (j, &x) in block.iter().enumerate() {
                    least = insert(x, i * ELEMENTS_PER_COMPARISON + j);
                }
            }
        }
        for (j, &x) in tail.iter().enumerate() {
            insert(x, blocks.len() * ELEMENTS_PER_COMPARISON + j);
        }
    };
    let row = |(out, x): (&mut [T], &[T])| {
        vectorised(
            #[inline(always)]
            || one((out, x)),
        );
    };
    match x.len() < MIN_PARALLEL_ELEMENTS {
        true => out.chunks_exact_mut(2 * k).zip(x.chunks_exact(cols)).for_each(row),
        false => {
            out.par_chunks_exact_mut(2 * k).zip(x.par_chunks_exact(cols)).with_min_len(4).for_each_task(&row);
        }
    }
}

/// `out[r][j] = x[r][cols - 1 - j]`; `cols` is at least 1.
pub fn reverse<T: Number>(out: &mut [T], x: &[T], cols: usize) {
    by_rows(out, cols, |first, rows| {
        for (out, x) in rows.chunks_exact_mut(cols).zip(x[first * cols..].chunks_exact(cols)) {
            out.iter_mut().zip(x.iter().rev()).for_each(|(out, &x)| *out = x);
        }
    });
}

/// `out = x / |x|` for each row; zero rows stay zero. `cols` is at least 1.
pub fn normalize<T: Number>(out: &mut [T], x: &[T], cols: usize) {
    by_rows(out, cols, |first, rows| {
        for (y, x) in rows.chunks_exact_mut(cols).zip(x[first * cols..].chunks_exact(cols)) {
            let [divisor, inverse] = inverse_norm(x);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = x / divisor * inverse);
        }
    });
}

/// `dx = (dy - y (y . dy)) / |x|` for each row, with `y = x / |x|`; 0 for zero rows.
pub fn normalize_backward<T: Number>(dx: &mut [T], x: &[T], y: &[T], dy: &[T], cols: usize) {
    by_rows(dx, cols, |first, rows| {
        for (r, dx) in rows.chunks_exact_mut(cols).enumerate() {
            let row = (first + r) * cols..(first + r + 1) * cols;
            let (x, y, dy) = (&x[row.clone()], &y[row.clone()], &dy[row]);
            let [divisor, inverse] = inverse_norm(x);
            let along: T = y.iter().zip(dy).map(|(&y, &dy)| y * dy).sum();
            for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx = (dy - y * along) / divisor * inverse;
            }
        }
    });
}

/// `[d, f]` with `x / |x| = x / d * f`; `f` is 0 for a zero row. One number for both could be too large or too small.
fn inverse_norm<T: Number>(x: &[T]) -> [T; 2] {
    let squares: T = x.iter().map(|&x| x * x).sum();
    // Squares below the smallest normal number count as 0: in a sum of this size, all of them are a rounding error.
    let least = T::min_positive_value() / T::epsilon() * T::of(x.len() as f64);
    if squares.is_nan() || (squares.is_finite() && squares >= least) {
        return [T::one(), T::one() / squares.sqrt()];
    }
    // The squares are too large or too small: divide by the largest element first.
    let largest = x.iter().fold(T::zero(), |largest, x| largest.max(x.abs()));
    if !largest.is_normal() {
        return [T::one(), T::zero()];
    }
    let squares: T = x.iter().map(|&x| (x / largest) * (x / largest)).sum();
    [largest, T::one() / squares.sqrt()]
}

/// Copies the last of every `t` rows: `(B, t, cols) -> (B, cols)`.
pub fn take_last<T: Number>(out: &mut [T], x: &[T], t: usize, cols: usize) {
    let sequences = x.chunks_exact((t * cols).max(1));
    for (out, x) in out.chunks_exact_mut(cols.max(1)).zip(sequences) {
        out.copy_from_slice(&x[x.len() - cols..]);
    }
}

/// `dx` is `dy` in the last of every `t` rows and 0 in the others.
pub fn take_last_backward<T: Number>(dx: &mut [T], dy: &[T], t: usize, cols: usize) {
    dx.fill(T::zero());
    for (dx, dy) in dx.chunks_exact_mut((t * cols).max(1)).zip(dy.chunks_exact(cols.max(1))) {
        dx[(t - 1) * cols..].copy_from_slice(dy);
    }
}
