//! # Layer norm
//!
//! Deep networks train better if each token's numbers keep their size. Layer norm gives each row the
//! mean 0 and the variance 1, then scales and shifts each column by what it has learnt:
//!
//!     y[t, c] = (x[t, c] - mean_t) / sqrt(variance_t + 0.00001) * gain[c] + bias[c]
//!
//! Mean and variance are those of row t: the variance is the mean of the squared differences.

use m2g_exercises::{Matrix, answer};

/// x (T, C), gain (C), bias (C) -> (T, C)
fn layer_norm(x: &Matrix, gain: &[f64], bias: &[f64]) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| layer_norm(&input.matrix(), &input.numbers(), &input.numbers()));
}
