//! GELU in its exact form: `x P(x)` with the normal distribution function
//! `P(x) = (1 + erf(x / sqrt(2))) / 2`.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use super::elementwise::{map, map2};
use crate::Number;

/// `out = gelu(x)`.
pub fn gelu_exact<T: Number>(out: &mut [T], x: &[T]) {
    map(out, x, |x| T::of(x.as_f64() * distribution(x.as_f64())));
}

/// `dx = dy gelu'(x)`, with `gelu'(x) = P(x) + x P'(x)` and `P'(x) = e^(-x^2 / 2) / sqrt(2 pi)`.
pub fn gelu_exact_backward<T: Number>(dx: &mut [T], x: &[T], dy: &[T]) {
    map2(dx, x, dy, |x, dy| {
        let x = x.as_f64();
        let density = (-0.5 * x * x).exp() / TAU.sqrt();
        dy * T::of(distribution(x) + x * density)
    });
}

/// `P(x)`, by the complementary error function, which stays precise where `P` is small.
fn distribution(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}
