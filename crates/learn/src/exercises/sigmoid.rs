//! The sigmoid and its slope, by the tape.

use m2g_exercises::Matrix;
use m2g_exercises::given::{sigmoid, sigmoid_prime};

use crate::core_values::{gradients, matrix, nudge, run_on, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "sigmoid",
    sources: sources!("02_sigmoid"),
    inputs: &["z"],
    outputs: &["sigmoid(z)", "sigmoid_prime(z)"],
    cases: |random| [(1, 2), (2, 3), (3, 3)].map(|(b, n)| vec![random.matrix(b, n).into()]).into(),
    reference: |input| {
        let z = input.matrix();
        let a = run_on(&[&z], |tape, v| tape.sigmoid(v[0]))?;
        // The gradient of the sum of all activations: the mean times their number.
        let slope = gradients(&[tensor(&z)?], |tape, v| {
            let a = tape.sigmoid(v[0])?;
            let mean = tape.mean(a)?;
            tape.scale(mean, z.data.len() as f64)
        })?;
        Ok((a, matrix(&slope[0])).into())
    },
    gradient: Some(|case, path, index, step| {
        let mut z = case[0].clone();
        nudge(&mut z, &[], index, step);
        let m2g_exercises::Value::Matrix(z) = z else { return Ok(f64::NAN) };
        let a = run_on(&[&z], |tape, v| tape.sigmoid(v[0]))?;
        Ok(if path == [1] { a.data.iter().sum() } else { f64::NAN }) // the sigmoid itself is no gradient
    }),
    groups: &[],
    mistakes: &[
        Mistake {
            name: "wrong_sign",
            answer: |input| {
                let z = input.matrix().scale(-1.0);
                (sigmoid(&z), sigmoid_prime(&z)).into()
            },
        },
        Mistake {
            name: "minus_outside",
            answer: |input| {
                let a = input.matrix().map(|z| 1.0 / (1.0 - z.exp()));
                (a.clone(), a.map(|a| a * (1.0 - a))).into()
            },
        },
        Mistake {
            name: "slope_without_sigmoid",
            answer: |input| {
                let z = input.matrix();
                (sigmoid(&z), z.map(|z| z * (1.0 - z))).into()
            },
        },
        Mistake {
            name: "sigmoid_twice",
            answer: |input| {
                let a: Matrix = sigmoid(&input.matrix());
                (a.clone(), sigmoid_prime(&a)).into()
            },
        },
    ],
};
