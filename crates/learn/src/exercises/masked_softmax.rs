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
        // The core hides the ends of rows: each row is a sequence of its own, with its finite scores first.
        let seen = |i: usize| (0..scores.cols).filter(|&j| scores[(i, j)].is_finite()).collect();
        let seen: Vec<Vec<usize>> = (0..scores.rows).map(seen).collect();
        let first = |i: usize, n: usize| seen[i].get(n).map_or(0.0, |&j| scores[(i, j)]);
        let first = Matrix::from_fn(scores.rows, scores.cols, first);
        let rows = shaped(&[scores.rows, 1, 1, scores.cols], &first)?;
        let lengths: Vec<usize> = seen.iter().map(Vec::len).collect();
        let found = run(&[rows], |tape, v| tape.masked_softmax(v[0], Mask::Padding(lengths.into())))?;
        let (found, mut weights) = (matrix(&found), Matrix::zeros(scores.rows, scores.cols));
        for (i, seen) in seen.iter().enumerate() {
            seen.iter().enumerate().for_each(|(n, &j)| weights[(i, j)] = found[(i, n)]);
        }
        Ok(weights.into())
    },
    gradient: None,
    groups: &[],
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
            name: "no_max",
            answer: |input| {
                let scores = input.matrix();
                let e = scores.map(f64::exp);
                let mut weights =
                    Matrix::from_fn(e.rows, e.cols, |i, j| e[(i, j)] / e.row(i).iter().sum::<f64>());
                hidden_rows(&scores).for_each(|i| (0..scores.cols).for_each(|j| weights[(i, j)] = 0.0));
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
    let end = f64::NEG_INFINITY;
    // Hidden scores in front and in the middle, and scores that over- and underflow.
    let large = vec![end, 1000.0, 999.0, 0.5, end, -1.0, -1000.0, -1001.0, end];
    // The last case hides the whole second row.
    vec![
        hidden(2, &|_| 2),
        hidden(4, &|i| i + 1),
        vec![Value::Matrix(Matrix::new(3, 3, large))],
        hidden(3, &|i| [2, 0, 3][i]),
    ]
}

/// The rows without a finite score.
fn hidden_rows(scores: &Matrix) -> impl Iterator<Item = usize> {
    (0..scores.rows).filter(|&i| scores.row(i).iter().all(|s| !s.is_finite()))
}
