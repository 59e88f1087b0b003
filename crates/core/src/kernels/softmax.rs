//! Row-wise softmax.

use rayon::prelude::*;

use super::parallel::{ForEachTask, MIN_PARALLEL_ELEMENTS, by_rows};
use super::reduce::sum_lanes;
use super::simd::vectorised;
use crate::Number;

/// Independent running maxima and sums, in one or two vector registers: they break the dependency
/// chain from one element to the next.
const RUNNING_VALUES: usize = 16;

/// `out[r] = softmax(x[r])` for each row of `cols` elements.
///
/// The maximum is subtracted first, so that no exponential overflows. Minus infinity gives
/// exactly 0; a row of minus infinities gives zeros.
pub fn softmax_rows<T: Number>(out: &mut [T], x: &[T], cols: usize) {
    if cols == 0 {
        return;
    }
    let run = |out: &mut [T], x: &[T]| {
        vectorised(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
                    softmax(out, x);
                }
            },
        );
    };
    let rows = (MIN_PARALLEL_ELEMENTS / 8 / cols).max(1) * cols;
    if x.len() < MIN_PARALLEL_ELEMENTS {
        run(out, x);
    } else {
        out.par_chunks_mut(rows).zip(x.par_chunks(rows)).for_each_task(&|(o, x)| run(o, x));
    }
}

/// `dx_j = y_j (dy_j - sum_k y_k dy_k)` for each row of `cols` elements; `cols` is at least 1.
pub fn softmax_rows_backward<T: Number>(dx: &mut [T], y: &[T], dy: &[T], cols: usize) {
    by_rows(dx, cols, |first, dx| {
        let rows = dx.chunks_exact_mut(cols).zip(y[first * cols..].chunks_exact(cols));
        let rows = rows.zip(dy[first * cols..].chunks_exact(cols));
        vectorised(
            #[inline(always)]
            || {
                for ((dx, y), dy) in rows {
                    let inner: T = y.iter().zip(dy).map(|(&y, &dy)| y * dy).sum();
                    for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = y * (dy - inner);
                    }
                }
            },
        );
    });
}

/// `out[r] = ln sum_j e^(x[r][j])` for each row of `cols` elements; minus infinity for a row of minus infinities.
/// `cols` is at least 1.
pub fn log_sum_exp_rows<T: Number>(out: &mut [T], x: &[T], cols: usize) {
    of_rows(
        out,
        x,
        cols,
        #[inline(always)]
        |x| {
            let [shift, log_sum] = log_normalizer(x);
            shift + log_sum
        },
    );
}

/// `out[r] = log_normalizer(x[r])` for each row of `cols` elements; `cols` is at least 1.
pub fn log_normalizer_rows<T: Number>(out: &mut [[T; 2]], x: &[T], cols: usize) {
    of_rows(
        out,
        x,
        cols,
        #[inline(always)]
        |x| log_normalizer(x),
    );
}

/// `out[r] = f(x[r])` for each row of `cols` elements. `f` is a closure that is always inlined: a function would not be
/// compiled for the instruction set.
#[inline(always)]
fn of_rows<T: Number, U: Send>(out: &mut [U], x: &[T], cols: usize, f: impl Fn(&[T]) -> U + Sync) {
    let row = |(out, x): (&mut U, &[T])| {
        *out = vectorised(
            #[inline(always)]
            || f(x),
        );
    };
    if x.len() < MIN_PARALLEL_ELEMENTS / 4 {
        out.iter_mut().zip(x.chunks_exact(cols)).for_each(row);
    } else {
        out.par_iter_mut().zip(x.par_chunks_exact(cols)).with_min_len(16).for_each_task(&row);
    }
}

#[inline(always)]
fn softmax<T: Number>(out: &mut [T], x: &[T]) {
    let max = max(x);
    if max == T::neg_infinity() {
        out.fill(T::zero());
        return;
    }
    out.copy_from_slice(x);
    let total = exp_minus(out, max);
    out.iter_mut().for_each(|o| *o /= total);
}

/// The largest element of a row, or NaN if the row contains NaN.
#[inline(always)]
pub fn max<T: Number>(x: &[T]) -> T {
    let mut lanes = [T::neg_infinity(); RUNNING_VALUES];
    let (blocks, tail) = x.as_chunks::<RUNNING_VALUES>();
    let larger = |m: T, x: T| if x > m || x.is_nan() { x } else { m };
    for block in blocks {
        for (m, &x) in lanes.iter_mut().zip(block) {
            *m = larger(*m, x);
        }
    }
    for (m, &x) in lanes.iter_mut().zip(tail) {
        *m = larger(*m, x);
    }
    lanes.into_iter().fold(T::neg_infinity(), |m, x| if m.is_nan() { m } else { larger(m, x) })
}

/// Replaces each `x` by `e^(x - max)` and returns the sum.
#[inline(always)]
pub fn exp_minus<T: Number>(x: &mut [T], max: T) -> T {
    let mut sums = [T::zero(); RUNNING_VALUES];
    let (blocks, tail) = x.as_chunks_mut::<RUNNING_VALUES>();
    for block in blocks {
        for (x, sum) in block.iter_mut().zip(&mut sums) {
            *x = (*x - max).exp_fast();
            *sum += *x;
        }
    }
    for (x, sum) in tail.iter_mut().zip(&mut sums) {
        *x = (*x - max).exp_fast();
        *sum += *x;
    }
    sum_lanes(sums)
}

/// `[shift, ln sum e^(x - shift)]` over a row. The logarithm of a probability is `(x - shift) - ln sum e^(x - shift)`,
/// which stays finite even where the probability itself rounds to 0.
#[inline(always)]
pub fn log_normalizer<T: Number>(x: &[T]) -> [T; 2] {
    let max = max(x);
    if max == T::neg_infinity() {
        return [T::zero(), max];
    }
    let mut sums = [T::zero(); RUNNING_VALUES];
    let (blocks, tail) = x.as_chunks::<RUNNING_VALUES>();
    for block in blocks {
        for (s, &x) in sums.iter_mut().zip(block) {
            *s += (x - max).exp_fast();
        }
    }
    for (s, &x) in sums.iter_mut().zip(tail) {
        *s += (x - max).exp_fast();
    }
    shifted(max, sum_lanes(sums))
}

/// `[shift, ln sum e^(x - shift)]`, where `sum` is `sum e^(x - max)`. The shift is the largest element, if that is so
/// far from 0 that `ln sum e^x` would lose the digits of `ln sum`, and 0 otherwise.
#[inline(always)]
pub fn shifted<T: Number>(max: T, sum: T) -> [T; 2] {
    const FAR: f64 = 128.0;
    match max.abs() < T::of(FAR) {
        true => [T::zero(), max + sum.ln()],
        false => [max, sum.ln()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sum_to_one_and_masked_entries_are_zero() {
        let inf = f32::INFINITY;
        let x = [1000.0, 1000.0, -inf, 0.0, 3.0_f32.ln(), -inf, -inf, -inf, -inf];
        let mut out = [9.0; 9];
        softmax_rows(&mut out, &x, 3);
        let want = [0.5, 0.5, 0.0, 0.25, 0.75, 0.0, 0.0, 0.0, 0.0];
        for (got, want) in out.iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{out:?}");
        }
        assert_eq!([out[2], out[5]], [0.0, 0.0]);
    }

    #[test]
    fn nan_stays_nan() {
        let mut out = [0.0_f32; 2];
        softmax_rows(&mut out, &[f32::NAN, f32::NEG_INFINITY], 2);
        assert!(out[0].is_nan());
        let mut long = [0.0_f32; 40];
        long[3] = f32::NAN;
        assert!(max(&long).is_nan());
    }

    #[test]
    fn log_sum_exp_of_any_length() {
        let log_sum_exp = |x: &[f64]| {
            let mut out = [0.0];
            log_sum_exp_rows(&mut out, x, x.len());
            out[0]
        };
        for n in [1, 5, 16, 17, 100] {
            let x: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.3 - 700.0).collect();
            let want = x.iter().map(|x| (x + 700.0).exp()).sum::<f64>().ln() - 700.0;
            assert!((log_sum_exp(&x) - want).abs() < 1e-12);
        }
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 20]), f64::NEG_INFINITY);
    }
}
