//! # Cross-entropy
//!
//! A classifier and a language model pay for the probability p that they gave to what really came:
//! -ln p, in nats. A sure p = 1 costs 0, p = 1/V costs ln V. The loss is the mean over the examples:
//!
//!     loss = -1/B sum over the examples i of ln p[i, target_i]
//!
//! `targets[i]` is the column of the right answer in row i. `x.ln()` is the natural logarithm.

use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, answer};

/// logits (B, V), targets (B) -> the mean loss
fn cross_entropy(logits: &Matrix, targets: &[usize]) -> f64 {
    todo!()
}

fn main() {
    answer(|input| cross_entropy(&input.matrix(), &input.ids()));
}
