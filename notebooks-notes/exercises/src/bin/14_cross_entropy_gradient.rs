//! # The gradient of softmax and cross-entropy
//!
//! Together they have the simplest gradient of all: what the model said, minus what was right.
//!
//!     d loss / d logits = (p - y) / B        p = softmax(logits), y has a 1 at each target
//!
//! The gradient has the shape of the logits, and each of its rows sums to 0.

use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// logits (B, V), targets (B) -> (B, V)
fn gradient(logits: &Matrix, targets: &[usize]) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| gradient(&input.matrix(), &input.ids()));
}
