//! A tape of single numbers, held to the core's tape of tensors.

use m2g_core::{Tape, Tensor, Var};
use m2g_exercises::Input;
use m2g_exercises::given::tape::{Node, Op, forward};

use crate::core_values::gradients;
use crate::exercise::{Exercise, Mistake, sources};

/// Kind and operands of each node: 0 an input, 1 a sum, 2 a product, 3 tanh.
type Nodes = &'static [[usize; 3]];

const PLAIN: Nodes = &[[0, 0, 0], [0, 0, 0], [1, 0, 1], [3, 2, 0]];
const PRODUCTS: Nodes = &[[0, 0, 0], [0, 0, 0], [0, 0, 0], [2, 0, 1], [2, 3, 2]];
const SHARED: Nodes = &[
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
    [2, 0, 1],
    [1, 3, 2],
    [3, 4, 0],
    [2, 5, 0],
    [1, 6, 5],
    [1, 7, 7],
    [2, 8, 8],
];

pub const EXERCISE: Exercise = Exercise {
    name: "tape",
    sources: sources!("16_tape"),
    inputs: &["nodes", "inputs"],
    outputs: &["grad"],
    cases: |random| {
        let inputs = |nodes: Nodes| nodes.iter().filter(|node| node[0] == 0).count();
        [PLAIN, PRODUCTS, SHARED]
            .map(|nodes| vec![nodes.concat().into(), random.numbers(inputs(nodes)).into()])
            .into()
    },
    reference: |input| {
        let (ops, inputs) = (input.ids(), input.numbers());
        let nodes = forward(&ops, &inputs);
        // The slope with respect to each node: of a tape on which it is an input.
        let slope = |node: usize| -> Result<f64, m2g_core::Error> {
            let found = gradients(&[Tensor::from_vec(&[1], vec![nodes[node].value])?], |tape, v| {
                replay(tape, &nodes, node, v[0])
            })?;
            Ok(found[0].data()[0])
        };
        Ok((0..nodes.len()).map(slope).collect::<Result<Vec<f64>, _>>()?.into())
    },
    gradient: None,
    groups: &[("nodes", 3)],
    mistakes: &[
        Mistake { name: "overwritten", answer: |input| walk(input, Wrong::Overwritten).into() },
        Mistake { name: "forward_order", answer: |input| walk(input, Wrong::Order).into() },
        Mistake { name: "own_value", answer: |input| walk(input, Wrong::OwnValue).into() },
        Mistake { name: "no_seed", answer: |input| walk(input, Wrong::Seed).into() },
    ],
};

/// The computation on the core's tape, in which one node is given.
fn replay(tape: &mut Tape<f64>, nodes: &[Node], given: usize, value: Var) -> Result<Var, m2g_core::Error> {
    let mut vars: Vec<Var> = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        let var = match node.op {
            _ if i == given => value,
            Op::Input => tape.input(Tensor::from_vec(&[1], vec![node.value])?),
            Op::Add(a, b) => tape.add(vars[a], vars[b])?,
            Op::Mul(a, b) => tape.mul(vars[a], vars[b])?,
            Op::Tanh(a) => tape.tanh(vars[a])?,
        };
        vars.push(var);
    }
    // A loss is a single value without axes.
    tape.mean(vars[nodes.len() - 1])
}

#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Overwritten,
    Order,
    OwnValue,
    Seed,
}

fn walk(input: &mut Input, wrong: Wrong) -> Vec<f64> {
    let mut nodes = forward(&input.ids(), &input.numbers());
    let last = nodes.len() - 1;
    nodes[last].grad = if wrong == Wrong::Seed { 0.0 } else { 1.0 };
    let order: Vec<usize> =
        if wrong == Wrong::Order { (0..=last).collect() } else { (0..=last).rev().collect() };
    for i in order {
        let Node { op, value, grad } = nodes[i];
        // The operands, each with the slope of the node with respect to it.
        let operands = match op {
            Op::Input => vec![],
            Op::Add(a, b) => vec![(a, 1.0), (b, 1.0)],
            Op::Mul(a, b) if wrong == Wrong::OwnValue => vec![(a, nodes[a].value), (b, nodes[b].value)],
            Op::Mul(a, b) => vec![(a, nodes[b].value), (b, nodes[a].value)],
            Op::Tanh(a) => vec![(a, 1.0 - value * value)],
        };
        for (to, slope) in operands {
            let part = grad * slope;
            nodes[to].grad = if wrong == Wrong::Overwritten { part } else { nodes[to].grad + part };
        }
    }
    nodes.iter().map(|node| node.grad).collect()
}
