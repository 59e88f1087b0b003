//! The mask of dropout: which numbers of a step are zeroed.

use super::map;
use crate::Float;
use crate::rng::DropoutKey;

/// `m_i / (1 - p)`, where `m_i` is 0 with probability `p` and else 1. The mask is never stored:
/// a counter-based generator computes the same one again wherever it is needed.
#[derive(Debug, Clone, Copy)]
pub struct DropoutMask {
    p: f64,
    key: DropoutKey,
}

impl DropoutMask {
    /// The mask of probability `p`, `0 <= p < 1`, that `key` decides.
    pub fn new(p: f64, key: DropoutKey) -> Self {
        Self { p, key }
    }

    /// What the numbers from `start` on are multiplied with, by their distance from it.
    #[inline(always)]
    pub fn factor_from<T: Float>(&self, start: u64) -> impl Fn(u32) -> T + Sync + use<T> {
        let (random, keep) = (self.key.random_from(start), self.keep());
        let threshold = (self.p * 2f64.powi(32)) as u32;
        move |i| if random(i) < threshold { T::zero() } else { keep }
    }

    /// What the numbers that are not left out are multiplied with.
    pub fn keep<T: Float>(&self) -> T {
        T::of(1.0 / (1.0 - self.p))
    }

    /// `out = m x / (1 - p)`.
    pub fn apply<T: Float>(&self, out: &mut [T], x: &[T]) {
        map::map_indexed(out, x, |start| {
            let factor = self.factor_from::<T>(start);
            move |i, x| factor(i) * x
        });
    }
}
