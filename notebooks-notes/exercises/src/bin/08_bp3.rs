//! # BP3: the gradient of the biases
//!
//! A bias is added to z in every example, so its gradient is the sum of all their errors:
//!
//!     dC/db = sum over the examples of delta        (N) from (B, N)
//!
//! The gradient of the biases has the shape of the biases: one number for each neuron. The 1/B of the
//! mean is already in delta.

use m2g_exercises::{Matrix, answer};

/// delta (B, N) -> dC/db (N)
fn bp3(delta: &Matrix) -> Vec<f64> {
    todo!()
}

fn main() {
    answer(|input| bp3(&input.matrix()));
}
