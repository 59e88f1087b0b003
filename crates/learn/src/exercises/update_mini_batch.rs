//! `update_mini_batch`: a step against the mean gradient, by the tape.

use m2g_exercises::Value;
use m2g_exercises::given::backprop_one;

use super::digit_network::{self, Network};
use crate::exercise::{Exercise, Mistake, STOPS, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "update_mini_batch",
    sources: sources!("11_update_mini_batch"),
    inputs: &["weights", "biases", "x", "y", "eta"],
    outputs: &["biases", "weights"],
    cases: |random| {
        let mut cases = digit_network::cases(random);
        cases.iter_mut().zip([3.0, 0.5, 1.0, 2.0]).for_each(|(case, eta)| case.push(Value::Number(eta)));
        cases
    },
    reference: |input| {
        let (network, eta) = (Network::of(input), input.number());
        Ok(network.step(eta, &network.gradient()?).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_mean",
            answer: |input| {
                let (network, eta) = (Network::of(input), input.number());
                let examples = network.x.rows as f64;
                wrong_step(network, eta * examples)
            },
        },
        Mistake {
            name: "wrong_sign",
            answer: |input| {
                let (network, eta) = (Network::of(input), input.number());
                wrong_step(network, -eta)
            },
        },
        Mistake {
            name: "last_only",
            answer: |input| {
                let (mut network, eta) = (Network::of(input), input.number());
                let examples = network.x.rows;
                one_after_the_other(&mut network, eta / examples as f64, examples - 1)
            },
        },
        Mistake {
            name: "inside_the_loop",
            answer: |input| {
                let (mut network, eta) = (Network::of(input), input.number());
                let examples = network.x.rows as f64;
                one_after_the_other(&mut network, eta / examples, 0)
            },
        },
        Mistake {
            name: "unchanged",
            answer: |input| {
                let network = Network::of(input);
                (network.biases, network.weights).into()
            },
        },
    ],
};

/// A step of another size against the mean gradient.
fn wrong_step(network: Network, eta: f64) -> Value {
    network.gradient().map_or(STOPS, |gradient| network.step(eta, &gradient).into())
}

/// Steps against the gradient of one example after the other, from example `first` on.
fn one_after_the_other(network: &mut Network, eta: f64, first: usize) -> Value {
    for i in first..network.x.rows {
        let (nabla_b, nabla_w) =
            backprop_one(&network.weights, &network.biases, network.x.row(i), network.y.row(i));
        for l in 0..nabla_b.len() {
            network.weights[l] = &network.weights[l] - &nabla_w[l].scale(eta);
            network.biases[l].iter_mut().zip(&nabla_b[l]).for_each(|(b, nabla)| *b -= eta * nabla);
        }
    }
    (network.biases.clone(), network.weights.clone()).into()
}
