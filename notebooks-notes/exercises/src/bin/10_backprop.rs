//! # Backprop: the whole gradient
//!
//! Put the four equations together. Layer l has the weights `weights[l]` (N, K) and the biases
//! `biases[l]` (N); `x` (B, K) are the inputs of the first layer, `y` (B, N) the desired outputs.
//!
//!     forward:   z = a w^T + b, a = s(z), layer by layer; keep every z and every a
//!     backward:  BP1 for the last layer, then for each layer from the last to the first
//!                BP3 and BP4, and BP2 on to the layer before
//!
//! Return the gradients of the biases and of the weights, first layer first.
//! `for l in (0..n).rev()` counts backward. Given are `add_to_rows(&m, &b)` and `sum_of_rows(&m)`.

use m2g_exercises::given::{add_to_rows, sigmoid, sigmoid_prime, sum_of_rows};
use m2g_exercises::{Matrix, answer};

/// weights (N, K), biases (N) per layer, x (B, K), y (B, N) -> nabla_b, nabla_w
fn backprop(weights: &[Matrix], biases: &[Vec<f64>], x: &Matrix, y: &Matrix) -> (Vec<Vec<f64>>, Vec<Matrix>) {
    todo!()
}

fn main() {
    answer(|input| backprop(&input.matrices(), &input.rows(), &input.matrix(), &input.matrix()));
}
