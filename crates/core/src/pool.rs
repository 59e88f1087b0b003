//! A pool of buffers: after the first steps, training allocates no large memory.
//!
//! Steps of different shapes, such as batches of sentences of different lengths, share buffers of similar
//! length. Otherwise the pool would keep a buffer for every length that ever occurred.

use std::collections::BTreeMap;

use ndarray::Dimension;

use crate::{Float, Shape, Tensor};

/// Buffers for reuse, by the number of elements that they have room for.
#[derive(Debug, Default)]
pub struct Pool<T: Float> {
    shelves: BTreeMap<usize, Shelf<T>>,
}

/// Smaller tensors share buffers only with those of the same length.
const MIN_ELEMENTS_TO_ROUND: usize = 4096;

/// The room of a buffer for `n` elements: `n`, or the next of eight steps between two powers of two.
fn room(n: usize) -> usize {
    match n {
        0..MIN_ELEMENTS_TO_ROUND => n,
        _ => n.next_multiple_of(1 << (n.ilog2() - 3)),
    }
}

/// The tensors of similar length.
#[derive(Debug, Default)]
struct Shelf<T: Float> {
    free: Vec<Tensor<T>>,
    /// The number of tensors allocated here; `free` never holds more.
    allocated: usize,
}

impl<T: Float> Pool<T> {
    /// A tensor of `shape` with unspecified contents.
    pub fn take(&mut self, shape: Shape) -> Tensor<T> {
        let room = room(shape.size());
        let shelf = self.shelves.entry(room).or_default();
        match shelf.free.pop() {
            Some(tensor) if tensor.len() == shape.size() => tensor.into_shape(shape),
            Some(tensor) => tensor.reuse(shape.slice(), room),
            None => {
                shelf.allocated += 1;
                Tensor::zeros_with_room(shape.slice(), room)
            }
        }
    }

    /// The number of elements of all tensors allocated here.
    pub fn elements(&self) -> usize {
        self.shelves.iter().map(|(room, shelf)| room * shelf.allocated).sum()
    }

    /// Takes a tensor's buffer back, unless another tensor shares it. Buffers from elsewhere are
    /// accepted too, but the pool never holds more than it has allocated.
    pub fn give(&mut self, mut tensor: Tensor<T>) {
        if let Some(shelf) = self.shelves.get_mut(&room(tensor.len()))
            && shelf.free.len() < shelf.allocated
            && tensor.is_unique()
        {
            shelf.free.push(tensor);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
    fn tensors_of_similar_length_share_a_buffer() {
        let mut pool = Pool::<f32>::default();
        let take = |pool: &mut Pool<f32>, shape: &[usize]| pool.take(ndarray::IxDyn(shape));
        let a = take(&mut pool, &[100, 90]);
        let address = a.data().as_ptr();
        pool.give(a);
        for shape in [[2, 4400], [3, 3000], [9216, 1], [1, 8193]] {
            let mut b = take(&mut pool, &shape);
            assert_eq!((b.shape(), b.data().as_ptr()), (&shape[..], address));
            b.data_mut().fill(1.0);
            pool.give(b);
        }
        assert_ne!(take(&mut pool, &[9217]).data().as_ptr(), address, "there is no room for one more");
        assert_eq!(pool.elements(), 9216 + 10_240);
        // A buffer from elsewhere, without room to grow.
        let exact = Tensor::from_vec(&[9000], vec![1.0; 9000]).unwrap();
        drop(take(&mut pool, &[9000]));
        pool.give(exact);
        assert_eq!(take(&mut pool, &[9200]).shape(), [9200]);
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
