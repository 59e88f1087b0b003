//! # A neuron
//!
//! A neuron multiplies each input by a weight, adds a bias, and squashes the sum into 0..1:
//!
//!     z = w_1 x_1 + ... + w_K x_K + b        one number
//!     a = 1 / (1 + e^-z)                     one number between 0 and 1
//!
//! Fill the gap of `neuron`. The weights `w` and the inputs `x` have K numbers each.
//! In Rust, `x.exp()` is e^x, and the last line of a function without `;` is its result.

use m2g_exercises::answer;

/// w (K), b, x (K) -> a
fn neuron(w: &[f64], b: f64, x: &[f64]) -> f64 {
    todo!()
}

fn main() {
    answer(|input| neuron(&input.numbers(), input.number(), &input.numbers()));
}
