//! A pool of buffers: after the first steps, training allocates no large memory.

use std::collections::BTreeMap;

use ndarray::Dimension;

use crate::{Float, Shape, Tensor};

/// Buffers for reuse, by length.
#[derive(Debug, Default)]
pub struct Pool<T: Float> {
    shelves: BTreeMap<usize, Shelf<T>>,
}

/// The tensors of one length.
#[derive(Debug, Default)]
struct Shelf<T: Float> {
    free: Vec<Tensor<T>>,
    /// The number of tensors allocated here; `free` never holds more.
    allocated: usize,
}

impl<T: Float> Pool<T> {
    /// A tensor of `shape` with unspecified contents.
    pub fn take(&mut self, shape: Shape) -> Tensor<T> {
        let shelf = self.shelves.entry(shape.size()).or_default();
        match shelf.free.pop() {
            Some(tensor) => tensor.into_shape(shape),
            None => {
                shelf.allocated += 1;
                Tensor::zeros(shape.slice())
            }
        }
    }

    /// The number of elements of all tensors allocated here.
    pub fn elements(&self) -> usize {
        self.shelves.iter().map(|(len, shelf)| len * shelf.allocated).sum()
    }

    /// Takes a tensor's buffer back, unless another tensor shares it. Buffers from elsewhere are
    /// accepted too, but the pool never holds more than it has allocated.
    pub fn give(&mut self, mut tensor: Tensor<T>) {
        if let Some(shelf) = self.shelves.get_mut(&tensor.len())
            && shelf.free.len() < shelf.allocated
            && tensor.is_unique()
        {
            shelf.free.push(tensor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_in_another_shape() {
        let mut pool = Pool::<f32>::default();
        let mut a = pool.take(ndarray::IxDyn(&[2, 300]));
        a.data_mut()[7] = 5.0;
        let address = a.data().as_ptr();
        pool.give(a);
        let b = pool.take(ndarray::IxDyn(&[30, 20]));
        assert_eq!((b.shape(), b.data()[7], b.data().as_ptr()), (&[30, 20][..], 5.0, address));
    }

    #[test]
    fn a_shared_buffer_is_not_reused() {
        let mut pool = Pool::<f32>::default();
        let a = pool.take(ndarray::IxDyn(&[3]));
        pool.give(a.clone());
        assert_ne!(pool.take(ndarray::IxDyn(&[3])).data().as_ptr(), a.data().as_ptr());
    }

    #[test]
    fn buffers_from_elsewhere_do_not_accumulate() {
        let mut pool = Pool::<f32>::default();
        let a = pool.take(ndarray::IxDyn(&[3]));
        for _ in 0..10 {
            pool.give(Tensor::zeros(&[3]));
            pool.give(Tensor::zeros(&[4]));
        }
        pool.give(a);
        assert_eq!(pool.shelves.values().map(|s| s.free.len()).sum::<usize>(), 1);
    }
}
