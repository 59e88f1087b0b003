//! Memory that begins at a cache line.

use super::simd::BYTES_PER_CACHE_LINE;

/// Elements that begin at a cache line: a vector register is then loaded from one line, not from two.
#[derive(Debug)]
pub struct Aligned<F> {
    storage: Vec<F>,
    first: usize,
    len: usize,
}

impl<F: Copy + Default> Aligned<F> {
    /// `len` elements with their default value.
    pub fn new(len: usize) -> Self {
        let storage = vec![F::default(); len + BYTES_PER_CACHE_LINE / size_of::<F>()];
        let first = storage.as_ptr().align_offset(BYTES_PER_CACHE_LINE).min(storage.len() - len);
        Self { storage, first, len }
    }

    /// The elements.
    pub fn as_slice(&self) -> &[F] {
        &self.storage[self.first..][..self.len]
    }

    /// The elements, mutably.
    pub fn as_mut_slice(&mut self) -> &mut [F] {
        &mut self.storage[self.first..][..self.len]
    }
}
