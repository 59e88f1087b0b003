//! Softmax of rows with hidden scores, by the core's mask of row lengths.

use m2g_core::Mask;
use m2g_exercises::given::softmax;
use m2g_exercises::{Matrix, Value};

use crate::core_values::{matrix, run, shaped};
use crate::exercise::{Case, Exercise, Mistake, Random, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "masked_softmax",
    sources: sources!("24_masked_softmax"),
    inputs: &["scores"],
    outputs: &["weights"],
    cases,
    reference: |input| {
        let scores = input.matrix();
        // Each row is a sequence of its own, with its finite scores first.
        let seen = |i: usize| scores.row(i).iter().filter(|s| s.is_finite()).count();
        let lengths: Vec<usize> = (0..scores.rows).map(seen).collect();
        let finite = scores.map(|s| if s.is_finite() { s } else { 0.0 });
        let rows = shaped(&[scores.rows, 1, 1, scores.cols], &finite)?;
        let weights = run(&[rows], |tape, v| tape.masked_softmax(v[0], Mask::Padding(lengths.into())))?;
        Ok(matrix(&weights).into())
    },
    gradient: None,
    mistakes: &[
        Mistake {
            name: "not_a_number",
            answer: |input| {
                let scores = input.matrix();
                let mut weights = softmax(&scores);
                hidden_rows(&scores).for_each(|i| (0..scores.cols).for_each(|j| weights[(i, j)] = f64::NAN));
                weights.into()
            },
        },
        Mistake {
            name: "uniform",
            answer: |input| {
                let scores = input.matrix();
                let (mut weights, equal) = (softmax(&scores), 1.0 / scores.cols as f64);
                hidden_rows(&scores).for_each(|i| (0..scores.cols).for_each(|j| weights[(i, j)] = equal));
                weights.into()
            },
        },
        Mistake {
            name: "wrong_axis",
            answer: |input| softmax(&input.matrix().transpose()).transpose().into(),
        },
    ],
};

fn cases(random: &mut Random) -> Vec<Case> {
    let mut hidden = |t: usize, seen: &dyn Fn(usize) -> usize| -> Case {
        let scores = random.matrix(t, t);
        let hide = |i, j| if j < seen(i) { scores[(i, j)] } else { f64::NEG_INFINITY };
        vec![Value::Matrix(Matrix::from_fn(t, t, hide))]
    };
    // The last case hides the whole second row.
    vec![hidden(2, &|_| 2), hidden(4, &|i| i + 1), hidden(3, &|i| [2, 0, 3][i])]
}

/// The rows without a finite score.
fn hidden_rows(scores: &Matrix) -> impl Iterator<Item = usize> {
    (0..scores.rows).filter(|&i| scores.row(i).iter().all(|s| !s.is_finite()))
}
