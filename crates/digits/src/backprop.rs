//! Backpropagation by hand: the four equations of chapter 2.
//!
//! The book takes one example at a time, as a column. Here the examples of a
//! mini-batch are the B rows of a matrix, which is the book's exercise "fully
//! matrix-based approach": every `w a` becomes `a w^T`, and the sum over the
//! examples is done by the matrix product itself.
//!
//! | | the book, one example | here, B examples | shapes |
//! | --- | --- | --- | --- |
//! | forward | `z = w a + b` | `z = a w^T + b` | `(B, N) = (B, K) (K, N) + (N)` |
//! | BP1 | `delta^L = dC/da * s'(z^L)` | the same, averaged over B | `(B, N)` |
//! | BP2 | `delta^l = w^T delta^(l+1) * s'(z^l)` | `delta^(l+1) w * s'(z^l)` | `(B, K) = (B, N) (N, K)` |
//! | BP3 | `dC/db = delta` | the sum of the rows of `delta` | `(N)` |
//! | BP4 | `dC/dw = delta a^T` | `delta^T a` | `(N, K) = (N, B) (B, K)` |
//!
//! The tape finds the same gradients without being told any of this; a test
//! holds the two to each other.

use m2g_core::Float;
use m2g_core::nn::Activation;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::Cost;

/// The weights `(N, K)` and biases `(N)` of each layer, first to last.
pub type Layers<'a, T> = [(ArrayView2<'a, T>, ArrayView2<'a, T>)];

/// The gradient of the mean cost with respect to the biases and weights of each
/// layer, and the cost.
#[derive(Debug)]
pub struct Nabla<T> {
    /// `dC/db`, `(N)` for each layer.
    pub b: Vec<Array1<T>>,
    /// `dC/dw`, `(N, K)` for each layer.
    pub w: Vec<Array2<T>>,
    /// The mean cost of the mini-batch.
    pub cost: T,
}

/// The gradient of the mean cost of a mini-batch: inputs `x`, `(B, K)`, and
/// wished-for outputs `y`, `(B, N)`. It is written into `nabla_w`, matrices of the
/// weights' shapes, so that each step can use the memory of the one before.
pub fn backprop<T: Float>(
    layers: &Layers<T>,
    activation: Activation,
    cost: Cost,
    x: ArrayView2<T>,
    y: ArrayView2<T>,
    mut nabla_w: Vec<Array2<T>>,
) -> Nabla<T> {
    let examples = T::of(x.nrows() as f64); // B
    let y = y.to_owned();

    // Forward: keep every z and every activation, layer by layer.
    let mut activations = vec![x.to_owned()]; // (B, K) each
    let mut zs: Vec<Array2<T>> = Vec::new(); // (B, N) each
    for (l, (w, b)) in layers.iter().enumerate() {
        let z = activations[l].dot(&w.t()) + b; // (B, K) (K, N) + (1, N) -> (B, N)
        let last = l + 1 == layers.len();
        activations.push(if last { cost.activate(&z) } else { z.mapv(|z| activate(activation, z)) });
        zs.push(z);
    }

    // Backward: from the error of the last layer to that of the first.
    let last = layers.len() - 1;
    let mut delta = cost.delta(&zs[last], &activations[last + 1], &y) / examples; // BP1: (B, N)
    let mut nabla_b = Vec::new();
    for l in (0..layers.len()).rev() {
        nabla_b.push(delta.sum_axis(Axis(0))); // BP3: (B, N) -> (N)
        // BP4: (N, B) (B, K) -> (N, K), one times the product plus zero times what was there.
        general_mat_mul(T::one(), &delta.t(), &activations[l], T::zero(), &mut nabla_w[l]);
        if l > 0 {
            let slope = zs[l - 1].mapv(|z| activation_prime(activation, z));
            delta = delta.dot(&layers[l].0) * slope; // BP2: (B, N) (N, K) -> (B, K)
        }
    }
    nabla_b.reverse();
    Nabla { b: nabla_b, w: nabla_w, cost: cost.mean(&zs[last], &activations[last + 1], &y) }
}

fn activate<T: Float>(activation: Activation, z: T) -> T {
    match activation {
        Activation::Sigmoid => z.sigmoid(),
        Activation::Tanh => z.tanh_fast(),
        Activation::Relu => z.max(T::zero()),
    }
}

fn activation_prime<T: Float>(activation: Activation, z: T) -> T {
    match activation {
        Activation::Sigmoid => z.sigmoid() * (T::one() - z.sigmoid()),
        Activation::Tanh => T::one() - z.tanh_fast() * z.tanh_fast(),
        Activation::Relu if z > T::zero() => T::one(),
        Activation::Relu => T::zero(),
    }
}

/// The slope of the sigmoid, `s(z) (1 - s(z))`.
pub fn sigmoid_prime<T: Float>(z: &Array2<T>) -> Array2<T> {
    z.mapv(|z| activation_prime(Activation::Sigmoid, z))
}

/// Softmax of each row.
pub fn softmax<T: Float>(z: &Array2<T>) -> Array2<T> {
    let mut a = z.clone();
    for mut row in a.outer_iter_mut() {
        let max = row.fold(T::neg_infinity(), |m, &z| m.max(z));
        row.mapv_inplace(|z| (z - max).exp_fast());
        let total = row.sum();
        row /= total;
    }
    a
}
