use m2g_exercises::answer;
use m2g_exercises::given::tape::{Node, Op, forward};

/// Fills in `grad` of every node; each node comes after those that it was made from.
fn backward(nodes: &mut [Node]) {
    let last = nodes.len() - 1;
    nodes[last].grad = 1.0;
    for i in (0..nodes.len()).rev() {
        let (grad, value) = (nodes[i].grad, nodes[i].value);
        match nodes[i].op {
            Op::Input => {}
            Op::Add(a, b) => {
                nodes[a].grad += grad;
                nodes[b].grad += grad;
            }
            Op::Mul(a, b) => {
                nodes[a].grad += grad * nodes[b].value;
                nodes[b].grad += grad * nodes[a].value;
            }
            Op::Tanh(a) => nodes[a].grad += grad * (1.0 - value * value),
        }
    }
}

fn main() {
    answer(|input| {
        let mut nodes = forward(&input.ids(), &input.numbers());
        backward(&mut nodes);
        nodes.iter().map(|node| node.grad).collect::<Vec<f64>>()
    });
}
