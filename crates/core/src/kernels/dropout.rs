//! Dropout, with a mask that is recomputed wherever it is needed and never stored.

use rayon::prelude::*;

use super::parallel::{ELEMENTS_PER_CHUNK, ForEachTask, MIN_PARALLEL_ELEMENTS};
use super::simd::vectorised;
use crate::Number;
use crate::rng::DropoutKey;

/// The factors `m_i / (1 - p)`, where `m_i` is 0 with probability `p` and 1 otherwise, from a
/// counter-based generator.
#[derive(Debug, Clone, Copy)]
pub struct DropoutMask {
    p: f64,
    key: DropoutKey,
}

impl DropoutMask {
    /// The mask of `key` that drops with probability `p`, `0 <= p < 1`.
    pub fn new(p: f64, key: DropoutKey) -> Self {
        Self { p, key }
    }

    /// The function that maps `i` to the factor of element `start + i`.
    #[inline(always)]
    pub(super) fn factor_from<T: Number>(&self, start: u64) -> impl Fn(u32) -> T + Sync + use<T> {
        let (random, keep) = (self.key.random_from(start), self.keep());
        let threshold = (self.p * 2f64.powi(32)) as u32;
        move |i| if random(i) < threshold { T::zero() } else { keep }
    }

    /// The factor of a kept element, `1 / (1 - p)`.
    pub fn keep<T: Number>(&self) -> T {
        T::of(1.0 / (1.0 - self.p))
    }
}

/// `out = m x / (1 - p)`.
pub fn dropout<T: Number>(out: &mut [T], x: &[T], mask: &DropoutMask) {
    // The second operand is not read.
    map_indexed(out, x, x, |start| {
        let factor = mask.factor_from::<T>(start);
        move |i, x, _| factor(i) * x
    });
}

/// `out = x + m b / (1 - p)`.
pub fn dropout_add<T: Number>(out: &mut [T], x: &[T], b: &[T], mask: &DropoutMask) {
    map_indexed(out, x, b, |start| {
        let factor = mask.factor_from::<T>(start);
        move |i, x, b| x + factor(i) * b
    });
}

/// `out[start + i] = f(start)(i, x[start + i], y[start + i])` for each chunk, which begins at `start`. The index
/// within a chunk fits in 32 bits.
fn map_indexed<T: Number, F: Fn(u32, T, T) -> T>(
    out: &mut [T],
    x: &[T],
    y: &[T],
    f: impl Fn(u64) -> F + Sync,
) {
    const N: usize = ELEMENTS_PER_CHUNK;
    let run = |chunk: usize, out: &mut [T], x: &[T], y: &[T]| {
        let f = f((chunk * N) as u64);
        vectorised(
            #[inline(always)]
            || {
                for (i, ((o, &x), &y)) in out.iter_mut().zip(x).zip(y).enumerate() {
                    *o = f(i as u32, x, y);
                }
            },
        );
    };
    if out.len() < MIN_PARALLEL_ELEMENTS {
        let chunks = out.chunks_mut(N).zip(x.chunks(N)).zip(y.chunks(N));
        chunks.enumerate().for_each(|(i, ((o, x), y))| run(i, o, x, y));
    } else {
        let chunks = out.par_chunks_mut(N).zip(x.par_chunks(N)).zip(y.par_chunks(N));
        chunks.enumerate().for_each_task(&|(i, ((o, x), y))| run(i, o, x, y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_slices_agree() {
        let n = MIN_PARALLEL_ELEMENTS + 777;
        let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.001 - 30.0).collect();
        let f = |start: u64| move |i: u32, x: f32, _: f32| x.sigmoid() + ((start + u64::from(i)) % 3) as f32;
        let mut long = vec![0.0; n];
        map_indexed(&mut long, &x, &x, f);
        let by_definition = x.iter().enumerate().map(|(i, x)| x.sigmoid() + (i % 3) as f32);
        assert!(long.iter().zip(by_definition).all(|(got, want)| (got - want).abs() < 1e-6));
        for length in [1, 100, ELEMENTS_PER_CHUNK + 1] {
            let mut short = vec![0.0; length];
            map_indexed(&mut short, &x[..length], &x[..length], f);
            assert_eq!(short, long[..length]);
        }
    }
}
