//! Losses: kernels that reduce to one element, and their gradients.
//!
//! `out` and `dy` are slices of one element. `dy` is the gradient of the final loss with respect
//! to `out`.

use rayon::prelude::*;

use super::elementwise::{fill, map, map2};
use super::parallel::{ForEachTask, MIN_PARALLEL_ELEMENTS, by_rows};
use super::reduce::{sum, sum_squares};
use super::scratch::with_scratch;
use super::simd::vectorised;
use super::softmax::{log_normalizer, log_normalizer_rows, shifted, softmax_rows};
use super::subnormals::flushing_subnormals;
use crate::Number;

/// The mean of `rows` costs.
fn average<T: Number>(total: f64, rows: f64) -> T {
    flushing_subnormals(|| T::of(total / rows))
}

/// The gradient of each cost, where the loss is the mean of `rows` costs.
fn share<T: Number>(dy: &[T], rows: f64) -> T {
    flushing_subnormals(|| dy[0] / T::of(rows))
}

/// `y cost`, where a target of 0 counts nothing: not even the infinite cost of a logit of minus infinity.
fn share_of<T: Number>(y: T, cost: T) -> T {
    if y == T::zero() { T::zero() } else { y * cost }
}

/// `out = sum(x) / n`, of the `n` elements of `x`.
pub fn mean<T: Number>(out: &mut [T], x: &[T]) {
    out[0] = average(sum(x), x.len() as f64);
}

/// `dx = dy / n`.
pub fn mean_backward<T: Number>(dx: &mut [T], dy: &[T]) {
    let share = share(dy, dx.len() as f64);
    fill(dx, share);
}

/// `difference = a - y`, `out = 1/(2 rows) sum difference^2`.
pub fn quadratic<T: Number>(out: &mut [T], difference: &mut [T], a: &[T], y: &[T], rows: usize) {
    map2(difference, a, y, |a, y| a - y);
    out[0] = average(sum_squares(&[difference]), 2.0 * rows as f64);
}

/// `da = dy difference / rows`.
pub fn quadratic_backward<T: Number>(da: &mut [T], difference: &[T], dy: &[T], rows: usize) {
    let c = share(dy, rows as f64);
    map(da, difference, |d| c * d);
}

/// `costs = max(z, 0) - z y + ln(1 + e^-|z|)`, `out = sum costs / rows`. A target of 0 or 1 costs nothing where `z` is
/// infinite and right.
pub fn sigmoid_cross_entropy<T: Number>(out: &mut [T], costs: &mut [T], z: &[T], y: &[T], rows: usize) {
    map2(costs, z, y, |z, y| {
        let missed = if z > T::zero() { share_of(T::one() - y, z) } else { -share_of(y, z) };
        missed + (-z.abs()).exp_fast().ln_1p()
    });
    out[0] = average(sum(costs), rows as f64);
}

/// `dz = dy (sigmoid(z) - y) / rows`.
pub fn sigmoid_cross_entropy_backward<T: Number>(dz: &mut [T], z: &[T], y: &[T], dy: &[T], rows: usize) {
    let c = share(dy, rows as f64);
    map2(dz, z, y, |z, y| c * (z.sigmoid() - y));
}

/// `a = softmax(z)` and `out` = the mean over the rows of `sum_j y_j (ln sum e^z - z_j)`, for rows of
/// `cols` elements.
pub fn softmax_cross_entropy<T: Number>(out: &mut [T], a: &mut [T], z: &[T], y: &[T], cols: usize) {
    softmax_rows(a, z, cols);
    // ln a_j = z_j - ln sum e^z is finite even where a_j rounds to 0.
    let cost = |(z, y): (&[T], &[T])| {
        let max = z.iter().copied().fold(T::neg_infinity(), T::max);
        let sum: T = z.iter().map(|&z| (z - max).exp_fast()).sum();
        let [shift, log_sum] = shifted(max, sum);
        let cost: T = z.iter().zip(y).map(|(&z, &y)| share_of(y, log_sum - (z - shift))).sum();
        cost.as_f64()
    };
    let rows = z.chunks_exact(cols).zip(y.chunks_exact(cols));
    let total = flushing_subnormals(|| rows.map(cost).sum());
    out[0] = average(total, (z.len() / cols) as f64);
}

/// `dz = dy (a sum_j y_j - y) / rows` for each row.
pub fn softmax_cross_entropy_backward<T: Number>(dz: &mut [T], a: &[T], y: &[T], dy: &[T], cols: usize) {
    let c = share(dy, (a.len() / cols) as f64);
    for ((dz, a), y) in dz.chunks_exact_mut(cols).zip(a.chunks_exact(cols)).zip(y.chunks_exact(cols)) {
        let total = average::<T>(sum(y), 1.0);
        map2(dz, a, y, |a, y| c * (a * total - y));
    }
}

/// `normalizers[r]` = the [`log_normalizer`] of `z[r]` and `out` = the mean of `ln sum_j e^z[r][j] - z[r][targets[r]]`:
/// the mean negative log-probability of the targets. There is one row of logits and one normalizer per target.
pub fn cross_entropy<T: Number>(out: &mut [T], normalizers: &mut [[T; 2]], z: &[T], targets: &[u32]) {
    let (n, v) = (targets.len(), z.len() / targets.len());
    log_normalizer_rows(normalizers, z, v);
    let costs = normalizers.iter().zip(z.chunks_exact(v)).zip(targets);
    let costs = costs.map(|((&[shift, log_sum], z), &id)| (log_sum - (z[id as usize] - shift)).as_f64());
    out[0] = average(flushing_subnormals(|| costs.sum()), n as f64);
}

/// `dz = dy (softmax(z) - onehot(target)) / n` for each of `n` rows.
pub fn cross_entropy_backward<T: Number>(
    dz: &mut [T],
    z: &[T],
    normalizers: &[[T; 2]],
    targets: &[u32],
    dy: &[T],
) {
    let (n, v) = (targets.len(), z.len() / targets.len());
    let c = share(dy, n as f64);
    by_rows(dz, v, |first, dz| {
        let rows = dz.chunks_exact_mut(v).zip(z[first * v..].chunks_exact(v));
        for ((dz, z), (&[shift, log_sum], &id)) in
            rows.zip(normalizers[first..].iter().zip(&targets[first..]))
        {
            vectorised(
                #[inline(always)]
                || dz.iter_mut().zip(z).for_each(|(dz, &z)| *dz = c * (z - shift - log_sum).exp_fast()),
            );
            dz[id as usize] -= c;
        }
    });
}

/// The operands of [`smoothed_cross_entropy`] besides the logits.
#[derive(Debug, Clone, Copy)]
pub struct Smoothed<'a> {
    /// The target of each row.
    pub targets: &'a [u32],
    /// The target of rows that count nothing.
    pub padding: Option<u32>,
    /// The share of each target that is spread over all columns.
    pub smoothing: f64,
    /// What the sum of the costs is divided by.
    pub rows: f64,
}

/// `normalizers[r]` = the [`log_normalizer`] of `z[r]` and `out` = the sum of
/// `ln sum_j e^z[r][j] - (1 - smoothing) z[r][targets[r]] - smoothing mean(z[r])` over the rows that are not padding,
/// divided by `rows`. Rows of padding have the normalizer 0.
pub fn smoothed_cross_entropy<T: Number>(
    out: &mut [T],
    normalizers: &mut [[T; 2]],
    z: &[T],
    smoothed: Smoothed<'_>,
) {
    let Smoothed { targets, padding, smoothing, rows } = smoothed;
    let v = z.len() / targets.len();
    let cost_and_normalizer = |z: &[T], id: u32| {
        if Some(id) == padding {
            return (0.0, [T::zero(); 2]);
        }
        let normalizer = vectorised(
            #[inline(always)]
            || log_normalizer(z),
        );
        let cost = flushing_subnormals(|| {
            let [shift, log_sum] = normalizer.map(T::as_f64);
            let mean = if smoothing > 0.0 { sum(z) / v as f64 - shift } else { 0.0 };
            let right = z[id as usize].as_f64() - shift;
            log_sum - (1.0 - smoothing) * right - smoothing * mean
        });
        (cost, normalizer)
    };
    with_scratch(targets.len(), |costs: &mut [f64]| {
        if z.len() < MIN_PARALLEL_ELEMENTS / 4 {
            let all = costs.iter_mut().zip(&mut *normalizers).zip(z.chunks_exact(v).zip(targets));
            all.for_each(|((cost, normalizer), (z, &id))| (*cost, *normalizer) = cost_and_normalizer(z, id));
        } else {
            let all = costs.par_iter_mut().zip(normalizers).zip(z.par_chunks_exact(v).zip(targets));
            all.with_min_len(16).for_each_task(&|((cost, normalizer), (z, &id))| {
                (*cost, *normalizer) = cost_and_normalizer(z, id);
            });
        }
        out[0] = average(flushing_subnormals(|| costs.iter().sum()), rows);
    });
}

/// `dz = dy (softmax(z) - (1 - smoothing) onehot(target) - smoothing / V) / rows` for each row, and 0 for
/// rows of padding.
pub fn smoothed_cross_entropy_backward<T: Number>(
    dz: &mut [T],
    z: &[T],
    normalizers: &[[T; 2]],
    smoothed: Smoothed<'_>,
    dy: &[T],
) {
    let Smoothed { targets, padding, smoothing, rows } = smoothed;
    let v = z.len() / targets.len();
    let c = share(dy, rows);
    let (even, right) = flushing_subnormals(|| (T::of(smoothing / v as f64), c * T::of(1.0 - smoothing)));
    by_rows(dz, v, |first, dz| {
        let rows = dz.chunks_exact_mut(v).zip(z[first * v..].chunks_exact(v));
        for ((dz, z), (&[shift, log_sum], &id)) in
            rows.zip(normalizers[first..].iter().zip(&targets[first..]))
        {
            if Some(id) == padding {
                dz.fill(T::zero());
                continue;
            }
            vectorised(
                #[inline(always)]
                || {
                    let shares = dz.iter_mut().zip(z);
                    shares.for_each(|(dz, &z)| *dz = c * ((z - shift - log_sum).exp_fast() - even));
                },
            );
            dz[id as usize] -= right;
        }
    });
}
