//! BP1: `delta = (a - y) / B * s'(z)`.

use m2g_core::Error;
use m2g_exercises::given::{sigmoid, sigmoid_prime};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{gradients, matrix, nudge, run_on, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "bp1",
    sources: sources!("06_bp1"),
    inputs: &["z", "y"],
    outputs: &["delta"],
    cases: |random| {
        let sizes = [(4, 2), (1, 3), (3, 3)];
        sizes.map(|(b, n)| vec![random.matrix(b, n).into(), random.one_hot(b, n).into()]).into()
    },
    reference: |input| {
        let (z, y) = (tensor(&input.matrix())?, tensor(&input.matrix())?);
        let found = gradients(&[z], |tape, v| {
            let a = tape.sigmoid(v[0])?;
            let y = tape.input(y);
            tape.quadratic_cost(a, y)
        })?;
        Ok(matrix(&found[0]).into())
    },
    gradient: Some(|case, _, index, step| {
        let mut case = case.clone();
        nudge(&mut case[0], &[], index, step);
        cost(&mut Input::new(case))
    }),
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_slope",
            answer: |input| {
                let (z, y) = (input.matrix(), input.matrix());
                (&sigmoid(&z) - &y).scale(1.0 / z.rows as f64).into()
            },
        },
        Mistake { name: "wrong_sign", answer: |input| delta(input).scale(-1.0).into() },
        Mistake {
            name: "no_mean",
            answer: |input| {
                let delta = delta(input);
                delta.scale(delta.rows as f64).into()
            },
        },
        Mistake {
            name: "slope_at_a",
            answer: |input| {
                let (z, y) = (input.matrix(), input.matrix());
                let a = sigmoid(&z);
                (&a - &y).scale(1.0 / z.rows as f64).times(&sigmoid_prime(&a)).into()
            },
        },
    ],
};

/// The cost of `a = s(z)`.
fn cost(input: &mut Input) -> Result<f64, Error> {
    let (z, y) = (input.matrix(), input.matrix());
    let cost = run_on(&[&z, &y], |tape, v| {
        let a = tape.sigmoid(v[0])?;
        tape.quadratic_cost(a, v[1])
    })?;
    Ok(cost.data[0])
}

fn delta(input: &mut Input) -> Matrix {
    let (z, y) = (input.matrix(), input.matrix());
    (&sigmoid(&z) - &y).scale(1.0 / z.rows as f64).times(&sigmoid_prime(&z))
}
