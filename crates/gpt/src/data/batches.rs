//! Random windows of a sequence of tokens, to train on.

use m2g_core::Error;
use m2g_core::rng::Streams;
use m2g_text::TokenData;
use rand::rand_core::Rng;

use super::windows::{check_at_least_1, read_windows, too_short};
use crate::TokenBatch;

/// Random windows of the text. They depend only on the seed, the name of the stream, the
/// step and the index of the accumulation step, so that a resumed run sees the same
/// batches as an uninterrupted one.
///
/// Window k, counted over all steps, starts at the fraction `(u + k / phi) mod 1` of the
/// text, with a random `u` for each seed and stream and the golden ratio phi. Such a
/// sequence covers the text more evenly than independent draws (Weyl 1916): training
/// sees all parts of the text equally often. After 1.5 times the length of the text,
/// independent draws would leave a share e^-1.5 of it unseen.
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
    /// [`Error::TooLittleData`] if the data is shorter than a window and the token after it;
    /// [`Error::Setting`] if a size is 0.
    pub fn new(data: &'a TokenData, batch_size: usize, block_size: usize, seed: u64) -> Result<Self, Error> {
        check_at_least_1("batch_size", batch_size)?;
        check_at_least_1("block_size", block_size)?;
        if data.len() <= block_size {
            return Err(too_short(block_size, data.len()));
        }
        Ok(Self { data, batch_size, block_size, streams: Streams::new(seed) })
    }

    /// The batch of accumulation step `micro_step` of step `step`, from the stream `name`.
    ///
    /// # Errors
    /// As [`TokenData::read`].
    pub fn get(&self, name: &str, step: u64, micro_step: u64) -> Result<TokenBatch, Error> {
        let mut batch = TokenBatch::default();
        self.get_into(&mut batch, name, (step, micro_step), [self.batch_size, self.block_size])?;
        Ok(batch)
    }

    /// [`Batches::get`] into the memory of a batch that is no longer needed, perhaps with a smaller shape: the first
    /// of the windows, and fewer tokens of each.
    ///
    /// # Errors
    /// As [`TokenData::read`].
    pub fn get_into(
        &self,
        batch: &mut TokenBatch,
        name: &str,
        (step, micro_step): (u64, u64),
        [windows, length]: [usize; 2],
    ) -> Result<(), Error> {
        let (windows, length) = (windows.min(self.batch_size), length.min(self.block_size));
        let offset = self.streams.stream(&format!("{name}/{micro_step}"), 0).next_u64();
        let first = step.wrapping_mul(self.batch_size as u64);
        // The last window with a token after it starts at `starts - 1`.
        let starts = self.data.len() - length;
        let windows = (0..windows as u64).map(|i| evenly_spread(offset, first.wrapping_add(i), starts));
        read_windows(batch, self.data, windows.collect::<Vec<_>>().into_iter(), length)
    }
}

/// Element k of a sequence in `0..n` that is evenly spread at any length.
fn evenly_spread(offset: u64, k: u64, n: usize) -> usize {
    /// 2^64 / phi. Wrapping arithmetic drops the integer part.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let fraction = offset.wrapping_add(k.wrapping_mul(STEP));
    ((u128::from(fraction) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn data(n: u32) -> TokenData {
        TokenData::new(&(0..n).collect::<Vec<_>>())
    }

    #[test]
    fn targets_are_inputs_shifted_by_one() {
        let data = data(1000);
        let batch = Batches::new(&data, 5, 8, 1).unwrap().get("train", 3, 0).unwrap();
        assert_eq!(batch.x.shape, [5, 8]);
        for (row, targets) in batch.x.ids.chunks(8).zip(batch.y.ids.chunks(8)) {
            assert!(row.windows(2).all(|w| w[1] == w[0] + 1), "{row:?}");
            assert!(row.iter().zip(targets).all(|(x, y)| *y == x + 1));
        }
    }

    #[test]
    fn batches_depend_only_on_seed_name_step_and_micro_step() {
        let data = data(100_000);
        let of = |seed| Batches::new(&data, 4, 8, seed).unwrap();
        let first = of(1).get("train", 0, 0).unwrap();
        assert_eq!(first, of(1).get("train", 0, 0).unwrap());
        for other in [
            of(2).get("train", 0, 0),
            of(1).get("val", 0, 0),
            of(1).get("train", 1, 0),
            of(1).get("train", 0, 1),
        ] {
            assert_ne!(first, other.unwrap());
        }
    }

    #[test]
    fn a_batch_in_reused_memory_is_the_same() {
        let data = data(100_000);
        let batches = Batches::new(&data, 4, 8, 1).unwrap();
        let mut batch = batches.get("train", 0, 0).unwrap();
        let (held, address) = (batch.x.clone(), batch.y.ids.as_ptr());
        batches.get_into(&mut batch, "train", (1, 0), [4, 8]).unwrap();
        assert_eq!(batch, batches.get("train", 1, 0).unwrap());
        // x is still shared, y is not and keeps its memory.
        assert_eq!((held, batch.y.ids.as_ptr()), (batches.get("train", 0, 0).unwrap().x, address));
    }

    #[test]
    fn a_smaller_batch_has_the_first_windows_and_the_first_tokens_of_each() {
        let data = data(100_000);
        let batches = Batches::new(&data, 4, 8, 1).unwrap();
        let whole = batches.get("train", 3, 1).unwrap();
        let mut part = TokenBatch::default();
        batches.get_into(&mut part, "train", (3, 1), [2, 5]).unwrap();
        assert_eq!((part.x.shape, part.y.shape), ([2, 5], [2, 5]));
        for (part, whole) in part.x.ids.chunks(5).zip(whole.x.ids.chunks(8)) {
            // A shorter window may start a little later: there is more room at the end.
            assert!(part[0].abs_diff(whole[0]) <= 3 && part.windows(2).all(|w| w[1] == w[0] + 1));
        }
        batches.get_into(&mut part, "train", (3, 1), [4, 8]).unwrap();
        assert_eq!(part, whole);
    }

    #[test]
    fn every_window_occurs_and_none_is_too_long() {
        let data = data(7);
        let batch = Batches::new(&data, 400, 4, 1).unwrap().get("train", 0, 0).unwrap();
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
    fn all_parts_of_a_text_are_seen_equally_often() {
        let n = 3 << 40; // more than fits in 32 bits
        for (offset, windows) in [(0, 100), (u64::MAX / 3, 1_000), (12_345, 10_000)] {
            let mut tenths = [0_usize; 10];
            for k in 0..windows {
                let start = evenly_spread(offset, 7_000 + k, n);
                assert!(start < n);
                tenths[start / (n / 10 + 1)] += 1;
            }
            let share = windows as usize / 10;
            assert!(tenths.iter().all(|count| count.abs_diff(share) <= 3), "{tenths:?}");
        }
    }
}
