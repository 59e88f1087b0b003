//! # Cross-attention
//!
//! A translator's decoder asks, and the encoder's tokens answer: the queries come from the target, the
//! keys and values from the source. Sources are padded to S rows; only the first `length` are real:
//!
//!     scores = q k^T / sqrt(D)        (T, S), minus infinity for j >= length
//!     y      = softmax(scores) v      (T, D)
//!
//! There is no causal mask: the whole source is known.

use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// q (T, D), k, v (S, D), the real length of the source -> y (T, D)
fn cross_attention(q: &Matrix, k: &Matrix, v: &Matrix, length: usize) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| cross_attention(&input.matrix(), &input.matrix(), &input.matrix(), input.count()));
}
