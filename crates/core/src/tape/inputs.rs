//! What an op takes: values on the tape, and their shapes.

use super::{Node, Var};
use crate::{Float, Shape};

/// The inputs of an op, without a list on the heap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    list: [Var; Inputs::MOST],
    len: usize,
}

impl Inputs {
    const MOST: usize = 6;

    pub(super) fn new(inputs: &[Var]) -> Self {
        assert!(inputs.len() <= Self::MOST, "an op has at most {} inputs", Self::MOST);
        let mut list = [Var(0); Self::MOST];
        list[..inputs.len()].copy_from_slice(inputs);
        Self { list, len: inputs.len() }
    }

    pub(super) fn as_slice(&self) -> &[Var] {
        &self.list[..self.len]
    }
}

/// The shapes of an op's inputs, without a list on the heap.
pub(super) struct Shapes<'a> {
    list: [&'a [usize]; Inputs::MOST],
    len: usize,
}

impl<'a> Shapes<'a> {
    pub(super) fn of<T: Float>(nodes: &'a [Node<T>], inputs: &[Var]) -> Self {
        let mut list: [&[usize]; Inputs::MOST] = [&[]; Inputs::MOST];
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
    let numbers = inputs.as_slice().iter().map(|s| s.iter().product::<usize>()).sum::<usize>() + output;
    (numbers * T::BYTES) as u64
}
