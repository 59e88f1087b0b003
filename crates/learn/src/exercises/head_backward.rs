//! The gradient of a head of attention, by the tape.

use m2g_core::ops::attention::AttentionOptions;
use m2g_core::{Error, Mask, Tape, Var};
use m2g_exercises::given::{attention_weights, columns, head, side_by_side};
use m2g_exercises::{Input, Matrix};

use super::head::cases;
use crate::core_values::{dot, gradients, matrix, nudge, shaped};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "head_backward",
    sources: sources!("26_head_backward"),
    inputs: &["q", "k", "v", "dy"],
    outputs: &["dq", "dk", "dv"],
    cases: |random| cases(random, 4),
    reference: |input| {
        let qkv = side_by_side(&[input.matrix(), input.matrix(), input.matrix()]); // (T, 3D)
        let dy = input.matrix();
        let found = gradients(&[shaped(&[1, qkv.rows, qkv.cols], &qkv)?], |tape, v| cost(tape, v[0], &dy))?;
        let (all, d) = (matrix(&found[0]), dy.cols);
        Ok((columns(&all, 0, d), columns(&all, d, 2 * d), columns(&all, 2 * d, 3 * d)).into())
    },
    gradient: Some(|case, path, index, step| {
        let mut case = case.clone();
        if let Some(argument) = path.first().and_then(|&part| case.get_mut(part)) {
            nudge(argument, &[], index, step);
        }
        let input = &mut Input::new(case);
        Ok(dot(&head(&input.matrix(), &input.matrix(), &input.matrix()), &input.matrix()))
    }),
    groups: &[],
    mistakes: &[
        Mistake { name: "no_scale", answer: |input| backward(input, Wrong::Scale).into() },
        Mistake { name: "no_row_term", answer: |input| backward(input, Wrong::RowTerm).into() },
        Mistake { name: "no_transpose_dv", answer: |input| backward(input, Wrong::TransposeDv).into() },
        Mistake { name: "no_transpose_dk", answer: |input| backward(input, Wrong::TransposeDk).into() },
    ],
};

/// The sum of `y * dy`, a cost whose gradient with respect to y is dy.
fn cost(tape: &mut Tape<f64>, qkv: Var, dy: &Matrix) -> Result<Var, Error> {
    let y = tape.attention(qkv, AttentionOptions::new(1, Mask::Causal))?;
    let on_tape = tape.input(shaped(&[1, dy.rows, dy.cols], dy)?);
    let product = tape.mul(y, on_tape)?;
    let mean = tape.mean(product)?;
    tape.scale(mean, dy.data.len() as f64)
}

/// What is done wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Scale,
    RowTerm,
    TransposeDv,
    TransposeDk,
}

fn backward(input: &mut Input, wrong: Wrong) -> (Matrix, Matrix, Matrix) {
    let (q, k, v, dy) = (input.matrix(), input.matrix(), input.matrix(), input.matrix());
    let p = attention_weights(&q, &k);
    let dv = if wrong == Wrong::TransposeDv { p.matmul(&dy) } else { p.transpose().matmul(&dy) };
    let product = dy.matmul(&v.transpose()).times(&p);
    let sum = |i: usize| if wrong == Wrong::RowTerm { 0.0 } else { product.row(i).iter().sum::<f64>() };
    let ds = Matrix::from_fn(p.rows, p.cols, |i, j| product[(i, j)] - p[(i, j)] * sum(i));
    let scale = if wrong == Wrong::Scale { 1.0 } else { (q.cols as f64).powf(-0.5) };
    let dk = if wrong == Wrong::TransposeDk { ds.matmul(&q) } else { ds.transpose().matmul(&q) };
    (ds.matmul(&k).scale(scale), dk.scale(scale), dv)
}
