//! Buffers that are used again, so that a training step in steady state
//! allocates nothing large.

use std::collections::HashMap;

use ndarray::Dimension;

use crate::tensor::storage_len;
use crate::{Real, Shape, Tensor};

/// Vectors that came back, by their length, which [`storage_len`] gives.
#[derive(Debug, Default)]
pub struct Pool<T> {
    free: HashMap<usize, Vec<Vec<T>>>,
}

impl<T: Real> Pool<T> {
    /// A tensor of `shape` whose numbers are left over from earlier use: the
    /// taker writes all of them.
    pub fn take(&mut self, shape: Shape) -> Tensor<T> {
        let n = storage_len::<T>(shape.size());
        let vec = self.free.get_mut(&n).and_then(Vec::pop).unwrap_or_else(|| vec![T::zero(); n]);
        Tensor::from_parts(shape, vec)
    }

    /// Takes a tensor's buffer back, unless somebody else still holds it.
    pub fn give(&mut self, tensor: Tensor<T>) {
        if let Some(vec) = tensor.into_vec() {
            self.free.entry(vec.len()).or_default().push(vec);
        }
    }
}
