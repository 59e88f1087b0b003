//! The bigram model: softmax of the logarithms of counts.

use m2g_exercises::{Input, Matrix};

use crate::core_values::run_on;
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "bigram",
    sources: sources!("18_bigram"),
    inputs: &["tokens", "vocabulary"],
    outputs: &["p"],
    cases: |random| [(5, 2), (12, 4), (30, 3)].map(|(t, v)| vec![random.ids(t, v).into(), v.into()]).into(),
    reference: |input| {
        let logits = counts(input, 1.0).map(f64::ln);
        Ok(run_on(&[&logits], |tape, v| tape.softmax(v[0]))?.into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake { name: "reversed", answer: |input| shares(&counts(input, 1.0).transpose()).into() },
        Mistake { name: "no_ones", answer: |input| shares(&counts(input, 0.0)).into() },
        Mistake {
            name: "wrong_axis",
            answer: |input| shares(&counts(input, 1.0).transpose()).transpose().into(),
        },
        Mistake { name: "counts", answer: |input| counts(input, 1.0).into() },
    ],
};

/// How often each token follows each, counted from `start`.
fn counts(input: &mut Input, start: f64) -> Matrix {
    let (tokens, vocabulary) = (input.ids(), input.count());
    let mut counts = Matrix::from_fn(vocabulary, vocabulary, |_, _| start);
    tokens.windows(2).for_each(|pair| counts[(pair[0], pair[1])] += 1.0);
    counts
}

/// Each element's share of its row.
fn shares(counts: &Matrix) -> Matrix {
    let sum = |i: usize| counts.row(i).iter().sum::<f64>();
    Matrix::from_fn(counts.rows, counts.cols, |i, j| counts[(i, j)] / sum(i))
}
