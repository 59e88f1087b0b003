//! # update_mini_batch
//!
//! One step of gradient descent, as in the book. For each example of the mini-batch, `backprop_one`
//! gives the gradient of its cost. The step goes against their mean:
//!
//!     b := b - eta/B sum over the examples of nabla_b
//!     w := w - eta/B sum over the examples of nabla_w        eta is the learning rate
//!
//! Change `weights` and `biases` in place. `backprop_one(weights, biases, x.row(i), y.row(i))` returns
//! `(nabla_b, nabla_w)`, each a list with the shapes of the biases and of the weights.

use m2g_exercises::given::backprop_one;
use m2g_exercises::{Matrix, answer};

/// weights (N, K), biases (N) per layer, x (B, K), y (B, N), the learning rate
fn update_mini_batch(weights: &mut [Matrix], biases: &mut [Vec<f64>], x: &Matrix, y: &Matrix, eta: f64) {
    todo!()
}

fn main() {
    answer(|input| {
        let (mut weights, mut biases) = (input.matrices(), input.rows());
        update_mini_batch(&mut weights, &mut biases, &input.matrix(), &input.matrix(), input.number());
        (biases, weights)
    });
}
