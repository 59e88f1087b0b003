//! # The KV cache
//!
//! While a GPT writes, no new token changes the keys and values of earlier ones. So keep them: each
//! step computes q, k and v of the newest token only, adds k and v to the cache, and attends:
//!
//!     keys   = keys with the row k below        (t + 1, D)
//!     values = values with the row v below      (t + 1, D)
//!     y      = softmax(q keys^T / sqrt(D)) values        (D)
//!
//! The newest token sees itself. No mask is needed: nothing later is in the cache.

use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// keys, values (t, D), q, k, v (D) -> keys, values (t + 1, D), y (D)
fn step(keys: Matrix, values: Matrix, q: &[f64], k: &[f64], v: &[f64]) -> (Matrix, Matrix, Vec<f64>) {
    todo!()
}

fn main() {
    answer(|input| {
        let (keys, values) = (input.matrix(), input.matrix());
        step(keys, values, &input.numbers(), &input.numbers(), &input.numbers())
    });
}
