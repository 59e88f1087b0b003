//! # Softmax
//!
//! Softmax turns each row of numbers (logits) into probabilities: all positive, with sum 1.
//!
//!     p_j = e^(z_j) / sum over the row of e^(z_k)
//!
//! e^1000 is infinite in a computer. Subtract the largest number of a row from the row first: the
//! result is the same, because the factor cancels, and no exponent is above 0.

use m2g_exercises::{Matrix, answer};

/// (B, V) -> (B, V), each row sums to 1
fn softmax(z: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| softmax(&input.matrix()));
}
