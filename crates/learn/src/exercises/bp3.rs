//! BP3: `dC/db` is the sum of the rows of delta.

use m2g_core::Tensor;
use m2g_exercises::given::sum_of_rows;
use m2g_exercises::{Input, Value};

use crate::core_values::{gradients, run, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "bp3",
    sources: sources!("08_bp3"),
    inputs: &["delta"],
    outputs: &["dC/db"],
    cases: |random| [(4, 2), (1, 3), (3, 3)].map(|(b, n)| vec![random.matrix(b, n).into()]).into(),
    reference: |input| {
        // The bias of a layer without inputs, by the tape.
        let delta = input.matrix();
        let found = gradients(&[Tensor::zeros(&[delta.cols])], |tape, v| cost(tape, v[0], &delta))?;
        Ok(found[0].data().to_vec().into())
    },
    gradient: Some(|case, _, index, step| {
        let delta = Input::new(case.clone()).matrix();
        let mut b = Value::Numbers(vec![0.0; delta.cols]);
        crate::core_values::nudge(&mut b, &[], index, step);
        let Value::Numbers(b) = b else { return Ok(0.0) };
        Ok(run(&[Tensor::from_vec(&[b.len()], b)?], |tape, v| cost(tape, v[0], &delta))?.data()[0])
    }),
    groups: &[],
    mistakes: &[
        Mistake { name: "wrong_axis", answer: |input| sum_of_rows(&input.matrix().transpose()).into() },
        Mistake {
            name: "mean",
            answer: |input| {
                let delta = input.matrix();
                sum_of_rows(&delta.scale(1.0 / delta.rows as f64)).into()
            },
        },
    ],
};

/// The sum of delta * (0 + b), a cost whose gradient with respect to the sums z is delta.
fn cost(
    tape: &mut m2g_core::Tape<f64>,
    b: m2g_core::Var,
    delta: &m2g_exercises::Matrix,
) -> Result<m2g_core::Var, m2g_core::Error> {
    let (x, w) = (Tensor::zeros(&[delta.rows, 1]), Tensor::zeros(&[delta.cols, 1]));
    let [x, w, delta_on_tape] = [x, w, tensor(delta)?].map(|t| tape.input(t));
    let z = tape.linear(x, w, Some(b))?; // (B, N)
    let product = tape.mul(delta_on_tape, z)?;
    let mean = tape.mean(product)?;
    tape.scale(mean, delta.data.len() as f64)
}
