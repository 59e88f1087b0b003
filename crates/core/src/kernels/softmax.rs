//! Row-wise softmax.

use rayon::prelude::*;

use super::{PARALLEL_FROM, vectorised};
use crate::Real;

/// `out[r] = softmax(x[r])` for each row of `cols` numbers.
///
/// The maximum is subtracted first, so that no exponential overflows. Minus
/// infinity gives exactly 0; a row of nothing but minus infinity gives zeros.
pub fn softmax_rows<T: Real>(out: &mut [T], x: &[T], cols: usize) {
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
    let rows = (PARALLEL_FROM / 8 / cols).max(1) * cols;
    if x.len() < PARALLEL_FROM {
        run(out, x);
    } else {
        out.par_chunks_mut(rows).zip(x.par_chunks(rows)).for_each(|(o, x)| run(o, x));
    }
}

#[inline(always)]
fn softmax<T: Real>(out: &mut [T], x: &[T]) {
    let max = x.iter().fold(T::neg_infinity(), |m, &x| if x > m { x } else { m });
    if max == T::neg_infinity() && !x.iter().any(|x| x.is_nan()) {
        out.fill(T::zero());
        return;
    }
    out.iter_mut().zip(x).for_each(|(o, &x)| *o = (x - max).exp_fast());
    let total: T = out.iter().copied().sum();
    out.iter_mut().for_each(|o| *o /= total);
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
    }
}
