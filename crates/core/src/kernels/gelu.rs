//! GELU in its tanh form: `x s(2u)` with the logistic function `s` and
//! `u = sqrt(2/pi) (x + 0.044715 x^3)`.

use super::elementwise::{map, map2};
use super::simd::vectorised;
use crate::Number;

/// `2 sqrt(2/pi)`.
const A: f64 = 1.595_769_121_605_731;
const B: f64 = 0.044_715;

/// Elements per pass of the three loops of [`gelu_and_slope`]: they stay in the L1 cache.
const ELEMENTS_PER_BLOCK: usize = 256;

/// `out = gelu(x)`.
pub fn gelu<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, value);
}

/// `dx = dy gelu'(x)`.
pub fn gelu_backward<T: Number>(dx: &mut [T], x: &[T], dy: &[T]) {
    map2(
        dx,
        x,
        dy,
        #[inline(always)]
        |x, dy| dy * slope_and_value(x, exponent(x).exp_fast()).0,
    );
}

/// Replaces `z` by `gelu'(z)` and sets `h = gelu(z)`, on this thread.
///
/// Runs three short loops: in a single one, the dependency chain from `z` to the results is so long
/// that too few elements are in flight.
pub(super) fn gelu_and_slope<T: Number>(z: &mut [T], h: &mut [T]) {
    vectorised(
        #[inline(always)]
        || {
            for (z, h) in z.chunks_mut(ELEMENTS_PER_BLOCK).zip(h.chunks_mut(ELEMENTS_PER_BLOCK)) {
                z.iter().zip(&mut *h).for_each(|(&z, h)| *h = exponent(z));
                h.iter_mut().for_each(|h| *h = h.exp_fast());
                z.iter_mut().zip(h).for_each(|(z, h)| (*z, *h) = slope_and_value(*z, *h));
            }
        },
    );
}

/// `-2u`.
#[inline(always)]
fn exponent<T: Number>(x: T) -> T {
    let (a, ab) = (T::of(A), T::of(A * B));
    -(x * (a + ab * x * x))
}

/// `gelu(x)`.
#[inline(always)]
fn value<T: Number>(x: T) -> T {
    x * logistic(exponent(x).exp_fast())
}

/// `gelu'(x)` and `gelu(x)`, given `e = e^(-2u)`.
#[inline(always)]
fn slope_and_value<T: Number>(x: T, e: T) -> (T, T) {
    let (a, ab3, s) = (T::of(A), T::of(3.0 * A * B), logistic(e));
    // Where the square of x overflows, s (1 - s) is 0, and 0 times infinity would be NaN.
    let growth = ab3 * x * x;
    let growth = if growth > T::max_value() { T::max_value() } else { growth };
    (s + x * s * (T::one() - s) * (a + growth), x * s)
}

/// `s(t)`, given `e = e^(-t)`.
#[inline(always)]
fn logistic<T: Number>(e: T) -> T {
    T::one() / (T::one() + e)
}
