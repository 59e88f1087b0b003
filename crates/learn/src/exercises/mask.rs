//! The causal mask, as the core's.

use m2g_core::Mask;
use m2g_exercises::{Input, Matrix};

use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "mask",
    sources: sources!("23_mask"),
    inputs: &["scores"],
    outputs: &["masked"],
    cases: |random| [1, 2, 4].map(|t| vec![random.matrix(t, t).into()]).into(),
    reference: |input| {
        let t = input.matrix();
        let keeps = |i: usize, j: usize| Mask::Causal.visible(0, i, t.cols).contains(&j);
        let hidden = |i, j| if keeps(i, j) { t[(i, j)] } else { f64::NEG_INFINITY };
        Ok(Matrix::from_fn(t.rows, t.cols, hidden).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "other_triangle",
            answer: |input| hide(input, |i, j| j < i, f64::NEG_INFINITY).into(),
        },
        Mistake { name: "diagonal", answer: |input| hide(input, |i, j| j >= i, f64::NEG_INFINITY).into() },
        Mistake { name: "zeros", answer: |input| hide(input, |i, j| j > i, 0.0).into() },
    ],
};

fn hide(input: &mut Input, hides: impl Fn(usize, usize) -> bool, value: f64) -> Matrix {
    let scores = input.matrix();
    Matrix::from_fn(scores.rows, scores.cols, |i, j| if hides(i, j) { value } else { scores[(i, j)] })
}
