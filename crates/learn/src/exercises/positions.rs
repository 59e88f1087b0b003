//! Positions with sine and cosine.

use m2g_core::nn::sinusoidal;
use m2g_exercises::{Input, Matrix};

use crate::core_values::matrix;
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "positions",
    sources: sources!("20_positions"),
    inputs: &["T", "C"],
    outputs: &["PE"],
    cases: |_| [(2, 2), (5, 4), (6, 6)].map(|(t, c): (usize, usize)| vec![t.into(), c.into()]).into(),
    reference: |input| {
        let (t, c) = (input.count(), input.count());
        Ok(matrix(&sinusoidal(0, t, c, 1e4)).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake { name: "swapped", answer: |input| table(input, 0, |j| j - j % 2, 1).into() },
        Mistake { name: "own_exponent", answer: |input| table(input, 0, |j| j, 0).into() },
        Mistake { name: "from_one", answer: |input| table(input, 1, |j| j - j % 2, 0).into() },
        Mistake { name: "no_two", answer: |input| table(input, 0, |j| j / 2, 0).into() },
    ],
};

/// A table with another first position, exponent, or parity of the sine.
fn table(input: &mut Input, first: usize, exponent: impl Fn(usize) -> usize, sine: usize) -> Matrix {
    let (t, c) = (input.count(), input.count());
    Matrix::from_fn(t, c, |p, j| {
        let angle = (p + first) as f64 / 1e4_f64.powf(exponent(j) as f64 / c as f64);
        if j % 2 == sine { angle.sin() } else { angle.cos() }
    })
}
