//! # The shapes of a mini-batch
//!
//! A mini-batch has B examples, one in each row. All their sums are one matrix product:
//!
//!     z   =   x    w^T   +  b
//!     (B, N) (B, K) (K, N)   (N)        each row of z is one example
//!
//! b is added to every row. `x.matmul(&m)` is the product and `w.transpose()` swaps rows and columns.

use m2g_exercises::{Matrix, answer};

/// x (B, K), w (N, K), b (N) -> z (B, N)
fn batch(x: &Matrix, w: &Matrix, b: &[f64]) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| batch(&input.matrix(), &input.matrix(), &input.numbers()));
}
