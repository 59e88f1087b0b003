//! Softmax of each row.

use m2g_exercises::Matrix;

use crate::core_values::run_on;
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "softmax",
    sources: sources!("12_softmax"),
    inputs: &["z"],
    outputs: &["p"],
    cases: |random| {
        let mut cases = [(1, 4), (3, 2), (2, 3), (3, 3)].map(|(b, v)| random.matrix(b, v));
        // Large enough to overflow, and a row far below 0.
        cases[2].data = vec![-1000.0, -1001.0, -1002.5, 1000.0, 999.0, 0.5];
        cases[3].data[1] = 1000.0;
        cases.map(|z| vec![z.into()]).into()
    },
    reference: |input| Ok(run_on(&[&input.matrix()], |tape, v| tape.softmax(v[0]))?.into()),
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_max",
            answer: |input| {
                let e = input.matrix().map(f64::exp);
                Matrix::from_fn(e.rows, e.cols, |i, j| e[(i, j)] / e.row(i).iter().sum::<f64>()).into()
            },
        },
        Mistake {
            name: "max_from_zero",
            answer: |input| {
                let z = input.matrix();
                let max = |i: usize| z.row(i).iter().copied().fold(0.0, f64::max);
                let e = Matrix::from_fn(z.rows, z.cols, |i, j| (z[(i, j)] - max(i)).exp());
                Matrix::from_fn(e.rows, e.cols, |i, j| e[(i, j)] / e.row(i).iter().sum::<f64>()).into()
            },
        },
        Mistake {
            name: "whole_matrix",
            answer: |input| {
                let z = input.matrix();
                let max = |i: usize| z.row(i).iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let e = Matrix::from_fn(z.rows, z.cols, |i, j| (z[(i, j)] - max(i)).exp());
                let sum: f64 = e.data.iter().sum();
                e.scale(1.0 / sum).into()
            },
        },
        Mistake {
            name: "wrong_axis",
            answer: |input| m2g_exercises::given::softmax(&input.matrix().transpose()).transpose().into(),
        },
    ],
};
