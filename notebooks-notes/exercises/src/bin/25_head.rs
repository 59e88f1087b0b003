//! # A head of attention
//!
//! Put it together: scores, mask, softmax, and the mean of the values with these weights.
//!
//!     weights = softmax(mask(q k^T / sqrt(D)))        (T, T)
//!     y       = weights v                             (T, D) = (T, T) (T, D)
//!
//! The given `softmax` accepts minus infinity. Row i of y is the answer to query i.

use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// q, k, v (T, D) -> y (T, D)
fn head(q: &Matrix, k: &Matrix, v: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| head(&input.matrix(), &input.matrix(), &input.matrix()));
}
