//! The mean of a layer's values with those of the first layer.

use super::parallel::by_rows;
use super::simd::vectorised;
use crate::Number;

/// Rows of `qkv`, `first` and `out` hold Q, K and V side by side, `width` elements: copies Q and K of `qkv`, and
/// writes the mean of both V.
pub fn mean_of_values<T: Number>(out: &mut [T], qkv: &[T], first: &[T], width: usize) {
    let half = T::of(0.5);
    by_rows(out, width, |start, rows| {
        vectorised(
            #[inline(always)]
            || {
                let from = start * width;
                let inputs = qkv[from..].chunks_exact(width).zip(first[from..].chunks_exact(width));
                for (out, (qkv, first)) in rows.chunks_exact_mut(width).zip(inputs) {
                    let v = 2 * width / 3;
                    out[..v].copy_from_slice(&qkv[..v]);
                    let values = qkv[v..].iter().zip(&first[v..]);
                    out[v..].iter_mut().zip(values).for_each(|(o, (&a, &b))| *o = half * (a + b));
                }
            },
        );
    });
}

/// Whose gradient [`mean_of_values_backward`] computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValuesOf {
    /// The layer's own, whose Q and K it passes on too.
    Layer,
    /// The first layer's, whose Q and K it does not read.
    First,
}

/// Half of the gradient of V; of Q and K all of it or nothing, see [`ValuesOf`].
pub fn mean_of_values_backward<T: Number>(dx: &mut [T], dy: &[T], width: usize, of: ValuesOf) {
    let half = T::of(0.5);
    by_rows(dx, width, |start, rows| {
        vectorised(
            #[inline(always)]
            || {
                for (dx, dy) in rows.chunks_exact_mut(width).zip(dy[start * width..].chunks_exact(width)) {
                    let v = 2 * width / 3;
                    match of {
                        ValuesOf::Layer => dx[..v].copy_from_slice(&dy[..v]),
                        ValuesOf::First => dx[..v].fill(T::zero()),
                    }
                    dx[v..].iter_mut().zip(&dy[v..]).for_each(|(o, &dy)| *o = half * dy);
                }
            },
        );
    });
}
