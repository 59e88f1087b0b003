//! Batches that grow at the start of training.

use crate::Config;

/// How often a size doubles while it grows.
const DOUBLINGS: u32 = 3;

impl Config {
    /// The shape of a batch of `step`, counted from 0, for a model that sees `block_size` tokens: the number of
    /// windows, and the tokens of each.
    ///
    /// Early steps learn what few tokens show: which characters follow each other. Short windows teach that
    /// as well and cost less attention (Li et al. 2022, "Sequence Length Warmup"). And while the gradient is large
    /// beside its noise, small batches waste less (McCandlish et al. 2018).
    pub fn batch_shape(&self, block_size: usize, step: u64) -> [usize; 2] {
        [
            grown(self.batch_size, step, self.batch_size_warmup),
            grown(block_size, step, self.block_size_warmup),
        ]
    }
}

/// What is `size` after `warmup` steps: an eighth of it in their first third, a quarter in the second, half in
/// the last; at least 1.
fn grown(size: usize, step: u64, warmup: u64) -> usize {
    if step >= warmup {
        return size;
    }
    // In u128, because a number of steps may be any u64.
    let third = (u128::from(step) * u128::from(DOUBLINGS) / u128::from(warmup)) as u32;
    (size >> (DOUBLINGS - third)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_by_hand() {
        let sizes = |size, warmup| (0..7).map(|step| grown(size, step, warmup)).collect::<Vec<_>>();
        assert_eq!(sizes(64, 6), [8, 8, 16, 16, 32, 32, 64]);
        assert_eq!(sizes(64, 0), [64; 7]);
        assert_eq!(sizes(64, 1), [8, 64, 64, 64, 64, 64, 64]);
        assert_eq!(sizes(5, 6), [1, 1, 1, 1, 2, 2, 5]);
        let config =
            Config { batch_size: 16, batch_size_warmup: 3, block_size_warmup: 6, ..Config::default() };
        assert_eq!(
            [0, 2, 4, 6].map(|step| config.batch_shape(64, step)),
            [[2, 8], [8, 16], [16, 32], [16, 64]]
        );
    }

    proptest! {
        #[test]
        fn sizes_only_grow(size in 1..2000_usize, warmup: u64, a: u64, b: u64) {
            let (early, late) = (a.min(b), a.max(b));
            prop_assert!((1..=size).contains(&grown(size, early, warmup)));
            prop_assert!(grown(size, early, warmup) <= grown(size, late, warmup));
            prop_assert_eq!(grown(size, warmup, warmup), size);
        }
    }
}
