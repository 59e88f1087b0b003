//! # The quadratic cost
//!
//! How wrong are the outputs `a`, if `y` was desired? The book's first cost is half the squared
//! distance, averaged over the B examples:
//!
//!     C = 1/(2B) sum (a - y)^2        over all elements of all examples
//!
//! The result is one number. `a.data` holds all elements of a, row after row. `a.rows as f64` is the
//! number of rows as an f64; Rust divides no f64 by a usize.

use m2g_exercises::{Matrix, answer};

/// a (B, N), y (B, N) -> C
fn cost(a: &Matrix, y: &Matrix) -> f64 {
    todo!()
}

fn main() {
    answer(|input| cost(&input.matrix(), &input.matrix()));
}
