//! A head of causal attention, by the fused op of the core.

use m2g_core::Mask;
use m2g_core::ops::attention::AttentionOptions;
use m2g_exercises::given::{side_by_side, softmax};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{matrix, product, run, shaped};
use crate::exercise::{Case, Exercise, Mistake, Random, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "head",
    sources: sources!("25_head"),
    inputs: &["q", "k", "v"],
    outputs: &["y"],
    cases: |random| cases(random, 3),
    reference: |input| {
        let qkv = side_by_side(&[input.matrix(), input.matrix(), input.matrix()]); // (T, 3D)
        let y = run(&[shaped(&[1, qkv.rows, qkv.cols], &qkv)?], |tape, v| {
            tape.attention(v[0], AttentionOptions::new(1, Mask::Causal))
        })?;
        Ok(matrix(&y).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_mask",
            answer: |input| {
                let (scores, v) = scores(input);
                softmax(&scores).matmul(&v).into()
            },
        },
        Mistake {
            name: "no_scale",
            answer: |input| {
                let (scores, v) = scores(input);
                softmax(&causal(&scores.scale((v.cols as f64).sqrt()), f64::NEG_INFINITY)).matmul(&v).into()
            },
        },
        Mistake {
            name: "mask_after_softmax",
            answer: |input| {
                let (scores, v) = scores(input);
                causal(&softmax(&scores), 0.0).matmul(&v).into()
            },
        },
        Mistake {
            name: "scale_after_softmax",
            answer: |input| {
                let (scores, v) = scores(input);
                let root = (v.cols as f64).sqrt();
                softmax(&causal(&scores.scale(root), f64::NEG_INFINITY)).scale(1.0 / root).matmul(&v).into()
            },
        },
        Mistake {
            name: "wrong_axis",
            answer: |input| {
                let (scores, v) = scores(input);
                softmax(&causal(&scores, f64::NEG_INFINITY).transpose()).transpose().matmul(&v).into()
            },
        },
        Mistake {
            name: "no_transpose",
            answer: |input| {
                let (q, k, v) = (input.matrix(), input.matrix(), input.matrix());
                let scores = product(&q, &k).filter(|scores| scores.cols == v.rows);
                scores.map_or(STOPS, |scores| {
                    let scores = scores.scale((q.cols as f64).powf(-0.5));
                    softmax(&causal(&scores, f64::NEG_INFINITY)).matmul(&v).into()
                })
            },
        },
    ],
};

/// `n` matrices (T, D) each.
pub fn cases(random: &mut Random, n: usize) -> Vec<Case> {
    [(2, 4), (4, 2), (3, 3)].map(|(t, d)| (0..n).map(|_| random.matrix(t, d).into()).collect()).into()
}

/// The scaled scores, and the values.
fn scores(input: &mut Input) -> (Matrix, Matrix) {
    let (q, k, v) = (input.matrix(), input.matrix(), input.matrix());
    (q.matmul(&k.transpose()).scale((q.cols as f64).powf(-0.5)), v)
}

/// The triangle above the diagonal replaced.
fn causal(m: &Matrix, hidden: f64) -> Matrix {
    Matrix::from_fn(m.rows, m.cols, |i, j| if j > i { hidden } else { m[(i, j)] })
}
