//! Backpropagation by hand: the four equations of chapter 2.
//!
//! The book processes one example at a time, as a column vector. Here the B examples
//! of a mini-batch are the rows of a matrix, the book's exercise "fully matrix-based
//! approach": every `w a` becomes `a w^T`, and the matrix product of BP4 sums over the
//! examples.
//!
//! | | the book, one example | here, B examples | shapes |
//! | --- | --- | --- | --- |
//! | forward | `z = w a + b` | `z = a w^T + b` | `(B, N) = (B, K) (K, N) + (1, N)` |
//! | BP1 | `delta^L = dC/da * s'(z^L)` | the same, divided by B | `(B, N)` |
//! | BP2 | `delta^l = w^(l+1)^T delta^(l+1) * s'(z^l)` | `delta^(l+1) w^(l+1) * s'(z^l)` | `(B, K) = (B, N) (N, K)` |
//! | BP3 | `dC/db = delta` | the sum of the rows of `delta` | `(N)` |
//! | BP4 | `dC/dw = delta a^T` | `delta^T a` | `(N, K) = (N, B) (B, K)` |
//!
//! The tape computes the same gradients without these equations; a test compares the
//! two.

use m2g_core::Float;
use m2g_core::nn::Activation;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::Cost;
use crate::neuron::{activate, activation_prime};

/// The weights `(N, K)` and biases `(1, N)` of each layer, first to last: a bias is a row that is added to each row of
/// `a w^T`.
pub type Layers<'a, T> = [(ArrayView2<'a, T>, ArrayView2<'a, T>)];

/// The gradient of the mean cost with respect to the biases and weights of each
/// layer, and the cost itself.
#[derive(Debug)]
pub struct Nabla<T> {
    /// `dC/db`, `(N)` for each layer.
    pub b: Vec<Array1<T>>,
    /// `dC/dw`, `(N, K)` for each layer.
    pub w: Vec<Array2<T>>,
    /// The mean cost of the mini-batch.
    pub cost: T,
}

/// The gradient of the mean cost of a mini-batch with inputs `x`, `(B, K)`, and
/// desired outputs `y`, `(B, N)`. The gradients of the weights overwrite `nabla_w`, one
/// matrix for each layer, of the shape of its weights.
///
/// # Panics
/// If there is no layer, or a shape does not fit the next: [`Network::backprop`](crate::Network::backprop) checks
/// them first.
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

    // Forward: compute and store every z and every activation, layer by layer.
    let mut activations = vec![x.to_owned()]; // (B, K) each
    let mut zs: Vec<Array2<T>> = Vec::new(); // (B, N) each
    for (l, (w, b)) in layers.iter().enumerate() {
        let z = activations[l].dot(&w.t()) + b; // (B, K) (K, N) + (1, N) -> (B, N)
        let is_last = l + 1 == layers.len();
        activations.push(if is_last { cost.activate(&z) } else { z.mapv(|z| activate(activation, z)) });
        zs.push(z);
    }

    // Backward: propagate the error from the last layer to the first.
    let last = layers.len() - 1;
    let mut delta = cost.delta(&zs[last], &activations[last + 1], &y) / examples; // BP1: (B, N)
    let mut nabla_b = vec![Array1::zeros(0); layers.len()];
    for l in (0..layers.len()).rev() {
        nabla_b[l] = delta.sum_axis(Axis(0)); // BP3: (B, N) -> (N)
        // BP4: nabla_w = delta^T a, (N, B) (B, K) -> (N, K). Written as 1 * delta^T a + 0 * nabla_w, it overwrites
        // the given matrix.
        general_mat_mul(T::one(), &delta.t(), &activations[l], T::zero(), &mut nabla_w[l]);
        if l > 0 {
            let prime = zs[l - 1].mapv(|z| activation_prime(activation, z)); // s'(z) of the layer below
            delta = delta.dot(&layers[l].0) * prime; // BP2: (B, N) (N, K) -> (B, K)
        }
    }
    Nabla { b: nabla_b, w: nabla_w, cost: cost.mean(&zs[last], &activations[last + 1], &y) }
}
