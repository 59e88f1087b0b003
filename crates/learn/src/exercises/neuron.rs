//! A neuron: `a = s(w . x + b)`.

use m2g_core::Number;

use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "neuron",
    sources: sources!("01_neuron"),
    inputs: &["w", "b", "x"],
    outputs: &["a"],
    cases: |random| {
        let bias = |random: &mut crate::exercise::Random| 0.5 + random.numbers(1)[0].abs();
        [2, 5, 3]
            .map(|k| vec![random.numbers(k).into(), bias(random).into(), random.numbers(k).into()])
            .into()
    },
    reference: |input| {
        let (w, b, x) = (input.numbers(), input.number(), input.numbers());
        Ok((dot(&w, &x) + b).sigmoid().into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_bias",
            answer: |input| {
                let (w, _, x) = (input.numbers(), input.number(), input.numbers());
                sigmoid(dot(&w, &x)).into()
            },
        },
        Mistake {
            name: "no_sigmoid",
            answer: |input| {
                let (w, b, x) = (input.numbers(), input.number(), input.numbers());
                (dot(&w, &x) + b).into()
            },
        },
        Mistake {
            name: "wrong_sign",
            answer: |input| {
                let (w, b, x) = (input.numbers(), input.number(), input.numbers());
                sigmoid(-(dot(&w, &x) + b)).into()
            },
        },
        Mistake {
            name: "minus_outside",
            answer: |input| {
                let (w, b, x) = (input.numbers(), input.number(), input.numbers());
                (1.0 / (1.0 - (dot(&w, &x) + b).exp())).into()
            },
        },
    ],
};

fn dot(w: &[f64], x: &[f64]) -> f64 {
    w.iter().zip(x).map(|(w, x)| w * x).sum()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
