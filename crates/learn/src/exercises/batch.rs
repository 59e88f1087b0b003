//! The sums of a mini-batch: `z = x w^T + b`.

use m2g_core::Tensor;
use m2g_exercises::Matrix;
use m2g_exercises::given::add_to_rows;

use crate::core_values::{matrix, product, run, tensor};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "batch",
    sources: sources!("04_batch"),
    inputs: &["x", "w", "b"],
    outputs: &["z"],
    cases: |random| {
        let sizes = [(4, 3, 2), (1, 2, 5), (3, 3, 3)];
        let case = |(b, k, n)| {
            vec![random.matrix(b, k).into(), random.matrix(n, k).into(), random.numbers(n).into()]
        };
        sizes.map(case).into()
    },
    reference: |input| {
        let (x, w, b) = (input.matrix(), input.matrix(), input.numbers());
        let inputs = [tensor(&x)?, tensor(&w)?, Tensor::from_vec(&[b.len()], b)?];
        Ok(matrix(&run(&inputs, |tape, v| tape.linear(v[0], v[1], Some(v[2])))?).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_transpose",
            answer: |input| {
                let (x, w, b) = (input.matrix(), input.matrix(), input.numbers());
                let z = product(&x, &w).filter(|z| z.cols == b.len());
                z.map_or(STOPS, |z| add_to_rows(&z, &b).into())
            },
        },
        Mistake {
            name: "bias_per_row",
            answer: |input| {
                let (x, w, b) = (input.matrix(), input.matrix(), input.numbers());
                let z = x.matmul(&w.transpose());
                Matrix::from_fn(z.rows, z.cols, |i, j| z[(i, j)] + b[i % b.len()]).into()
            },
        },
        Mistake {
            name: "no_bias",
            answer: |input| input.matrix().matmul(&input.matrix().transpose()).into(),
        },
    ],
};
