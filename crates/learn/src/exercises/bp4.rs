//! BP4: `dC/dw = delta^T a`.

use m2g_core::{Error, Tape, Tensor, Var};
use m2g_exercises::{Input, Matrix, Value};

use crate::core_values::{gradients, matrix, nudge, product, run_on, tensor};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "bp4",
    sources: sources!("09_bp4"),
    inputs: &["delta", "a"],
    outputs: &["dC/dw"],
    cases: |random| {
        let sizes = [(4, 3, 2), (1, 2, 3), (3, 3, 3)];
        sizes.map(|(b, k, n)| vec![random.matrix(b, n).into(), random.matrix(b, k).into()]).into()
    },
    reference: |input| {
        let (delta, a) = (input.matrix(), input.matrix());
        let w = Tensor::zeros(&[delta.cols, a.cols]);
        Ok(matrix(&gradients(&[w], |tape, v| cost(tape, v[0], &delta, &a))?[0]).into())
    },
    gradient: Some(|case, _, index, step| {
        let input = &mut Input::new(case.clone());
        let (delta, a) = (input.matrix(), input.matrix());
        let mut w = Value::Matrix(Matrix::zeros(delta.cols, a.cols));
        nudge(&mut w, &[], index, step);
        let Value::Matrix(w) = w else { return Ok(0.0) };
        Ok(run_on(&[&w], |tape, v| cost(tape, v[0], &delta, &a))?.data[0])
    }),
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_transpose",
            answer: |input| product(&input.matrix(), &input.matrix()).map_or(STOPS, Into::into),
        },
        Mistake {
            name: "wrong_transpose",
            answer: |input| product(&input.matrix(), &input.matrix().transpose()).map_or(STOPS, Into::into),
        },
        Mistake {
            name: "swapped",
            answer: |input| {
                let (delta, a) = (input.matrix(), input.matrix());
                a.transpose().matmul(&delta).into()
            },
        },
        Mistake {
            name: "mean",
            answer: |input| {
                let (delta, a) = (input.matrix(), input.matrix());
                delta.transpose().matmul(&a).scale(1.0 / a.rows as f64).into()
            },
        },
    ],
};

/// The sum of delta * (a w^T), a cost whose gradient with respect to the sums z is delta.
fn cost(tape: &mut Tape<f64>, w: Var, delta: &Matrix, a: &Matrix) -> Result<Var, Error> {
    let [a, delta_on_tape] = [tensor(a)?, tensor(delta)?].map(|t| tape.input(t));
    let z = tape.linear(a, w, None)?; // (B, K) (K, N) -> (B, N)
    let product = tape.mul(delta_on_tape, z)?;
    let mean = tape.mean(product)?;
    tape.scale(mean, delta.data.len() as f64)
}
