//! The gradient check: central differences of a function that the tape computes.

use m2g_core::{Error, Tensor};
use m2g_exercises::Input;
use m2g_exercises::given::bumpy;

use crate::core_values::run;
use crate::exercise::{Exercise, Mistake, sources};

/// The steps of the cases: large enough that a one-sided difference is visibly off. With the second one,
/// the central difference is off too, so that a step of one's own shows.
const STEPS: [f64; 3] = [1e-3, 0.5, 1e-3];

pub const EXERCISE: Exercise = Exercise {
    name: "gradient_check",
    sources: sources!("15_gradient_check"),
    inputs: &["x", "h"],
    outputs: &["slopes"],
    cases: |random| {
        [1, 4, 3].into_iter().zip(STEPS).map(|(k, h)| vec![random.numbers(k).into(), h.into()]).collect()
    },
    reference: |input| {
        let (x, h) = (input.numbers(), input.number());
        let slope = |i: usize| Ok((by_tape(&x, i, h)? - by_tape(&x, i, -h)?) / (2.0 * h));
        Ok((0..x.len()).map(slope).collect::<Result<Vec<f64>, Error>>()?.into())
    },
    gradient: None,
    groups: &[],
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

/// The function by the core, with number `i` moved by `h`.
fn by_tape(x: &[f64], i: usize, h: f64) -> Result<f64, Error> {
    let mut x = x.to_vec();
    x[i] += h;
    let f = run(&[Tensor::from_vec(&[x.len()], x)?], |tape, v| {
        let a = tape.sigmoid(v[0])?;
        let mean = tape.mean(a)?;
        tape.mul(mean, mean)
    })?;
    Ok(f.data()[0])
}

/// The function with number `i` moved by `h`.
fn at(x: &[f64], i: usize, h: f64) -> f64 {
    let mut x = x.to_vec();
    x[i] += h;
    bumpy(&x)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::compare::is_close;
    use crate::core_values::gradients;
    use m2g_exercises::Value;

    #[test]
    fn with_a_small_step_the_slopes_are_the_tapes_gradient() {
        let x = vec![0.3, -1.2, 0.8];
        let found = gradients(&[Tensor::from_vec(&[3], x.clone()).unwrap()], |tape, v| {
            let a = tape.sigmoid(v[0])?;
            let mean = tape.mean(a)?;
            tape.mul(mean, mean)
        });
        let Value::Numbers(slopes) = EXERCISE.expected(&vec![x.into(), 1e-4.into()]).unwrap() else {
            panic!("not numbers")
        };
        for (slope, gradient) in slopes.iter().zip(found.unwrap()[0].data()) {
            assert!(is_close(*slope, *gradient), "{slope} {gradient}");
        }
    }
}
