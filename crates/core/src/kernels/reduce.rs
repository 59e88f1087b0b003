//! Reductions, in an order that does not depend on the number of threads.

use rayon::prelude::*;

use super::parallel::{ELEMENTS_PER_CHUNK, ForEachTask, MIN_PARALLEL_ELEMENTS};
use super::scratch::with_scratch;
use super::simd::vectorised;
use super::subnormals::flushing_subnormals;
use crate::Number;

/// Independent running sums: one or two vector registers.
pub(super) const RUNNING_SUMS: usize = 16;

/// Adds up running sums pairwise: one by one, each addition would wait for the previous one. N is a
/// power of two.
#[inline(always)]
pub fn sum_lanes<T: Number, const N: usize>(mut sums: [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for l in 0..half {
            sums[l] += sums[l + half];
        }
        half /= 2;
    }
    sums[0]
}

/// The sum of `f(x)` over a slice: [`RUNNING_SUMS`] running sums, which are then added up.
#[inline(always)]
pub(super) fn sum_chunk<T: Number>(x: &[T], f: impl Fn(T) -> T) -> T {
    let mut sums = [T::zero(); RUNNING_SUMS];
    let (blocks, tail) = x.as_chunks::<RUNNING_SUMS>();
    for block in blocks {
        for (s, &x) in sums.iter_mut().zip(block) {
            *s += f(x);
        }
    }
    for (s, &x) in sums.iter_mut().zip(tail) {
        *s += f(x);
    }
    sum_lanes(sums)
}

/// The dot product of two short rows, summed in the order of [`sum_chunk`].
#[inline(always)]
pub fn scalar_product<T: Number>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::zero(); RUNNING_SUMS];
    let ((x_blocks, x_tail), (y_blocks, y_tail)) =
        (x.as_chunks::<RUNNING_SUMS>(), y.as_chunks::<RUNNING_SUMS>());
    for (x, y) in x_blocks.iter().zip(y_blocks) {
        for l in 0..RUNNING_SUMS {
            sums[l] = x[l].fused_mul_add(y[l], sums[l]);
        }
    }
    for ((s, &x), &y) in sums.iter_mut().zip(x_tail).zip(y_tail) {
        *s = x.fused_mul_add(y, *s);
    }
    sum_lanes(sums)
}

/// The sum of `f(x)` over several slices: each chunk in `T`, then the sums of the chunks in `f64`.
fn sum_by<T: Number>(all: &[&[T]], f: impl Fn(T) -> T + Sync) -> f64 {
    let chunk = |x: &[T]| {
        vectorised(
            #[inline(always)]
            || sum_chunk(x, &f),
        )
        .as_f64()
    };
    let chunks = all.iter().flat_map(|x| x.chunks(ELEMENTS_PER_CHUNK));
    if all.iter().map(|x| x.len()).sum::<usize>() < MIN_PARALLEL_ELEMENTS {
        flushing_subnormals(|| chunks.map(chunk).sum())
    } else {
        let chunks: Vec<&[T]> = chunks.collect();
        let parts: Vec<f64> = chunks.into_par_iter().map(chunk).collect();
        flushing_subnormals(|| parts.into_iter().sum())
    }
}

/// The sum of all elements.
pub fn sum<T: Number>(x: &[T]) -> f64 {
    sum_by(&[x], |x| x)
}

/// The sum of the squares of several slices: the squared norm of a gradient. The slices share one
/// parallel loop, so that many short ones use all threads.
pub fn sum_squares<T: Number>(all: &[&[T]]) -> f64 {
    sum_by(all, |x| x * x)
}

/// Whether no element is NaN or infinite.
pub fn all_finite<T: Number>(x: &[T]) -> bool {
    x.iter().all(|x| x.is_finite())
}

/// Whether all elements are 0.
pub fn all_zero<T: Number>(x: &[T]) -> bool {
    x.iter().all(|&x| x == T::zero())
}

/// The smallest element, the largest, the sum, and the number of zeros. NaN if an element is NaN or there is
/// none.
pub fn summary(x: &[f32]) -> [f64; 4] {
    if x.is_empty() {
        return [f64::NAN; 4];
    }
    let (mut min, mut max, mut sum, mut zeros) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0.0);
    for &x in x {
        min = min.min(x);
        max = max.max(x);
        sum += f64::from(x);
        zeros += f64::from(u8::from(x == 0.0));
    }
    // `min` and `max` skip NaN; infinities of both signs sum to NaN, so the sum alone does not tell.
    if sum.is_nan() && x.iter().any(|x| x.is_nan()) {
        return [f64::NAN, f64::NAN, f64::NAN, zeros];
    }
    [f64::from(min), f64::from(max), sum, zeros]
}

/// The sum of each column of a matrix with `out.len()` columns, such as the gradient of a bias.
///
/// Blocks of rows are summed in parallel, then their sums are added up. A thread mostly reads rows
/// that it wrote itself; with a split by columns, half of every row would be in another thread's
/// cache.
pub fn column_sums<T: Number>(x: &[T], out: &mut [T]) {
    let cols = out.len().max(1);
    let run = |x: &[T], out: &mut [T]| {
        vectorised(
            #[inline(always)]
            || {
                out.fill(T::zero());
                for row in x.chunks_exact(cols) {
                    out.iter_mut().zip(row).for_each(|(o, &x)| *o += x);
                }
            },
        );
    };
    if x.len() < MIN_PARALLEL_ELEMENTS {
        return run(x, out);
    }
    let rows = x.len() / cols;
    let part = rows_per_part(rows);
    with_scratch::<T, _>(rows.div_ceil(part) * cols, |sums| {
        sums.par_chunks_mut(cols).zip(x.par_chunks(part * cols)).for_each_task(&|(sums, x)| run(x, sums));
        run(sums, out);
    });
}

/// Rows per partial sum, for a sum over `rows` rows.
pub fn rows_per_part(rows: usize) -> usize {
    rows.div_ceil(32).max(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_integers_are_exact() {
        for n in [0, 1, 15, 16, 17, 100, MIN_PARALLEL_ELEMENTS + 5] {
            let x: Vec<f64> = (0..n).map(|i| i as f64).collect();
            let (one, two) = x.split_at(n / 3);
            let n = n as f64;
            assert_eq!(sum(&x), n * (n - 1.0).max(0.0) / 2.0);
            assert_eq!(sum_squares(&[one, two]), (n - 1.0).max(0.0) * n * (2.0 * n - 1.0).max(0.0) / 6.0);
        }
    }

    #[test]
    fn columns_are_summed_over_all_rows() {
        let (rows, cols) = (300, 700);
        // Each row has other elements, so that one summed twice and another left out would show.
        let x: Vec<f32> = (0..rows * cols).map(|i| (i % cols + (i / cols) * (i / cols)) as f32).collect();
        let mut out = vec![1.0; cols];
        column_sums(&x, &mut out);
        let squares: usize = (0..rows).map(|r| r * r).sum();
        assert!(out.iter().enumerate().all(|(c, &o)| o == (c * rows + squares) as f32));
    }
}
