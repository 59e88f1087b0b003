//! # Softmax of a masked row
//!
//! Softmax again, but some scores are minus infinity. Their weights are exactly 0, and the others
//! sum to 1. A row in which everything is hidden has nothing to look at: all its weights are 0.
//!
//!     weights[i, j] = e^(s[i, j] - max_i) / sum over the row
//!
//! Beware: minus infinity minus minus infinity is not a number (NaN). `x.is_finite()` tells.

use m2g_exercises::{Matrix, answer};

/// scores (T, T) -> weights (T, T)
fn masked_softmax(scores: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| masked_softmax(&input.matrix()));
}
