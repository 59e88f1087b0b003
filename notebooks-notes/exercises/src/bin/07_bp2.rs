//! # BP2: the error of the layer before
//!
//! The error of a layer flows back through its weights. `delta` is the error of the layer with the
//! weights w, and z belongs to the layer before it:
//!
//!     delta_before = (delta w) * s'(z)
//!     (B, K)         (B, N) (N, K)  (B, K)
//!
//! Look at the shapes: forward multiplies by w^T, backward by w.

use m2g_exercises::given::sigmoid_prime;
use m2g_exercises::{Matrix, answer};

/// delta (B, N), w (N, K), z (B, K) -> (B, K)
fn bp2(delta: &Matrix, w: &Matrix, z: &Matrix) -> Matrix {
    todo!()
}

fn main() {
    answer(|input| bp2(&input.matrix(), &input.matrix(), &input.matrix()));
}
