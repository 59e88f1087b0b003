//! # The gradient check
//!
//! How does one know that a derived gradient is right? Change one input a little and see how the
//! result changes. Central differences are much more exact than a step to one side:
//!
//!     df/dx_i = (f(x with x_i + h) - f(x with x_i - h)) / (2h)
//!
//! `f(&x)` computes f of a list. Put each x_i back before you go on with the next.

use m2g_exercises::answer;
use m2g_exercises::given::bumpy;

/// f of K numbers, x (K), the step h -> the slope in each direction (K)
fn slopes(f: fn(&[f64]) -> f64, x: &[f64], h: f64) -> Vec<f64> {
    todo!()
}

fn main() {
    answer(|input| slopes(bumpy, &input.numbers(), input.number()));
}
