//! # The sigmoid and its slope
//!
//! The sigmoid squashes any number into 0..1. Backpropagation needs its slope too:
//!
//!     s(z)  = 1 / (1 + e^-z)
//!     s'(z) = s(z) (1 - s(z))                largest at z = 0, where it is 1/4
//!
//! Both take a matrix and work on each element. `z.map(|z| ...)` makes a matrix of the same shape
//! from a function of one element.

use m2g_exercises::{Matrix, answer};

/// (B, N) -> (B, N)
fn sigmoid(z: &Matrix) -> Matrix {
    todo!()
}

/// (B, N) -> (B, N)
fn sigmoid_prime(z: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| {
        let z = input.matrix();
        (sigmoid(&z), sigmoid_prime(&z))
    });
}
