//! Cross-attention with padding, by the core's op.

use m2g_core::Mask;
use m2g_core::ops::attention::AttentionOptions;
use m2g_exercises::given::{side_by_side, softmax};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{matrix, run, shaped};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "cross_attention",
    sources: sources!("33_cross_attention"),
    inputs: &["q", "k", "v", "length"],
    outputs: &["y"],
    cases: |random| {
        let case = |(t, s, d, length): (usize, usize, usize, usize)| {
            let (q, k, v) = (random.matrix(t, d), random.matrix(s, d), random.matrix(s, d));
            vec![q.into(), k.into(), v.into(), length.into()]
        };
        // At least two rows are hidden, so that hiding one less differs from hiding none.
        // A padded source that is longer than the target tells T from S.
        [(2, 4, 3, 4), (2, 5, 3, 3), (3, 3, 2, 1), (4, 4, 4, 2)].map(case).into()
    },
    reference: |input| {
        let (q, k, v, length) = (input.matrix(), input.matrix(), input.matrix(), input.count());
        let kv = side_by_side(&[k, v]); // (S, 2D)
        let y =
            run(&[shaped(&[1, q.rows, q.cols], &q)?, shaped(&[1, kv.rows, kv.cols], &kv)?], |tape, v| {
                tape.cross_attention(v[0], v[1], AttentionOptions::new(1, Mask::Padding([length].into())))
            })?;
        Ok(matrix(&y).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake { name: "no_padding", answer: |input| attend(input, |_, _, _| false, 1.0).into() },
        Mistake {
            name: "causal",
            answer: |input| attend(input, |i, j, length| j > i || j >= length, 1.0).into(),
        },
        Mistake {
            name: "wrong_axis",
            answer: |input| {
                let (q, k, v, length) = (input.matrix(), input.matrix(), input.matrix(), input.count());
                let scores = q.matmul(&k.transpose()).scale((q.cols as f64).powf(-0.5));
                let shown = |j, i| if j >= length { f64::NEG_INFINITY } else { scores[(i, j)] };
                softmax(&Matrix::from_fn(scores.cols, scores.rows, shown)).transpose().matmul(&v).into()
            },
        },
        Mistake { name: "no_scale", answer: |input| attend(input, |_, j, length| j >= length, 0.0).into() },
    ],
};

/// Attention with some scores hidden, scaled by `D^(-power/2)`.
fn attend(input: &mut Input, hides: impl Fn(usize, usize, usize) -> bool, power: f64) -> Matrix {
    let (q, k, v, length) = (input.matrix(), input.matrix(), input.matrix(), input.count());
    let scores = q.matmul(&k.transpose()).scale((q.cols as f64).powf(-power / 2.0));
    let shown = |i, j| if hides(i, j, length) { f64::NEG_INFINITY } else { scores[(i, j)] };
    softmax(&Matrix::from_fn(scores.rows, scores.cols, shown)).matmul(&v)
}
