//! # BP1: the error of the last layer
//!
//! By how much does the cost change with z, just before the last sigmoid? The chain rule gives
//!
//!     delta = dC/dz = dC/da * s'(z),    dC/da = (a - y) / B,    a = s(z)
//!
//! All shapes are (B, N), and * multiplies element by element: `m.times(&other)`.
//! `&a - &y` subtracts, `m.scale(c)` multiplies all elements by c.

use m2g_exercises::given::{sigmoid, sigmoid_prime};
use m2g_exercises::{Matrix, answer};

/// z (B, N), y (B, N) -> delta (B, N)
fn bp1(z: &Matrix, y: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| bp1(&input.matrix(), &input.matrix()));
}
