//! Activation functions and their derivatives, written by hand.

use m2g_core::Float;
use m2g_core::nn::Activation;
use ndarray::Array2;

/// The activation `s(z)` of a hidden neuron.
pub(crate) fn activate<T: Float>(activation: Activation, z: T) -> T {
    match activation {
        Activation::Sigmoid => z.sigmoid(),
        Activation::Tanh => z.tanh_fast(),
        Activation::Relu => z.max(T::zero()),
        Activation::Gelu => z * gelu_gate(z),
    }
}

/// The derivative of the activation, `s'(z)`.
pub(crate) fn activation_prime<T: Float>(activation: Activation, z: T) -> T {
    match activation {
        Activation::Sigmoid => z.sigmoid() * (T::one() - z.sigmoid()),
        Activation::Tanh => T::one() - z.tanh_fast() * z.tanh_fast(),
        Activation::Relu if z > T::zero() => T::one(),
        Activation::Relu => T::zero(),
        Activation::Gelu => {
            // z s(u) with u = 2 sqrt(2/pi) (z + 0.044715 z^3) has the derivative s + z s (1 - s) u'.
            let s = gelu_gate(z);
            // Where z^2 overflows, s (1 - s) is 0, and 0 times infinity would be NaN.
            let cubic = (T::of(3.0 * GELU_CUBIC) * z * z).min(T::max_value());
            s + z * s * (T::one() - s) * T::of(GELU_LINEAR) * (T::one() + cubic)
        }
    }
}

/// `2 sqrt(2/pi)`, the linear coefficient of GELU: see [`m2g_core::ops::gelu`].
const GELU_LINEAR: f64 = 1.595_769_121_605_731;
/// The coefficient of `z^3`.
const GELU_CUBIC: f64 = 0.044_715;

/// The share of `z` that GELU lets through: `sigmoid(2 sqrt(2/pi) (z + 0.044715 z^3))`.
fn gelu_gate<T: Float>(z: T) -> T {
    (T::of(GELU_LINEAR) * (z + T::of(GELU_CUBIC) * z * z * z)).sigmoid()
}

/// The derivative of the sigmoid `s`, `s(z) (1 - s(z))`.
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
