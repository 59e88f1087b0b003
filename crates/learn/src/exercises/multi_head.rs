//! Several heads, by the fused op of the core and a linear layer.

use m2g_core::Mask;
use m2g_core::ops::attention::AttentionOptions;
use m2g_exercises::given::{columns, head, side_by_side};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{matrix, run, shaped, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "multi_head",
    sources: sources!("27_multi_head"),
    inputs: &["q", "k", "v", "n_head", "w"],
    outputs: &["y"],
    cases: |random| {
        let case = |(t, c, n_head): (usize, usize, usize)| {
            let mut case: Vec<_> = (0..3).map(|_| random.matrix(t, c).into()).collect();
            case.extend([n_head.into(), random.matrix(c, c).into()]);
            case
        };
        [(2, 4, 1), (3, 6, 3), (4, 4, 2)].map(case).into()
    },
    reference: |input| {
        let Arguments { qkv: [q, k, v], n_head, w } = Arguments::of(input);
        let qkv = side_by_side(&[q, k, v]);
        let y = run(&[shaped(&[1, qkv.rows, qkv.cols], &qkv)?, tensor(&w)?], |tape, v| {
            let heads = tape.attention(v[0], AttentionOptions::new(n_head, Mask::Causal))?;
            tape.linear(heads, v[1], None)
        })?;
        Ok(matrix(&y).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "one_head",
            answer: |input| {
                let Arguments { qkv: [q, k, v], w, .. } = Arguments::of(input);
                head(&q, &k, &v).matmul(&w.transpose()).into()
            },
        },
        Mistake { name: "no_projection", answer: |input| heads(&Arguments::of(input)).into() },
        Mistake {
            name: "no_transpose",
            answer: |input| {
                let arguments = Arguments::of(input);
                heads(&arguments).matmul(&arguments.w).into()
            },
        },
        Mistake {
            name: "interleaved",
            answer: |input| {
                let Arguments { qkv, n_head, w } = Arguments::of(input);
                let every = |h: usize| {
                    let [q, k, v] = qkv
                        .each_ref()
                        .map(|m| Matrix::from_fn(m.rows, m.cols / n_head, |i, j| m[(i, j * n_head + h)]));
                    head(&q, &k, &v)
                };
                side_by_side(&(0..n_head).map(every).collect::<Vec<_>>()).matmul(&w.transpose()).into()
            },
        },
    ],
};

struct Arguments {
    qkv: [Matrix; 3],
    n_head: usize,
    w: Matrix,
}

impl Arguments {
    fn of(input: &mut Input) -> Self {
        Self {
            qkv: [input.matrix(), input.matrix(), input.matrix()],
            n_head: input.count(),
            w: input.matrix(),
        }
    }
}

/// All heads side by side.
fn heads(Arguments { qkv: [q, k, v], n_head, .. }: &Arguments) -> Matrix {
    let d = q.cols / n_head;
    let one = |h: usize| {
        let part = |m: &Matrix| columns(m, h * d, (h + 1) * d);
        head(&part(q), &part(k), &part(v))
    };
    side_by_side(&(0..*n_head).map(one).collect::<Vec<_>>())
}
