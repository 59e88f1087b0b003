//! A value on the tape, as ops see it.

use crate::{Float, Tensor};

/// A value and whether it needs a gradient.
#[derive(Debug)]
pub(crate) struct Node<T: Float> {
    pub(crate) value: Tensor<T>,
    pub(crate) needs_grad: bool,
}
