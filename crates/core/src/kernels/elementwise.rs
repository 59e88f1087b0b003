//! Element-wise kernels: each element of the output depends on the input elements at the same
//! index.

use rayon::prelude::*;

use super::parallel::{ELEMENTS_PER_CHUNK, ForEachTask, MIN_PARALLEL_ELEMENTS, by_rows};
use super::simd::vectorised;
use crate::Number;

/// Sets every element of `out` to `x`.
pub fn fill<T: Number>(out: &mut [T], x: T) {
    if out.len() < MIN_PARALLEL_ELEMENTS {
        out.fill(x);
    } else {
        out.par_chunks_mut(ELEMENTS_PER_CHUNK).for_each_task(&|o| o.fill(x));
    }
}

/// `out = x`.
pub fn copy<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, |x| x);
}

/// `out = a + b`.
pub fn add<T: Number>(out: &mut [T], a: &[T], b: &[T]) {
    map2(out, a, b, |a, b| a + b);
}

/// `out += x`.
pub fn add_assign<T: Number>(out: &mut [T], x: &[T]) {
    update(out, x, |a, b| a + b);
}

/// `out = a + b`, with `b` added to each block of `b.len()` elements of `a`.
pub fn add_row_block<T: Number>(out: &mut [T], a: &[T], b: &[T]) {
    let n = b.len().max(1);
    by_rows(out, n, |first, out| {
        for (out, a) in out.chunks_exact_mut(n).zip(a[first * n..].chunks_exact(n)) {
            map2(out, a, b, |a, b| a + b);
        }
    });
}

/// `out = a * b`.
pub fn multiply<T: Number>(out: &mut [T], a: &[T], b: &[T]) {
    map2(out, a, b, |a, b| a * b);
}

/// `out = c x`.
pub fn scale<T: Number>(out: &mut [T], x: &[T], c: T) {
    map(out, x, |x| c * x);
}

/// `out = 1 / x`.
pub fn reciprocal<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, |x| T::one() / x);
}

/// `dx = -dy y^2`.
pub fn reciprocal_backward<T: Number>(dx: &mut [T], dy: &[T], y: &[T]) {
    map2(dx, dy, y, |dy, y| -dy * y * y);
}

/// `out = max(0, x)`. NaN stays NaN, because `NaN < 0` is false.
pub fn relu<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, |x| if x < T::zero() { T::zero() } else { x });
}

/// `dx = dy` where `y > 0`, else 0.
pub fn relu_backward<T: Number>(dx: &mut [T], dy: &[T], y: &[T]) {
    map2(dx, dy, y, |dy, y| if y > T::zero() { dy } else { T::zero() });
}

/// Replaces `z` by the derivative of ReLU and sets `h = max(0, z)`, on this thread.
pub(super) fn relu_and_slope<T: Number>(z: &mut [T], h: &mut [T]) {
    vectorised(
        #[inline(always)]
        || {
            for (z, h) in z.iter_mut().zip(h) {
                *h = if *z < T::zero() { T::zero() } else { *z };
                *z = if *z > T::zero() { T::one() } else { T::zero() };
            }
        },
    );
}

/// `out = max(0, x)^2`.
pub fn relu_squared<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, |x| if x < T::zero() { T::zero() } else { x * x });
}

/// `dx = 2 max(0, x) dy`.
pub fn relu_squared_backward<T: Number>(dx: &mut [T], dy: &[T], x: &[T]) {
    map2(dx, dy, x, |dy, x| if x > T::zero() { (x + x) * dy } else { T::zero() });
}

/// Replaces `z` by the derivative of squared ReLU and sets `h = max(0, z)^2`, on this thread.
pub(super) fn relu_squared_and_slope<T: Number>(z: &mut [T], h: &mut [T]) {
    vectorised(
        #[inline(always)]
        || {
            for (z, h) in z.iter_mut().zip(h) {
                let x = if *z < T::zero() { T::zero() } else { *z };
                *h = x * x;
                *z = x + x;
            }
        },
    );
}

/// `out = 1 / (1 + e^-x)`.
pub fn sigmoid<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, T::sigmoid);
}

/// `dx = dy y (1 - y)`.
pub fn sigmoid_backward<T: Number>(dx: &mut [T], dy: &[T], y: &[T]) {
    map2(dx, dy, y, |dy, y| dy * y * (T::one() - y));
}

/// `out = tanh x`.
pub fn tanh<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, T::tanh_fast);
}

/// `dx = dy (1 - y^2)`.
pub fn tanh_backward<T: Number>(dx: &mut [T], dy: &[T], y: &[T]) {
    map2(dx, dy, y, |dy, y| dy * (T::one() - y * y));
}

/// Maps pixels from `0..=255` to the interval `[0, 1]`.
pub fn unit_interval<T: Number>(out: &mut [T], pixels: &[u8]) {
    let scale = T::one() / T::of(255.0);
    vectorised(
        #[inline(always)]
        || out.iter_mut().zip(pixels).for_each(|(o, &p)| *o = T::of_u8(p) * scale),
    );
}

/// `out[i] = f(x[i])`.
pub(super) fn map<T: Number>(out: &mut [T], x: &[T], f: impl Fn(T) -> T + Sync) {
    let run = |out: &mut [T], x: &[T]| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x).for_each(|(o, &x)| *o = f(x)),
        );
    };
    if out.len() < MIN_PARALLEL_ELEMENTS {
        run(out, x);
    } else {
        out.par_chunks_mut(ELEMENTS_PER_CHUNK)
            .zip(x.par_chunks(ELEMENTS_PER_CHUNK))
            .for_each_task(&|(o, x)| run(o, x));
    }
}

/// `out[i] = f(x[i], y[i])`.
pub(super) fn map2<T: Number>(out: &mut [T], x: &[T], y: &[T], f: impl Fn(T, T) -> T + Sync) {
    let run = |out: &mut [T], x: &[T], y: &[T]| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x).zip(y).for_each(|((o, &x), &y)| *o = f(x, y)),
        );
    };
    if out.len() < MIN_PARALLEL_ELEMENTS {
        run(out, x, y);
    } else {
        out.par_chunks_mut(ELEMENTS_PER_CHUNK)
            .zip(x.par_chunks(ELEMENTS_PER_CHUNK))
            .zip(y.par_chunks(ELEMENTS_PER_CHUNK))
            .for_each_task(&|((o, x), y)| run(o, x, y));
    }
}

/// `w[i] = f(w[i], g[i])`.
///
/// `f` must capture its constants by value (`move`). Captured by reference, they would have to be
/// read again after each store, and the loop would not be vectorised.
pub(super) fn update<T: Number>(w: &mut [T], g: &[T], f: impl Fn(T, T) -> T + Copy + Sync) {
    let run = |w: &mut [T], g: &[T]| {
        vectorised(
            #[inline(always)]
            move || w.iter_mut().zip(g).for_each(|(w, &g)| *w = f(*w, g)),
        );
    };
    if w.len() < MIN_PARALLEL_ELEMENTS {
        run(w, g);
    } else {
        w.par_chunks_mut(ELEMENTS_PER_CHUNK)
            .zip(g.par_chunks(ELEMENTS_PER_CHUNK))
            .for_each_task(&|(w, g)| run(w, g));
    }
}
