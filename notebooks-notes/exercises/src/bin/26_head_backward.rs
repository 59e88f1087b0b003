//! # A head, backward
//!
//! The gradient of attention, from dy = dC/dy. With p = the weights and s = the scores:
//!
//!     dv = p^T dy                                    (T, D)
//!     dp = dy v^T                                    (T, T)
//!     ds = p * (dp - sum over the row of dp * p)     (T, T)
//!     dq = ds k / sqrt(D),    dk = ds^T q / sqrt(D)  (T, D)
//!
//! Check the shapes: the gradient of a matrix has the shape of the matrix. `weights` are given.

use m2g_exercises::given::attention_weights;
use m2g_exercises::{Matrix, answer};

/// q, k, v, dy (T, D) -> dq, dk, dv (T, D)
fn head_backward(q: &Matrix, k: &Matrix, v: &Matrix, dy: &Matrix) -> (Matrix, Matrix, Matrix) {
    let weights = attention_weights(q, k); // p (T, T), with the causal mask
    todo!()
}

fn main() {
    answer(|input| head_backward(&input.matrix(), &input.matrix(), &input.matrix(), &input.matrix()));
}
