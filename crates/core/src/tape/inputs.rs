//! The inputs of an op and their shapes, in lists that need no heap allocation.

use super::node::Node;
use crate::{Float, Shape, Var};

/// The inputs of an op.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    list: [Var; Inputs::MAX_INPUTS],
    len: usize,
}

impl Inputs {
    const MAX_INPUTS: usize = 6;

    pub(super) fn new(inputs: &[Var]) -> Self {
        assert!(inputs.len() <= Self::MAX_INPUTS, "an op has at most {} inputs", Self::MAX_INPUTS);
        let mut list = [Var(0); Self::MAX_INPUTS];
        list[..inputs.len()].copy_from_slice(inputs);
        Self { list, len: inputs.len() }
    }

    pub(super) fn as_slice(&self) -> &[Var] {
        &self.list[..self.len]
    }
}

/// The shapes of an op's inputs.
pub(super) struct Shapes<'a> {
    list: [&'a [usize]; Inputs::MAX_INPUTS],
    len: usize,
}

impl<'a> Shapes<'a> {
    pub(super) fn of<T: Float>(nodes: &'a [Node<T>], inputs: &[Var]) -> Self {
        let mut list: [&[usize]; Inputs::MAX_INPUTS] = [&[]; Inputs::MAX_INPUTS];
        for (shape, input) in list.iter_mut().zip(inputs) {
            *shape = nodes[input.0].value.shape();
        }
        Self { list, len: inputs.len() }
    }

    pub(super) fn as_slice(&self) -> &[&'a [usize]] {
        &self.list[..self.len]
    }

    pub(super) fn to_dims(&self) -> Vec<Shape> {
        self.as_slice().iter().map(|s| ndarray::IxDyn(s)).collect()
    }
}

/// The bytes of an op's inputs and output.
pub(super) fn bytes<T: Float>(inputs: &Shapes<'_>, output: usize) -> u64 {
    let elements = inputs.as_slice().iter().map(|s| s.iter().product::<usize>()).sum::<usize>() + output;
    (elements * T::BYTES) as u64
}
