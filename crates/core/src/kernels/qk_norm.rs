//! The normalisation of queries and keys, head by head.

use super::parallel::by_rows;
use super::reduce::{scalar_product, sum_chunk};
use super::simd::vectorised;
use crate::Number;

/// Divides each head of Q and K, D elements, by its root mean square; copies V. A row of `out` and `x`
/// holds Q, K and V side by side, `width` elements.
pub fn normalize_heads<T: Number>(out: &mut [T], x: &[T], width: usize, d: usize, eps: f64) {
    by_rows(out, width, |first, rows| {
        vectorised(
            #[inline(always)]
            || {
                for (out, x) in rows.chunks_exact_mut(width).zip(x[first * width..].chunks_exact(width)) {
                    let (heads, values) = out.split_at_mut(2 * width / 3);
                    for (out, x) in heads.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                        let r = reciprocal_rms(x, eps);
                        out.iter_mut().zip(x).for_each(|(o, &x)| *o = x * r);
                    }
                    values.copy_from_slice(&x[2 * width / 3..]);
                }
            },
        );
    });
}

/// `dx = r (dy - xhat mean(dy xhat))` for each head of Q and K, with `xhat = x r`; copies V.
pub fn normalize_heads_backward<T: Number>(
    dx: &mut [T],
    dy: &[T],
    x: &[T],
    width: usize,
    d: usize,
    eps: f64,
) {
    let n = T::of(d as f64);
    by_rows(dx, width, |first, rows| {
        vectorised(
            #[inline(always)]
            || {
                let from = first * width;
                let inputs = dy[from..].chunks_exact(width).zip(x[from..].chunks_exact(width));
                for (dx, (dy, x)) in rows.chunks_exact_mut(width).zip(inputs) {
                    let (heads, values) = dx.split_at_mut(2 * width / 3);
                    let inputs = dy.chunks_exact(d).zip(x.chunks_exact(d));
                    for (dx, (dy, x)) in heads.chunks_exact_mut(d).zip(inputs) {
                        let r = reciprocal_rms(x, eps);
                        let slope = scalar_product(dy, x) * r * r / n;
                        dx.iter_mut().zip(dy).zip(x).for_each(|((o, &dy), &x)| *o = r * (dy - x * slope));
                    }
                    values.copy_from_slice(&dy[2 * width / 3..]);
                }
            },
        );
    });
}

#[inline(always)]
fn reciprocal_rms<T: Number>(x: &[T], eps: f64) -> T {
    let mean_square = sum_chunk(x, |x| x * x) / T::of(x.len() as f64);
    T::one() / (mean_square + T::of(eps)).sqrt()
}
