//! The gradient check: central differences, held to the tape's gradient.

use m2g_core::Tensor;
use m2g_exercises::Input;
use m2g_exercises::given::bumpy;

use crate::core_values::gradients;
use crate::exercise::{Exercise, Mistake, sources};

/// The step of the cases: large enough that a one-sided difference is visibly off.
const STEP: f64 = 1e-3;

pub const EXERCISE: Exercise = Exercise {
    name: "gradient_check",
    sources: sources!("15_gradient_check"),
    inputs: &["x", "h"],
    outputs: &["slopes"],
    cases: |random| [1, 4, 3].map(|k| vec![random.numbers(k).into(), STEP.into()]).into(),
    reference: |input| {
        let x = input.numbers();
        let found = gradients(&[Tensor::from_vec(&[x.len()], x)?], |tape, v| {
            let a = tape.sigmoid(v[0])?;
            let mean = tape.mean(a)?;
            tape.mul(mean, mean)
        })?;
        Ok(found[0].data().to_vec().into())
    },
    gradient: None,
    mistakes: &[
        Mistake {
            name: "one_sided",
            answer: |input| slopes(input, |x, i, h| (at(x, i, h) - at(x, i, 0.0)) / h).into(),
        },
        Mistake {
            name: "no_two",
            answer: |input| slopes(input, |x, i, h| (at(x, i, h) - at(x, i, -h)) / h).into(),
        },
        Mistake {
            name: "not_restored",
            answer: |input| {
                slopes(input, |x, i, h| {
                    let slope = (at(x, i, h) - at(x, i, -h)) / (2.0 * h);
                    x[i] -= h;
                    slope
                })
                .into()
            },
        },
    ],
};

/// The slope in each direction, by a rule that may change x.
fn slopes(input: &mut Input, slope: impl Fn(&mut Vec<f64>, usize, f64) -> f64) -> Vec<f64> {
    let (mut x, h) = (input.numbers(), input.number());
    (0..x.len()).map(|i| slope(&mut x, i, h)).collect()
}

/// The function with number `i` moved by `h`.
fn at(x: &[f64], i: usize, h: f64) -> f64 {
    let mut x = x.to_vec();
    x[i] += h;
    bumpy(&x)
}
