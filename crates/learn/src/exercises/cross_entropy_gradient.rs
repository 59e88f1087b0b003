//! The gradient of softmax and cross-entropy: `(p - y) / B`.

use m2g_exercises::given::softmax;
use m2g_exercises::{Input, Matrix};

use super::cross_entropy::{cases, loss, tokens};
use crate::core_values::{gradients, matrix, nudge, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "cross_entropy_gradient",
    sources: sources!("14_cross_entropy_gradient"),
    inputs: &["logits", "targets"],
    outputs: &["gradient"],
    cases,
    reference: |input| {
        let (logits, targets) = (input.matrix(), tokens(&input.ids())?);
        Ok(matrix(&gradients(&[tensor(&logits)?], |tape, v| tape.cross_entropy(v[0], &targets))?[0]).into())
    },
    gradient: Some(|case, _, index, step| {
        let mut case = case.clone();
        nudge(&mut case[0], &[], index, step);
        let input = &mut Input::new(case);
        loss(&input.matrix(), &input.ids())
    }),
    groups: &[],
    mistakes: &[
        Mistake { name: "no_mean", answer: |input| gradient(input, 1.0, |_, _| 1.0).into() },
        Mistake { name: "wrong_sign", answer: |input| gradient(input, 1.0, |b, _| -1.0 / b).into() },
        Mistake { name: "no_target", answer: |input| gradient(input, 0.0, |b, _| 1.0 / b).into() },
        Mistake { name: "mean_over_all", answer: |input| gradient(input, 1.0, |b, v| 1.0 / (b * v)).into() },
    ],
};

/// `(p - target * y)` times a factor of B and V.
fn gradient(input: &mut Input, target: f64, factor: impl Fn(f64, f64) -> f64) -> Matrix {
    let (mut p, targets) = (softmax(&input.matrix()), input.ids());
    targets.iter().enumerate().for_each(|(i, &t)| p[(i, t)] -= target);
    p.scale(factor(p.rows as f64, p.cols as f64))
}
