//! What follows a product, while its numbers are still in a cache.

use std::fmt;

use rayon::prelude::*;

use crate::kernels::{CHUNK, PARALLEL_FROM};

/// A function of all numbers of a product. It gets some rows as soon as they are complete, where
/// the product is computed in that order, and else all numbers afterwards.
pub struct Then<'a, T> {
    /// The first number that it has not got yet.
    first: usize,
    /// From that place on.
    others: &'a mut [T],
    f: &'a Function<'a, T>,
}

type Function<'a, T> = dyn Fn(usize, &mut [T], &mut [T]) + Sync + 'a;

impl<'a, T: Send> Then<'a, T> {
    /// `f(i, numbers, others)` for numbers that lie side by side, from number `i` of the product
    /// on, and those of `others` in the same places, if there are any.
    pub fn new(others: &'a mut [T], f: &'a Function<'a, T>) -> Self {
        Self { first: 0, others, f }
    }

    /// Whether it has others for each of `n` numbers, or for none.
    pub fn fits(&self, n: usize) -> bool {
        self.others.is_empty() || self.others.len() == n
    }

    /// The part for the next `n` numbers, which is then no longer in this one.
    pub fn cut(&mut self, n: usize) -> Self {
        let others = self.others.split_off_mut(..n.min(self.others.len())).unwrap_or_default();
        let first = self.first;
        self.first += n;
        Self { first, others, ..*self }
    }

    /// Calls the function.
    pub fn run(self, numbers: &mut [T]) {
        (self.f)(self.first, numbers, self.others);
    }

    /// Calls it for what is left of a product.
    pub fn run_rest(mut self, product: &mut [T]) {
        let numbers = &mut product[self.first..];
        if numbers.len() < PARALLEL_FROM {
            return self.run(numbers);
        }
        let pieces = numbers.chunks_mut(CHUNK).map(|piece| (self.cut(piece.len()), piece));
        pieces.collect::<Vec<_>>().into_par_iter().for_each(|(then, piece)| then.run(piece));
    }
}

impl<T> fmt::Debug for Then<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Then").field("first", &self.first).finish_non_exhaustive()
    }
}
