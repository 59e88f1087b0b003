//! Cross-entropy: the mean of -ln p of the targets.

use m2g_core::{Error, Tokens};
use m2g_exercises::given::softmax;
use m2g_exercises::{Input, Matrix};

use crate::core_values::run_on;
use crate::exercise::{Case, Exercise, Mistake, Random, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "cross_entropy",
    sources: sources!("13_cross_entropy"),
    inputs: &["logits", "targets"],
    outputs: &["loss"],
    cases,
    reference: |input| Ok(loss(&input.matrix(), &input.ids())?.into()),
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_mean",
            answer: |input| {
                let picked = picked(input);
                (-picked.iter().map(|p| p.ln()).sum::<f64>()).into()
            },
        },
        Mistake { name: "wrong_sign", answer: |input| mean(&picked(input), f64::ln).into() },
        Mistake {
            name: "no_softmax",
            answer: |input| {
                let (logits, targets) = (input.matrix(), input.ids());
                let picked: Vec<f64> = targets.iter().enumerate().map(|(i, &t)| logits[(i, t)]).collect();
                mean(&picked, |x| -x.ln()).into()
            },
        },
        Mistake { name: "log2", answer: |input| mean(&picked(input), |p| -p.log2()).into() },
    ],
};

/// Logits and targets. Those of the last case are positive, so that all have a logarithm.
pub fn cases(random: &mut Random) -> Vec<Case> {
    let case = |(b, v, sign): (usize, usize, fn(f64) -> f64)| {
        vec![random.matrix(b, v).map(sign).into(), random.ids(b, v).into()]
    };
    let any: fn(f64) -> f64 = |x| x;
    [(1, 3, any), (4, 5, any), (3, 3, f64::abs)].map(case).into()
}

/// The loss by the core.
pub fn loss(logits: &Matrix, targets: &[usize]) -> Result<f64, Error> {
    let targets = tokens(targets)?;
    Ok(run_on(&[logits], |tape, v| tape.cross_entropy(v[0], &targets))?.data[0])
}

/// Token ids as the core's, one for each row.
pub fn tokens(ids: &[usize]) -> Result<Tokens, Error> {
    Tokens::new([1, ids.len()], ids.iter().map(|&id| id as u32).collect::<Vec<_>>())
}

/// The probability of each target.
fn picked(input: &mut Input) -> Vec<f64> {
    let (p, targets) = (softmax(&input.matrix()), input.ids());
    targets.iter().enumerate().map(|(i, &target)| p[(i, target)]).collect()
}

fn mean(xs: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    xs.iter().map(|&x| f(x)).sum::<f64>() / xs.len() as f64
}
