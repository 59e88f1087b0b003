//! Feedforward of a layer: `a' = s(w a + b)`.

use m2g_core::Tensor;
use m2g_exercises::given::{add_to_rows, sigmoid};
use m2g_exercises::{Input, Matrix};

use crate::core_values::{product, run, tensor};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "layer",
    sources: sources!("03_layer"),
    inputs: &["w", "b", "a"],
    outputs: &["layer"],
    cases: |random| {
        let sizes = [(2, 3), (4, 1), (3, 3)];
        sizes
            .map(|(n, k)| {
                vec![random.matrix(n, k).into(), random.numbers(n).into(), random.numbers(k).into()]
            })
            .into()
    },
    reference: |input| {
        let (w, b, a) = arguments(input);
        let inputs = [Tensor::from_vec(&[1, a.cols], a.data)?, tensor(&w)?, Tensor::from_vec(&[b.len()], b)?];
        let out = run(&inputs, |tape, v| {
            let z = tape.linear(v[0], v[1], Some(v[2]))?;
            tape.sigmoid(z)
        })?;
        Ok(out.data().to_vec().into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "transposed",
            answer: |input| {
                let (w, b, a) = arguments(input);
                let z = product(&a, &w).filter(|z| z.cols == b.len());
                z.map_or(STOPS, |z| sigmoid(&add_to_rows(&z, &b)).data.into())
            },
        },
        Mistake {
            name: "no_bias",
            answer: |input| {
                let (w, _, a) = arguments(input);
                sigmoid(&a.matmul(&w.transpose())).data.into()
            },
        },
        Mistake {
            name: "no_sigmoid",
            answer: |input| {
                let (w, b, a) = arguments(input);
                add_to_rows(&a.matmul(&w.transpose()), &b).data.into()
            },
        },
        Mistake {
            name: "minus_outside",
            answer: |input| {
                let (w, b, a) = arguments(input);
                let z = add_to_rows(&a.matmul(&w.transpose()), &b);
                z.map(|z| 1.0 / (1.0 - z.exp())).data.into()
            },
        },
    ],
};

/// The weights, the biases, and the inputs as a row.
fn arguments(input: &mut Input) -> (Matrix, Vec<f64>, Matrix) {
    let (w, b, a) = (input.matrix(), input.numbers(), input.numbers());
    (w, b, Matrix::new(1, a.len(), a))
}
