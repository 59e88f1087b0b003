//! Scores: `q k^T / sqrt(D)`.

use m2g_exercises::Input;

use crate::core_values::{matrix, product, run, shaped};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "scores",
    sources: sources!("22_scores"),
    inputs: &["q", "k"],
    outputs: &["scores"],
    cases: |random| {
        [(2, 4), (4, 2), (3, 3)]
            .map(|(t, d)| vec![random.matrix(t, d).into(), random.matrix(t, d).into()])
            .into()
    },
    reference: |input| {
        let (q, k) = (input.matrix(), input.matrix());
        let inputs = [shaped(&[1, 1, q.rows, q.cols], &q)?, shaped(&[1, 1, k.rows, k.cols], &k)?];
        let scores = run(&inputs, |tape, v| {
            let product = tape.batched_matmul_transposed(v[0], v[1])?;
            tape.scale(product, (q.cols as f64).powf(-0.5))
        })?;
        Ok(matrix(&scores).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake { name: "no_scale", answer: |input| products(input, |_| 1.0).into() },
        Mistake { name: "no_root", answer: |input| products(input, |d| 1.0 / d).into() },
        Mistake { name: "swapped", answer: |input| products(input, |d| d.powf(-0.5)).transpose().into() },
        Mistake {
            name: "no_transpose",
            answer: |input| {
                let (q, k) = (input.matrix(), input.matrix());
                product(&q, &k).map_or(STOPS, |scores| scores.scale((q.cols as f64).powf(-0.5)).into())
            },
        },
    ],
};

/// `q k^T` times a factor of D.
fn products(input: &mut Input, factor: impl Fn(f64) -> f64) -> m2g_exercises::Matrix {
    let (q, k) = (input.matrix(), input.matrix());
    q.matmul(&k.transpose()).scale(factor(q.cols as f64))
}
