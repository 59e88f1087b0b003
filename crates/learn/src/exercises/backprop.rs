//! Backprop: the gradient of the mean cost, by the tape.

use m2g_exercises::Input;
use m2g_exercises::given::{add_to_rows, sigmoid, sigmoid_prime, sum_of_rows};

use super::digit_network::{Network, Parameters, cases, cost_after};
use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "backprop",
    sources: sources!("10_backprop"),
    inputs: &["weights", "biases", "x", "y"],
    outputs: &["nabla_b", "nabla_w"],
    cases,
    reference: |input| Ok(Network::of(input).gradient()?.into()),
    gradient: Some(cost_after),
    groups: &[],
    mistakes: &[
        Mistake { name: "no_hidden_slope", answer: |input| backprop(input, Wrong::Slope).into() },
        Mistake { name: "own_activation", answer: |input| backprop(input, Wrong::Activation).into() },
        Mistake { name: "no_mean", answer: |input| backprop(input, Wrong::Mean).into() },
        Mistake { name: "not_reversed", answer: |input| backprop(input, Wrong::Order).into() },
    ],
};

/// What is done wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Slope,
    Activation,
    Mean,
    Order,
}

fn backprop(input: &mut Input, wrong: Wrong) -> Parameters {
    let Network { weights, biases, x, y } = Network::of(input);
    let (mut activations, mut zs) = (vec![x.clone()], Vec::new());
    for (l, (w, b)) in weights.iter().zip(&biases).enumerate() {
        let z = add_to_rows(&activations[l].matmul(&w.transpose()), b);
        activations.push(sigmoid(&z));
        zs.push(z);
    }
    let last = weights.len();
    let mean = if wrong == Wrong::Mean { 1.0 } else { 1.0 / x.rows as f64 };
    let mut delta = (&activations[last] - &y).scale(mean).times(&sigmoid_prime(&zs[last - 1]));
    let (mut nabla_b, mut nabla_w) = (Vec::new(), Vec::new());
    for l in (0..last).rev() {
        let read = if wrong == Wrong::Activation { l + 1 } else { l };
        nabla_b.push(sum_of_rows(&delta));
        nabla_w.push(delta.transpose().matmul(&activations[read]));
        if l > 0 {
            delta = delta.matmul(&weights[l]);
            if wrong != Wrong::Slope {
                delta = delta.times(&sigmoid_prime(&zs[l - 1]));
            }
        }
    }
    if wrong != Wrong::Order {
        nabla_b.reverse();
        nabla_w.reverse();
    }
    (nabla_b, nabla_w)
}
