//! Layer norm.

use m2g_core::Tensor;
use m2g_exercises::{Input, Matrix};

use crate::core_values::{matrix, run, tensor};
use crate::exercise::{Exercise, Mistake, sources};

/// What is added to the variance.
const EPSILON: f64 = 1e-5;

pub const EXERCISE: Exercise = Exercise {
    name: "layer_norm",
    sources: sources!("28_layer_norm"),
    inputs: &["x", "gain", "bias"],
    outputs: &["y"],
    cases: |random| {
        let case =
            |(t, c)| vec![random.matrix(t, c).into(), random.numbers(c).into(), random.numbers(c).into()];
        [(2, 4), (4, 3), (3, 3)].map(case).into()
    },
    reference: |input| {
        let (x, gain, bias) = (input.matrix(), input.numbers(), input.numbers());
        let [gain, bias] = [gain, bias].map(|numbers| Tensor::from_vec(&[numbers.len()], numbers));
        let y = run(&[tensor(&x)?, gain?, bias?], |tape, v| tape.layer_norm(v[0], v[1], Some(v[2])))?;
        Ok(matrix(&y).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "sample_variance",
            answer: |input| scaled(input, |x| normalised(x, x.cols as f64 - 1.0, f64::sqrt)).into(),
        },
        Mistake {
            name: "wrong_axis",
            answer: |input| {
                scaled(input, |x| normalised(&x.transpose(), x.rows as f64, f64::sqrt).transpose()).into()
            },
        },
        Mistake {
            name: "no_gain",
            answer: |input| {
                let x = input.matrix();
                normalised(&x, x.cols as f64, f64::sqrt).into()
            },
        },
        Mistake {
            name: "no_root",
            answer: |input| scaled(input, |x| normalised(x, x.cols as f64, |v| v)).into(),
        },
        Mistake {
            name: "no_epsilon",
            answer: |input| scaled(input, |x| normalised(x, x.cols as f64, |v| (v - EPSILON).sqrt())).into(),
        },
        Mistake {
            name: "epsilon_outside",
            answer: |input| {
                scaled(input, |x| normalised(x, x.cols as f64, |v| (v - EPSILON).sqrt() + EPSILON)).into()
            },
        },
    ],
};

/// The rows with mean 0, divided by a function of their variance plus epsilon.
fn normalised(x: &Matrix, divisor: f64, root: impl Fn(f64) -> f64) -> Matrix {
    let mut y = x.clone();
    for row in y.data.chunks_mut(x.cols) {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / divisor;
        row.iter_mut().for_each(|x| *x = (*x - mean) / root(variance + EPSILON));
    }
    y
}

/// Applies gain and bias to the columns of a normalised matrix.
fn scaled(input: &mut Input, normalise: impl Fn(&Matrix) -> Matrix) -> Matrix {
    let (y, gain, bias) = (normalise(&input.matrix()), input.numbers(), input.numbers());
    Matrix::from_fn(y.rows, y.cols, |i, j| y[(i, j)] * gain[j] + bias[j])
}
