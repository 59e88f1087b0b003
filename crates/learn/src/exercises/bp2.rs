//! BP2: `delta_before = delta w * s'(z)`.

use m2g_exercises::Input;
use m2g_exercises::given::{sigmoid, sigmoid_prime};

use crate::core_values::{dot, matrix, nudge, product, run, run_on, tensor};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "bp2",
    sources: sources!("07_bp2"),
    inputs: &["delta", "w", "z"],
    outputs: &["delta_before"],
    cases: |random| {
        let sizes = [(4, 3, 2), (1, 2, 3), (3, 3, 3)];
        let case = |(b, k, n)| {
            vec![random.matrix(b, n).into(), random.matrix(n, k).into(), random.matrix(b, k).into()]
        };
        sizes.map(case).into()
    },
    reference: |input| {
        let (delta, w, z) = (input.matrix(), input.matrix(), input.matrix());
        let back = run(&[tensor(&delta)?, tensor(&w)?], |tape, v| tape.matmul(v[0], v[1]))?;
        // The slope, by the tape's derivative of a sum of sigmoids.
        let slope = crate::core_values::gradients(&[tensor(&z)?], |tape, v| {
            let a = tape.sigmoid(v[0])?;
            let mean = tape.mean(a)?;
            tape.scale(mean, z.data.len() as f64)
        })?;
        Ok(matrix(&back).times(&matrix(&slope[0])).into())
    },
    // The cost whose gradient at z_next is delta: the sum of delta * (s(z) w^T).
    gradient: Some(|case, _, index, step| {
        let mut case = case.clone();
        nudge(&mut case[2], &[], index, step);
        let input = &mut Input::new(case);
        let (delta, w, z) = (input.matrix(), input.matrix(), input.matrix());
        let z_next = run_on(&[&z, &w], |tape, v| {
            let a = tape.sigmoid(v[0])?;
            tape.linear(a, v[1], None)
        })?;
        Ok(dot(&delta, &z_next))
    }),
    groups: &[],
    mistakes: &[
        Mistake {
            name: "transposed",
            answer: |input| {
                let (delta, w, z) = (input.matrix(), input.matrix(), input.matrix());
                let back = product(&delta, &w.transpose()).filter(|back| back.shape() == z.shape());
                back.map_or(STOPS, |back| back.times(&sigmoid_prime(&z)).into())
            },
        },
        Mistake { name: "no_slope", answer: |input| input.matrix().matmul(&input.matrix()).into() },
        Mistake {
            name: "activation",
            answer: |input| {
                let (delta, w, z) = (input.matrix(), input.matrix(), input.matrix());
                delta.matmul(&w).times(&sigmoid(&z)).into()
            },
        },
    ],
};
