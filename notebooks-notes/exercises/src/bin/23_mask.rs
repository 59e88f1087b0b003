//! # The causal mask
//!
//! A model that writes must not read the next token: it is the answer. Query i may see the keys
//! 0..=i only. All other scores become minus infinity, which softmax turns into a weight of 0:
//!
//!     scores[i, j] = -infinity    for j > i, the triangle above the diagonal
//!
//! `f64::NEG_INFINITY` is minus infinity.

use m2g_exercises::{Matrix, answer};

/// scores (T, T) -> (T, T)
fn mask(scores: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| mask(&input.matrix()));
}
