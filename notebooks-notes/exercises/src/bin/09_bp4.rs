//! # BP4: the gradient of the weights
//!
//! Weight (n, k) multiplies input k on its way to neuron n. Its gradient sums, over all examples,
//! the error of the neuron times the input:
//!
//!     dC/dw[n, k] = sum over the examples i of delta[i, n] a[i, k]
//!     (N, K)
//!
//! The gradient of a matrix has the shape of the matrix. Only one product of delta (B, N) and
//! a (B, K) has the shape (N, K).

use m2g_exercises::{Matrix, answer};

/// delta (B, N), a (B, K) -> dC/dw (N, K)
fn bp4(delta: &Matrix, a: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| bp4(&input.matrix(), &input.matrix()));
}
