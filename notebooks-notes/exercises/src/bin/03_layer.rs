//! # Feedforward of a layer
//!
//! N neurons read the same K inputs. Each has a row of weights: together a matrix w of shape (N, K).
//! For one example, a column of K numbers, the book writes
//!
//!     a' = s(w a + b)        (N) = (N, K) (K) + (N)
//!
//! Neuron n uses row n of w: `w.row(n)` is a slice of K numbers, `w[(n, k)]` one of them.

use m2g_exercises::{Matrix, answer};

/// w (N, K), b (N), a (K) -> (N)
fn layer(w: &Matrix, b: &[f64], a: &[f64]) -> Vec<f64> {
    todo!()
}

fn main() {
    answer(|input| layer(&input.matrix(), &input.numbers(), &input.numbers()));
}
