//! Backprop: the gradient of the mean cost, by the tape.

use m2g_exercises::given::{add_to_rows, sigmoid, sigmoid_prime, sum_of_rows};
use m2g_exercises::{Input, Matrix};

use super::digit_network::{Network, cases, cost_after, value};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "backprop",
    sources: sources!("10_backprop"),
    inputs: &["weights", "biases", "x", "y"],
    outputs: &["nabla_b", "nabla_w"],
    cases,
    reference: |input| Ok(value(Network::of(input).gradient()?)),
    gradient: Some(cost_after),
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_hidden_slope",
            answer: |input| value(backprop(input, Wrong { slope: true, ..RIGHT })),
        },
        Mistake {
            name: "own_activation",
            answer: |input| value(backprop(input, Wrong { activation: true, ..RIGHT })),
        },
        Mistake { name: "no_mean", answer: |input| value(backprop(input, Wrong { mean: true, ..RIGHT })) },
        Mistake {
            name: "not_reversed",
            answer: |input| value(backprop(input, Wrong { order: true, ..RIGHT })),
        },
    ],
};

/// What is done wrong.
struct Wrong {
    slope: bool,
    activation: bool,
    mean: bool,
    order: bool,
}

const RIGHT: Wrong = Wrong { slope: false, activation: false, mean: false, order: false };

fn backprop(input: &mut Input, wrong: Wrong) -> (Vec<Vec<f64>>, Vec<Matrix>) {
    let Network { weights, biases, x, y } = Network::of(input);
    let (mut activations, mut zs) = (vec![x.clone()], Vec::new());
    for (l, (w, b)) in weights.iter().zip(&biases).enumerate() {
        let z = add_to_rows(&activations[l].matmul(&w.transpose()), b);
        activations.push(sigmoid(&z));
        zs.push(z);
    }
    let last = weights.len();
    let mean = if wrong.mean { 1.0 } else { 1.0 / x.rows as f64 };
    let mut delta = (&activations[last] - &y).scale(mean).times(&sigmoid_prime(&zs[last - 1]));
    let (mut nabla_b, mut nabla_w) = (Vec::new(), Vec::new());
    for l in (0..last).rev() {
        let read = if wrong.activation { l + 1 } else { l };
        nabla_b.push(sum_of_rows(&delta));
        nabla_w.push(delta.transpose().matmul(&activations[read]));
        if l > 0 {
            delta = delta.matmul(&weights[l]);
            if !wrong.slope {
                delta = delta.times(&sigmoid_prime(&zs[l - 1]));
            }
        }
    }
    if !wrong.order {
        nabla_b.reverse();
        nabla_w.reverse();
    }
    (nabla_b, nabla_w)
}
