//! Windows of a row of tokens: random ones to train, all of them to evaluate.

use std::iter::repeat_n;
use std::sync::Arc;

use m2g_core::Tokens;
use m2g_core::rng::Streams;
use rand::rand_core::Rng;

use super::{CorpusError, TokenData};
use crate::TokenBatch;

/// The windows of `length` tokens that begin at `starts`.
fn windows_at(data: &TokenData, starts: impl ExactSizeIterator<Item = usize>, length: usize) -> TokenBatch {
    let mut batch = TokenBatch::default();
    windows_into(&mut batch, data, starts, length);
    batch
}

/// The same in the memory of `batch`.
fn windows_into(
    batch: &mut TokenBatch,
    data: &TokenData,
    starts: impl ExactSizeIterator<Item = usize>,
    length: usize,
) {
    let shape = [starts.len(), length];
    let mut window = vec![0; length + 1];
    let (xs, ys) = (room(&mut batch.x, shape), room(&mut batch.y, shape));
    for ((x, y), start) in xs.chunks_exact_mut(length).zip(ys.chunks_exact_mut(length)).zip(starts) {
        data.read(start, &mut window);
        x.copy_from_slice(&window[..length]);
        y.copy_from_slice(&window[1..]);
    }
}

/// Makes `tokens` so many, in their own memory if they are as many already and nobody else
/// holds them.
fn room(tokens: &mut Tokens, shape: [usize; 2]) -> &mut [u32] {
    let n = shape[0] * shape[1];
    if tokens.ids.len() != n || Arc::get_mut(&mut tokens.ids).is_none() {
        tokens.ids = repeat_n(0, n).collect();
    }
    tokens.shape = shape;
    Arc::get_mut(&mut tokens.ids).expect("they were just seen or made to be held by nobody else")
}

/// Windows from all over the text: which ones depends on the seed, the name of the
/// stream, the step and the number of the accumulation step alone, so that a resumed
/// training sees what it would have seen.
///
/// Window number k, counted over all steps, begins at the share `u + k / phi`, less its
/// whole part, of the text, with a random `u` of each seed and the golden ratio phi. Any
/// row of such places is spread over the text more evenly than chance would (Weyl 1916):
/// a training sees all parts of the text equally often, where windows drawn one by one
/// would leave a share of e^-1.5 of it unseen after one and a half times its length.
#[derive(Debug)]
pub struct Batches<'a> {
    data: &'a TokenData,
    batch_size: usize,
    block_size: usize,
    streams: Streams,
}

impl<'a> Batches<'a> {
    /// Batches of `batch_size` windows of `block_size` tokens.
    ///
    /// # Errors
    /// [`CorpusError::TooShort`] if the data is shorter than a window and the token after it;
    /// [`CorpusError::Setting`] if a size is 0.
    pub fn new(
        data: &'a TokenData,
        batch_size: usize,
        block_size: usize,
        seed: u64,
    ) -> Result<Self, CorpusError> {
        for (name, value) in [("batch_size", batch_size), ("block_size", block_size)] {
            if value == 0 {
                return Err(CorpusError::Setting { name, value: "0".into(), rule: "it must be at least 1" });
            }
        }
        if data.len() <= block_size {
            return Err(CorpusError::TooShort { block_size, tokens: data.len() });
        }
        Ok(Self { data, batch_size, block_size, streams: Streams::new(seed) })
    }

    /// Batch number `micro` of step `step` of the stream called `name`.
    pub fn get(&self, name: &str, step: u64, micro: u64) -> TokenBatch {
        let mut batch = TokenBatch::default();
        self.get_into(&mut batch, name, step, micro);
        batch
    }

    /// The same in the memory of a batch that is no longer needed.
    pub fn get_into(&self, batch: &mut TokenBatch, name: &str, step: u64, micro: u64) {
        let offset = self.streams.stream(&format!("{name}/{micro}"), 0).next_u64();
        let first = step.wrapping_mul(self.batch_size as u64);
        // The last window that has a token after it begins at `places` - 1.
        let places = self.data.len() - self.block_size;
        let starts = (0..self.batch_size as u64).map(|i| place(offset, first.wrapping_add(i), places));
        windows_into(batch, self.data, starts.collect::<Vec<_>>().into_iter(), self.block_size);
    }
}

/// Number k of a row of numbers in `0..n`, evenly spread whatever its length.
fn place(offset: u64, k: u64, n: usize) -> usize {
    /// 2^64 / phi: whole parts fall off when the arithmetic wraps.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let share = offset.wrapping_add(k.wrapping_mul(STEP));
    ((u128::from(share) * n as u128) >> 64) as usize
}

/// All of the data in windows that follow one another: each token but the first is
/// predicted exactly once. The last window may be shorter.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a> {
    data: &'a TokenData,
    block_size: usize,
}

impl<'a> Windows<'a> {
    /// Windows of `block_size` tokens.
    ///
    /// # Errors
    /// [`CorpusError::Setting`] if `block_size` is 0; [`CorpusError::TooShort`] if the
    /// data has not even two tokens.
    pub fn new(data: &'a TokenData, block_size: usize) -> Result<Self, CorpusError> {
        if block_size == 0 {
            let rule = "it must be at least 1";
            return Err(CorpusError::Setting { name: "block_size", value: "0".into(), rule });
        }
        if data.len() < 2 {
            return Err(CorpusError::TooShort { block_size: 1, tokens: data.len() });
        }
        Ok(Self { data, block_size })
    }

    /// How many tokens are predicted in all.
    pub fn targets(&self) -> usize {
        self.data.len() - 1
    }

    /// All windows in batches of at most `batch_size`; if the last window is shorter,
    /// it is a batch of its own. The loss of the data is the mean over the batches,
    /// each weighted by its number of tokens.
    pub fn batches(self, batch_size: usize) -> impl Iterator<Item = TokenBatch> + use<'a> {
        let Self { data, block_size } = self;
        let (whole, rest) = (self.targets() / block_size, self.targets() % block_size);
        let batch_size = batch_size.max(1);
        let full = (0..whole).step_by(batch_size).map(move |first| {
            let windows = first..whole.min(first + batch_size);
            windows_at(data, windows.map(|i| i * block_size), block_size)
        });
        let last = (rest > 0).then(|| windows_at(data, std::iter::once(whole * block_size), rest));
        full.chain(last)
    }

    /// At most `n` of the whole windows as one batch, spread evenly over the data; of data
    /// that fills none, all there is.
    pub fn spread(self, n: usize) -> TokenBatch {
        let Self { data, block_size } = self;
        let block_size = block_size.min(self.targets());
        let whole = self.targets() / block_size;
        let n = n.clamp(1, whole);
        windows_at(data, (0..n).map(|i| i * whole / n * block_size), block_size)
    }
}

impl TokenData {
    /// All of this data in windows that follow one another; see [`Windows`].
    ///
    /// # Errors
    /// As [`Windows::new`].
    pub fn windows(&self, block_size: usize) -> Result<Windows<'_>, CorpusError> {
        Windows::new(self, block_size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn data(n: u32) -> TokenData {
        TokenData::new(&(0..n).collect::<Vec<_>>())
    }

    #[test]
    fn y_is_x_shifted_by_one() {
        let data = data(1000);
        let batch = Batches::new(&data, 5, 8, 1).unwrap().get("train", 3, 0);
        assert_eq!(batch.x.shape, [5, 8]);
        for (row, targets) in batch.x.ids.chunks(8).zip(batch.y.ids.chunks(8)) {
            assert!(row.windows(2).all(|w| w[1] == w[0] + 1), "{row:?}");
            assert!(row.iter().zip(targets).all(|(x, y)| *y == x + 1));
        }
    }

    #[test]
    fn batches_depend_on_seed_name_step_and_micro_alone() {
        let data = data(100_000);
        let of = |seed| Batches::new(&data, 4, 8, seed).unwrap();
        let first = of(1).get("train", 0, 0);
        assert_eq!(first, of(1).get("train", 0, 0));
        for other in [
            of(2).get("train", 0, 0),
            of(1).get("val", 0, 0),
            of(1).get("train", 1, 0),
            of(1).get("train", 0, 1),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_batch_in_the_memory_of_another_is_the_same() {
        let data = data(100_000);
        let batches = Batches::new(&data, 4, 8, 1).unwrap();
        let mut batch = batches.get("train", 0, 0);
        let (held, address) = (batch.x.clone(), batch.y.ids.as_ptr());
        batches.get_into(&mut batch, "train", 1, 0);
        assert_eq!(batch, batches.get("train", 1, 0));
        // Somebody still holds x, but nobody y.
        assert_eq!((held, batch.y.ids.as_ptr()), (batches.get("train", 0, 0).x, address));
    }

    #[test]
    fn every_window_can_come_and_none_is_too_long() {
        let data = data(7);
        let batch = Batches::new(&data, 400, 4, 1).unwrap().get("train", 0, 0);
        let starts: std::collections::BTreeSet<u32> = batch.x.ids.chunks(4).map(|row| row[0]).collect();
        assert!(starts.into_iter().eq(0..3));
        let error = Batches::new(&data, 1, 7, 1).unwrap_err().to_string();
        assert!(
            error.contains("block_size is 7") && error.contains("8 tokens") && error.contains("has 7"),
            "{error}"
        );
        assert!(Batches::new(&data, 1, 6, 1).is_ok());
    }

    #[test]
    fn windows_are_spread_over_the_data() {
        let first =
            |batch: TokenBatch| batch.x.ids.chunks(batch.x.shape[1]).map(|row| row[0]).collect::<Vec<_>>();
        assert_eq!(first(data(101).windows(10).unwrap().spread(5)), [0, 20, 40, 60, 80]);
        assert_eq!(first(data(101).windows(10).unwrap().spread(100)).len(), 10);
        let short = data(6).windows(10).unwrap().spread(3);
        assert_eq!(short.x.shape, [1, 5]);
    }

    #[test]
    fn all_parts_of_a_text_are_seen_equally_often() {
        let n = 3 << 40; // more than 32 bits hold
        for (offset, windows) in [(0, 100), (u64::MAX / 3, 1_000), (12_345, 10_000)] {
            let mut tenths = [0_usize; 10];
            for k in 0..windows {
                let start = place(offset, 7_000 + k, n);
                assert!(start < n);
                tenths[start / (n / 10 + 1)] += 1;
            }
            let share = windows as usize / 10;
            assert!(tenths.iter().all(|count| count.abs_diff(share) <= 3), "{tenths:?}");
        }
    }

    proptest! {
        #[test]
        fn every_token_is_predicted_exactly_once(n in 2..200_u32, block_size in 1..50_usize, batch_size in 1..9_usize) {
            let data = data(n);
            let windows = data.windows(block_size).unwrap();
            let mut targets = Vec::new();
            for batch in windows.batches(batch_size) {
                prop_assert!(batch.x.shape[0] <= batch_size && batch.x.shape[1] <= block_size);
                prop_assert!(batch.x.ids.iter().zip(batch.y.ids.iter()).all(|(x, y)| x + 1 == *y));
                targets.extend_from_slice(&batch.y.ids);
            }
            prop_assert_eq!(targets.len(), windows.targets());
            prop_assert!(targets.into_iter().eq(1..n));
        }
    }
}
