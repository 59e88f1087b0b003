//! What neurons do with their weighted inputs, by hand: activations and their slopes.

use m2g_core::Float;
use m2g_core::nn::Activation;
use ndarray::Array2;

/// The activation `s(z)` of a hidden neuron.
pub(crate) fn activate<T: Float>(activation: Activation, z: T) -> T {
    match activation {
        Activation::Sigmoid => z.sigmoid(),
        Activation::Tanh => z.tanh_fast(),
        Activation::Relu => z.max(T::zero()),
    }
}

/// Its slope, `s'(z)`.
pub(crate) fn activation_prime<T: Float>(activation: Activation, z: T) -> T {
    match activation {
        Activation::Sigmoid => z.sigmoid() * (T::one() - z.sigmoid()),
        Activation::Tanh => T::one() - z.tanh_fast() * z.tanh_fast(),
        Activation::Relu if z > T::zero() => T::one(),
        Activation::Relu => T::zero(),
    }
}

/// The slope of the sigmoid, `s(z) (1 - s(z))`.
pub(crate) fn sigmoid_prime<T: Float>(z: &Array2<T>) -> Array2<T> {
    z.mapv(|z| activation_prime(Activation::Sigmoid, z))
}

/// The softmax of each row.
pub(crate) fn softmax<T: Float>(z: &Array2<T>) -> Array2<T> {
    let mut a = z.clone();
    for mut row in a.outer_iter_mut() {
        let max = row.fold(T::neg_infinity(), |m, &z| m.max(z));
        row.mapv_inplace(|z| (z - max).exp_fast());
        let total = row.sum();
        row /= total;
    }
    a
}
