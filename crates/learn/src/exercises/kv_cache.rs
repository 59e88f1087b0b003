//! A step with a KV cache: one query against all keys.

use m2g_exercises::given::softmax;
use m2g_exercises::{Input, Matrix};

use crate::core_values::{run, shaped};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "kv_cache",
    sources: sources!("31_kv_cache"),
    inputs: &["keys", "values", "q", "k", "v"],
    outputs: &["keys", "values", "y"],
    cases: |random| {
        let case = |(t, d)| {
            let mut case = vec![random.matrix(t, d).into(), random.matrix(t, d).into()];
            case.extend((0..3).map(|_| random.numbers(d).into()));
            case
        };
        [(1, 2), (4, 3), (3, 3)].map(case).into()
    },
    reference: |input| {
        let Arguments { keys, values, q, k, v } = Arguments::of(input);
        let (keys, values) = (below(&keys, &k), below(&values, &v));
        let head = |m: &Matrix| shaped(&[1, 1, m.rows, m.cols], m);
        let y = run(&[head(&q)?, head(&keys)?, head(&values)?], |tape, v| {
            let scores = tape.batched_matmul_transposed(v[0], v[1])?;
            let scores = tape.scale(scores, (q.cols as f64).powf(-0.5))?;
            let weights = tape.softmax(scores)?;
            tape.batched_matmul(weights, v[2])
        })?;
        Ok((keys, values, y.data().to_vec()).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "without_itself",
            answer: |input| {
                let Arguments { keys, values, q, k, v } = Arguments::of(input);
                let y = attend(&q, &keys, &values, 1.0);
                (below(&keys, &k), below(&values, &v), y).into()
            },
        },
        Mistake {
            name: "in_front",
            answer: |input| {
                let Arguments { keys, values, q, k, v } = Arguments::of(input);
                let (keys, values) = (below(&k, &keys), below(&v, &values));
                let y = attend(&q, &keys, &values, 1.0);
                (keys, values, y).into()
            },
        },
        Mistake {
            name: "no_scale",
            answer: |input| {
                let Arguments { keys, values, q, k, v } = Arguments::of(input);
                let (keys, values) = (below(&keys, &k), below(&values, &v));
                let y = attend(&q, &keys, &values, (q.cols as f64).sqrt());
                (keys, values, y).into()
            },
        },
    ],
};

/// The caches, and the newest rows as matrices with one row.
struct Arguments {
    keys: Matrix,
    values: Matrix,
    q: Matrix,
    k: Matrix,
    v: Matrix,
}

impl Arguments {
    fn of(input: &mut Input) -> Self {
        let (keys, values) = (input.matrix(), input.matrix());
        let mut row = || {
            let numbers = input.numbers();
            Matrix::new(1, numbers.len(), numbers)
        };
        Self { keys, values, q: row(), k: row(), v: row() }
    }
}

/// The rows of `m`, then those of `other`.
fn below(m: &Matrix, other: &Matrix) -> Matrix {
    Matrix::new(m.rows + other.rows, m.cols, [&m.data[..], &other.data].concat())
}

/// Attention with the scores times a factor.
fn attend(q: &Matrix, keys: &Matrix, values: &Matrix, factor: f64) -> Vec<f64> {
    let scores = q.matmul(&keys.transpose()).scale(factor / (q.cols as f64).sqrt());
    softmax(&scores).matmul(values).data
}
