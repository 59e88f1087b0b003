//! # Scores
//!
//! How well does query i match key j? Their dot product says it. With D numbers each, it grows like
//! sqrt(D), and softmax would become too sure; so it is divided by that:
//!
//!     scores = q k^T / sqrt(D)        (T, T) = (T, D) (D, T)
//!
//! Row i belongs to query i, column j to key j.

use m2g_exercises::{Matrix, answer};

/// q (T, D), k (T, D) -> (T, T)
fn scores(q: &Matrix, k: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| scores(&input.matrix(), &input.matrix()));
}
