//! A block: `x + attention(norm(x))`, then `x + mlp(norm(x))`.

use m2g_core::ops::attention::AttentionOptions;
use m2g_core::{Mask, Tensor};
use m2g_exercises::given::{head, mlp, norm};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{matrix, run, shaped, tensor};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "block",
    sources: sources!("29_block"),
    inputs: &["x", "w1", "w2"],
    outputs: &["y"],
    cases: |random| {
        let case = |(t, c)| {
            vec![random.matrix(t, c).into(), random.matrix(4 * c, c).into(), random.matrix(c, 4 * c).into()]
        };
        [(1, 4), (4, 2), (3, 3)].map(case).into()
    },
    reference: |input| {
        let (x, w1, w2) = (input.matrix(), input.matrix(), input.matrix());
        let c = x.cols;
        // Queries, keys and values are the input itself: three identities.
        let identity = Matrix::from_fn(3 * c, c, |i, j| if i % c == j { 1.0 } else { 0.0 });
        let ones = Tensor::from_vec(&[c], vec![1.0; c])?;
        let inputs = [shaped(&[1, x.rows, c], &x)?, tensor(&w1)?, tensor(&w2)?, tensor(&identity)?, ones];
        let y = run(&inputs, |tape, v| {
            let h = tape.layer_norm(v[0], v[4], None)?;
            let qkv = tape.linear(h, v[3], None)?;
            let attended = tape.attention(qkv, AttentionOptions::new(1, Mask::Causal))?;
            let x = tape.add(v[0], attended)?;
            let h = tape.layer_norm(x, v[4], None)?;
            let hidden = tape.linear(h, v[1], None)?;
            let hidden = tape.relu(hidden)?;
            let thought = tape.linear(hidden, v[2], None)?;
            tape.add(x, thought)
        })?;
        Ok(matrix(&y).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_residual",
            answer: |input| with(input, |x, attention, mlp| mlp(&norm(&attention(&norm(x))))).into(),
        },
        Mistake {
            name: "norm_after",
            answer: |input| {
                with(input, |x, attention, mlp| {
                    let x = norm(&(x + &attention(x)));
                    norm(&(&x + &mlp(&x)))
                })
                .into()
            },
        },
        Mistake {
            name: "no_norm",
            answer: |input| {
                with(input, |x, attention, mlp| {
                    let x = x + &attention(x);
                    &x + &mlp(&x)
                })
                .into()
            },
        },
        Mistake {
            name: "parallel",
            answer: |input| {
                with(input, |x, attention, mlp| &(x + &attention(&norm(x))) + &mlp(&norm(x))).into()
            },
        },
    ],
};

/// A function of a matrix.
type Layer<'a> = &'a dyn Fn(&Matrix) -> Matrix;

fn with(input: &mut Input, block: impl Fn(&Matrix, Layer, Layer) -> Matrix) -> Matrix {
    let (x, w1, w2) = (input.matrix(), input.matrix(), input.matrix());
    block(&x, &|h| head(h, h, h), &|h| mlp(h, &w1, &w2))
}
