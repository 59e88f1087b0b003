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
        let mut cases: Vec<_> = [(3, 1.0, 3, 0.5), (6, 0.5, 2, 0.1)].map(case).into();
        let mut add = |logits: &[f64], temperature: f64, k: usize, u: f64| {
            cases.push(vec![logits.to_vec().into(), temperature.into(), k.into(), u.into()]);
        };
        // Large enough to overflow.
        add(&[1000.0, 1001.5, 999.0, -3.0], 0.5, 3, 0.4);
        // Only the sum of both tokens exceeds u, neither of them alone.
        add(&[0.3, 2.0, -1.0, 1.5, 0.9], 2.0, 3, 0.6);
        // Both ends of u: tokens that are cut off are never drawn. Seven times 1/7 is below the last u.
        add(&[-1.0, 2.0, 0.5, 1.0], 1.0, 2, 0.0);
        add(&[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, -9.0], 1.0, 7, 1.0 - f64::EPSILON / 2.0);
        // The last kept token is not the most likely one.
        add(&[0.3, 2.0, -1.0, 1.5, 0.9], 2.0, 3, 0.99);
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
    groups: &[],
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
        Mistake {
            name: "no_sum",
            answer: |input| {
                let Arguments { logits, temperature, k, u } = Arguments::of(input);
                let p = softmax(&kept(&logits, k), temperature);
                let token = p.iter().position(|p| *p > u).unwrap_or_else(|| last_kept(&p));
                (p, token).into()
            },
        },
        Mistake {
            name: "no_max",
            answer: |input| {
                let Arguments { logits, temperature, k, u } = Arguments::of(input);
                let e: Vec<f64> = kept(&logits, k).iter().map(|x| (x / temperature).exp()).collect();
                let sum: f64 = e.iter().sum();
                drawn(e.iter().map(|e| e / sum).collect(), u)
            },
        },
        Mistake {
            name: "at_least_u",
            answer: |input| {
                let Arguments { logits, temperature, k, u } = Arguments::of(input);
                let p = softmax(&kept(&logits, k), temperature);
                let token = reached(&p, |sum| sum >= u).unwrap_or_else(|| last_kept(&p));
                (p, token).into()
            },
        },
        Mistake {
            name: "last_of_all",
            answer: |input| {
                let Arguments { logits, temperature, k, u } = Arguments::of(input);
                let p = softmax(&kept(&logits, k), temperature);
                let token = reached(&p, |sum| sum > u).unwrap_or(p.len() - 1);
                (p, token).into()
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
    let token = reached(&p, |sum| sum > u).unwrap_or_else(|| last_kept(&p));
    (p, token).into()
}

/// The first token up to which the sum of the probabilities is enough.
fn reached(p: &[f64], enough: impl Fn(f64) -> bool) -> Option<usize> {
    let mut sum = 0.0;
    p.iter().position(|p| {
        sum += p;
        enough(sum)
    })
}

/// The last token that may be drawn: by rounding, the sum of all may stay below u.
fn last_kept(p: &[f64]) -> usize {
    p.iter().rposition(|p| *p > 0.0).unwrap_or(0)
}
