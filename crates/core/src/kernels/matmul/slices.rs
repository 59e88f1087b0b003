//! Slices of the inner dimension of a product.

use std::ops::Range;

/// Elements of the inner dimension per slice: a panel then stays in the L2 cache.
pub const DEPTH_PER_SLICE: usize = 512;

/// Slices of the inner dimension, of nearly equal lengths, so that the last one is not tiny.
#[derive(Debug, Clone, Copy)]
pub struct Slices {
    /// Elements of the inner dimension.
    inner: usize,
    /// Elements per slice; the last one may have fewer.
    pub length: usize,
    /// The number of slices.
    pub count: usize,
}

impl Slices {
    /// The slices of `inner`, or a `single` one: [`Accumulate::Multiply`](super::Accumulate::Multiply) needs
    /// complete sums.
    pub fn new(inner: usize, single: bool) -> Self {
        let count = if single { 1 } else { inner.div_ceil(DEPTH_PER_SLICE) };
        // Even lengths, so that the order of the sums does not depend on the number of elements per
        // factor.
        Self { inner, length: inner.div_ceil(count).next_multiple_of(2), count }
    }

    /// Slice `s`.
    pub fn range(self, s: usize) -> Range<usize> {
        (s * self.length).min(self.inner)..((s + 1) * self.length).min(self.inner)
    }
}
