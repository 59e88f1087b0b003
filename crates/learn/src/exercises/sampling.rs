//! Sampling: temperature, top-k, and the token that u draws, as the sampler of the text crate.

use m2g_exercises::{Input, Matrix, Value};
use m2g_text::{Sampler, Sampling};

use crate::core_values::run_on;
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "sampling",
    sources: sources!("30_sampling"),
    inputs: &["logits", "temperature", "k", "u"],
    outputs: &["p", "token"],
    cases: |random| {
        let case = |(v, temperature, k, u): (usize, f64, usize, f64)| {
            vec![random.numbers(v).into(), temperature.into(), k.into(), u.into()]
        };
        let mut cases: Vec<_> = [(3, 1.0, 3, 0.5), (6, 0.5, 2, 0.1), (5, 2.0, 3, 0.99)].map(case).into();
        // The last kept token is not the most likely one.
        cases[2][0] = vec![0.3, 2.0, -1.0, 1.5, 0.9].into();
        cases
    },
    reference: |input| {
        let Arguments { logits, temperature, k, u } = Arguments::of(input);
        let sampling = Sampling { temperature, top_k: Some(k), ..Sampling::default() };
        let token = Sampler::new(sampling)?.choose(&logits, u)?;
        let kept = kept(&logits, k);
        let row = Matrix::new(1, logits.len(), kept.iter().map(|x| x / temperature).collect());
        let p = run_on(&[&row], |tape, v| tape.softmax(v[0]))?;
        Ok((p.data, token as usize).into())
    },
    gradient: None,
    mistakes: &[
        Mistake {
            name: "times_temperature",
            answer: |input| {
                let Arguments { logits, temperature, k, u } = Arguments::of(input);
                drawn(softmax(&kept(&logits, k), 1.0 / temperature), u)
            },
        },
        Mistake {
            name: "not_renormalised",
            answer: |input| {
                let Arguments { logits, temperature, k, u } = Arguments::of(input);
                let (mut p, kept) = (softmax(&logits, temperature), kept(&logits, k));
                p.iter_mut().zip(&kept).filter(|(_, kept)| !kept.is_finite()).for_each(|(p, _)| *p = 0.0);
                drawn(p, u)
            },
        },
        Mistake {
            name: "no_top_k",
            answer: |input| {
                let Arguments { logits, temperature, u, .. } = Arguments::of(input);
                drawn(softmax(&logits, temperature), u)
            },
        },
        Mistake {
            name: "no_temperature",
            answer: |input| {
                let Arguments { logits, k, u, .. } = Arguments::of(input);
                drawn(softmax(&kept(&logits, k), 1.0), u)
            },
        },
        Mistake {
            name: "most_likely",
            answer: |input| {
                let Arguments { logits, temperature, k, .. } = Arguments::of(input);
                let p = softmax(&kept(&logits, k), temperature);
                let best = (0..p.len()).max_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap_or(0);
                (p, best).into()
            },
        },
    ],
};

struct Arguments {
    logits: Vec<f64>,
    temperature: f64,
    k: usize,
    u: f64,
}

impl Arguments {
    fn of(input: &mut Input) -> Self {
        Self { logits: input.numbers(), temperature: input.number(), k: input.count(), u: input.number() }
    }
}

/// The k largest logits; the others are minus infinity.
fn kept(logits: &[f64], k: usize) -> Vec<f64> {
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    logits.iter().map(|&x| if x >= sorted[k - 1] { x } else { f64::NEG_INFINITY }).collect()
}

fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let row = Matrix::new(1, logits.len(), logits.iter().map(|x| x / temperature).collect());
    m2g_exercises::given::softmax(&row).data
}

/// The probabilities with the token that u draws.
fn drawn(p: Vec<f64>, u: f64) -> Value {
    let mut sum = 0.0;
    let token = p.iter().position(|p| {
        sum += p;
        sum > u
    });
    let last = p.len() - 1;
    (p, token.unwrap_or(last)).into()
}
