//! Query, key and value: one linear layer, cut in three.

use m2g_core::Tensor;
use m2g_exercises::given::{add_to_rows, columns};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{matrix, run, shaped, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "qkv",
    sources: sources!("21_qkv"),
    inputs: &["x", "w", "b"],
    outputs: &["q", "k", "v"],
    cases: |random| {
        let case = |(t, c)| {
            vec![random.matrix(t, c).into(), random.matrix(3 * c, c).into(), random.numbers(3 * c).into()]
        };
        [(2, 3), (1, 2), (3, 3)].map(case).into()
    },
    reference: |input| {
        let (x, w, b) = (input.matrix(), input.matrix(), input.numbers());
        let inputs = [shaped(&[1, x.rows, x.cols], &x)?, tensor(&w)?, Tensor::from_vec(&[b.len()], b)?];
        let part = |part: usize| {
            let one = run(&inputs, |tape, v| {
                let qkv = tape.linear(v[0], v[1], Some(v[2]))?; // (1, T, 3C)
                tape.split_heads(qkv, part, 3, 1)
            });
            one.map(|one| matrix(&one))
        };
        Ok((part(0)?, part(1)?, part(2)?).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "wrong_order",
            answer: |input| {
                let [q, k, v] = parts(input, true);
                (k, q, v).into()
            },
        },
        Mistake {
            name: "interleaved",
            answer: |input| {
                let z = all(input, true);
                let part = |n: usize| Matrix::from_fn(z.rows, z.cols / 3, |i, j| z[(i, 3 * j + n)]);
                (part(0), part(1), part(2)).into()
            },
        },
        Mistake {
            name: "no_bias",
            answer: |input| {
                let [q, k, v] = parts(input, false);
                (q, k, v).into()
            },
        },
    ],
};

/// All 3C columns.
fn all(input: &mut Input, bias: bool) -> Matrix {
    let (x, w, b) = (input.matrix(), input.matrix(), input.numbers());
    let z = x.matmul(&w.transpose());
    if bias { add_to_rows(&z, &b) } else { z }
}

fn parts(input: &mut Input, bias: bool) -> [Matrix; 3] {
    let z = all(input, bias);
    let c = z.cols / 3;
    [0, 1, 2].map(|n| columns(&z, n * c, (n + 1) * c))
}
