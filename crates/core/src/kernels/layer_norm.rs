//! Layer normalisation, row by row.

use rayon::prelude::*;

use super::parallel::{ELEMENTS_PER_CHUNK, ForEachTask};
use super::reduce::{RUNNING_SUMS, rows_per_part, scalar_product, sum_chunk, sum_lanes};
use super::simd::vectorised;
use crate::Number;

/// What is subtracted from the elements of a row before they are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centering {
    /// Their mean: layer normalisation.
    Mean,
    /// Nothing: root-mean-square normalisation. The mean counts as 0 in what follows.
    Zero,
}

/// `out = xhat w + b` with `xhat = (x - mean) rstd` for each row. `stats` receives each row's
/// `(mean, rstd)`.
pub fn forward<T: Number>(
    out: &mut [T],
    stats: &mut [T],
    x: &[T],
    w: &[T],
    b: Option<&[T]>,
    (eps, centering): (f64, Centering),
) {
    let c = w.len();
    let n = T::of(c as f64);
    let block = |((out, stats), x): ((&mut [T], &mut [T]), &[T])| {
        vectorised(
            #[inline(always)]
            || {
                let rows = out.chunks_exact_mut(c).zip(stats.as_chunks_mut::<2>().0).zip(x.chunks_exact(c));
                for ((out, stats), x) in rows {
                    let mean = match centering {
                        Centering::Mean => sum_chunk(x, |x| x) / n,
                        Centering::Zero => T::zero(),
                    };
                    let variance = sum_chunk(x, |x| (x - mean) * (x - mean)) / n;
                    let rstd = T::one() / (variance + T::of(eps)).sqrt();
                    *stats = [mean, rstd];
                    match b {
                        Some(b) => {
                            for (((o, &x), &w), &b) in out.iter_mut().zip(x).zip(w).zip(b) {
                                *o = (x - mean) * rstd * w + b;
                            }
                        }
                        None => {
                            for ((o, &x), &w) in out.iter_mut().zip(x).zip(w) {
                                *o = (x - mean) * rstd * w;
                            }
                        }
                    }
                }
            },
        );
    };
    let rows = (ELEMENTS_PER_CHUNK / c).max(1);
    out.par_chunks_mut(rows * c)
        .zip(stats.par_chunks_mut(rows * 2))
        .zip(x.par_chunks(rows * c))
        .for_each_task(&block);
}

/// `dx += rstd (g - mean(g) - xhat mean(g xhat))` for each row, with `g = dy w`.
///
/// `sums` has [`sums_len`] elements. Its first `c` elements receive the gradient of `w`, the sum
/// over the rows of `dy xhat`; the next `c` receive that of `b`, the sum of `dy`. The others are
/// scratch space. Without [`Centering::Mean`], `mean(g)` is left out, because shifting a row changes
/// `xhat`.
pub fn backward<T: Number>(
    dx: &mut [T],
    sums: &mut [T],
    dy: &[T],
    x: &[T],
    w: &[T],
    stats: &[T],
    centering: Centering,
) {
    let c = w.len();
    let n = T::of(c as f64);
    if dy.is_empty() {
        return sums.fill(T::zero());
    }
    let part = rows_per_part(dy.len() / c);
    let block = |(i, (dx, sums)): (usize, (&mut [T], &mut [T]))| {
        let first = i * part;
        let (dw, db) = sums.split_at_mut(c);
        vectorised(
            #[inline(always)]
            move || {
                dw.fill(T::zero());
                db.fill(T::zero());
                let rows = dx.chunks_exact_mut(c).zip(dy[first * c..].chunks_exact(c));
                let rows = rows.zip(x[first * c..].chunks_exact(c));
                for (((dx, dy), x), &[mean, rstd]) in rows.zip(&stats.as_chunks::<2>().0[first..]) {
                    let g = match centering {
                        Centering::Mean => scalar_product(dy, w) / n,
                        Centering::Zero => T::zero(),
                    };
                    let g_xhat = sum_products(dy, w, x, mean) * rstd / n;
                    add_row(dx, dy, w, x, (mean, rstd), (g, g_xhat));
                    add_to_sums(dw, db, dy, x, (mean, rstd));
                }
            },
        );
    };
    dx.par_chunks_mut(part * c).zip(sums.par_chunks_mut(2 * c)).enumerate().for_each_task(&block);
    let (total, parts) = sums.split_at_mut(2 * c);
    vectorised(
        #[inline(always)]
        || {
            for part in parts.chunks_exact(2 * c) {
                total.iter_mut().zip(part).for_each(|(t, &p)| *t += p);
            }
        },
    );
}

/// `dx += rstd (dy w - g - xhat g_xhat)` for one row. It is a separate function so that the
/// compiler knows that the slices do not overlap.
#[inline(always)]
fn add_row<T: Number>(dx: &mut [T], dy: &[T], w: &[T], x: &[T], (mean, rstd): (T, T), (g, g_xhat): (T, T)) {
    let slope = rstd * rstd * g_xhat;
    for (((dx, &dy), &w), &x) in dx.iter_mut().zip(dy).zip(w).zip(x) {
        *dx += rstd * (dy * w - g) - (x - mean) * slope;
    }
}

/// The sum over a row of `dy w (x - mean)`.
#[inline(always)]
fn sum_products<T: Number>(dy: &[T], w: &[T], x: &[T], mean: T) -> T {
    let mut sums = [T::zero(); RUNNING_SUMS];
    let ((dys, dy), (ws, w)) = (dy.as_chunks::<RUNNING_SUMS>(), w.as_chunks::<RUNNING_SUMS>());
    let (xs, x) = x.as_chunks::<RUNNING_SUMS>();
    for ((dy, w), x) in dys.iter().zip(ws).zip(xs) {
        for l in 0..RUNNING_SUMS {
            sums[l] = (dy[l] * w[l]).fused_mul_add(x[l] - mean, sums[l]);
        }
    }
    for (((sum, &dy), &w), &x) in sums.iter_mut().zip(dy).zip(w).zip(x) {
        *sum = (dy * w).fused_mul_add(x - mean, *sum);
    }
    sum_lanes(sums)
}

/// Adds one row to the gradients of `w` and `b`.
#[inline(always)]
fn add_to_sums<T: Number>(dw: &mut [T], db: &mut [T], dy: &[T], x: &[T], (mean, rstd): (T, T)) {
    for (((dw, db), &dy), &x) in dw.iter_mut().zip(db).zip(dy).zip(x) {
        *dw += dy * ((x - mean) * rstd);
        *db += dy;
    }
}

/// The length of `sums` in [`backward`], for `rows` rows of `c` elements.
pub fn sums_len(rows: usize, c: usize) -> usize {
    rows.div_ceil(rows_per_part(rows)).max(1) * 2 * c
}
