//! # A tape
//!
//! A tape writes down every operation of a computation, in order. To get all gradients at once, walk
//! back over it: each node passes its gradient on to the nodes that it was made from (micrograd).
//!
//!     c = a + b       a.grad += c.grad              b.grad += c.grad
//!     c = a * b       a.grad += c.grad * b.value    b.grad += c.grad * a.value
//!     c = tanh(a)     a.grad += c.grad * (1 - c.value^2)
//!
//! The last node is the result: its gradient is 1. All others begin with 0. A node that is used twice
//! gets two contributions. `Op::Add(a, b)` holds the indices of the nodes a and b. The grader shows
//! a node as [kind, a, b]; the kinds are 0 input, 1 sum, 2 product, 3 tanh.

use m2g_exercises::answer;
use m2g_exercises::given::tape::{Node, Op, forward};

/// Fills in `grad` of every node; each node comes after those that it was made from.
fn backward(nodes: &mut [Node]) {
    todo!()
}

fn main() {
    answer(|input| {
        let mut nodes = forward(&input.ids(), &input.numbers());
        backward(&mut nodes);
        nodes.iter().map(|node| node.grad).collect::<Vec<f64>>()
    });
}
