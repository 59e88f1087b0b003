//! A pool of buffers: after the first steps, training allocates no large memory.
//!
//! Steps of different shapes, such as batches of sentences of different lengths, share buffers: a large tensor
//! also takes a free buffer of up to twice its length, and a new buffer replaces a smaller one that is free.
//! Otherwise the pool would keep buffers for every length that ever occurred.

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

/// The room of a new buffer for `n` elements: `n`, or the next of eight steps between two powers of two.
fn room(n: usize) -> usize {
    match n {
        0..MIN_ELEMENTS_TO_ROUND => n,
        _ => n.next_multiple_of(1 << (n.ilog2() - 3)),
    }
}

/// The buffers with the same room.
#[derive(Debug, Default)]
struct Shelf<T: Float> {
    free: Vec<Tensor<T>>,
    /// The number of buffers of this room; `free` never holds more.
    allocated: usize,
}

impl<T: Float> Pool<T> {
    /// A tensor of `shape` with unspecified contents.
    pub fn take(&mut self, shape: Shape) -> Tensor<T> {
        let n = shape.size();
        let room = room(n);
        let most = if n < MIN_ELEMENTS_TO_ROUND { room } else { 2 * room };
        match self.shelves.range_mut(room..=most).find_map(|(_, shelf)| shelf.free.pop()) {
            Some(tensor) if tensor.len() == n => tensor.into_shape(shape),
            Some(tensor) => tensor.reuse(shape.slice(), room),
            None => {
                if n >= MIN_ELEMENTS_TO_ROUND {
                    self.free_largest(room / 2..room);
                }
                self.shelves.entry(room).or_default().allocated += 1;
                Tensor::zeros_with_room(shape.slice(), room)
            }
        }
    }

    /// Frees the memory of the largest buffer of these rooms that is not in use.
    fn free_largest(&mut self, rooms: std::ops::Range<usize>) {
        let shelf = self.shelves.range_mut(rooms).rev().find(|(_, shelf)| !shelf.free.is_empty());
        if let Some((_, shelf)) = shelf {
            shelf.free.pop();
            shelf.allocated -= 1;
        }
    }

    /// The number of elements of all buffers allocated here.
    pub fn elements(&self) -> usize {
        self.shelves.iter().map(|(room, shelf)| room * shelf.allocated).sum()
    }

    /// Takes a tensor's buffer back, unless another tensor shares it. A buffer from elsewhere may take the place of one
    /// of the same room; the pool never holds more than it has allocated.
    pub fn give(&mut self, mut tensor: Tensor<T>) {
        if let Some(shelf) = self.shelves.get_mut(&tensor.room())
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
        let larger = take(&mut pool, &[9217]);
        assert_eq!(pool.elements(), 10_240, "the buffer that has no room for one more is replaced");
        let address = larger.data().as_ptr();
        pool.give(larger);
        for (n, shares) in
            [(9216, true), (10_240, true), (5120, true), (5119, true), (5100, true), (4608, false)]
        {
            let b = take(&mut pool, &[n]);
            assert_eq!((b.len(), b.data().as_ptr() == address), (n, shares), "{n} of 10240 elements");
            pool.give(b);
        }
        assert_eq!(pool.elements(), 10_240 + 4608);
        // A buffer from elsewhere.
        pool.give(Tensor::from_vec(&[9000], vec![1.0; 9000]).unwrap());
        assert_eq!(take(&mut pool, &[10_000]).data().as_ptr(), address);
    }

    #[test]
    fn steps_of_many_shapes_need_little_more_memory_than_the_largest() {
        // Sentences: in each step other numbers of tokens, with a few tensors of each width.
        let (mut pool, mut largest, mut last) = (Pool::<f32>::default(), 0, 0);
        let mut rng = crate::rng::Streams::new(1).stream("lengths", 0);
        for step in 0..400 {
            last = pool.elements();
            let tokens = 180 + crate::rng::below(&mut rng, 76);
            let widths = [(256, 12), (512, 3), (768, 4), (1024, 4), (8000, 2)];
            let take = |(width, count)| (0..count).map(move |_| tokens as usize * width);
            let sizes: Vec<usize> = widths.into_iter().flat_map(take).collect();
            let tensors: Vec<_> = sizes.iter().map(|&n| pool.take(ndarray::IxDyn(&[n]))).collect();
            tensors.into_iter().for_each(|tensor| pool.give(tensor));
            largest = largest.max(sizes.iter().sum());
            assert!(step < 200 || pool.elements() == last, "step {step} allocates");
        }
        assert!(last >= largest && last < 3 * largest / 2, "{last} for at most {largest}");
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
