//! Consecutive windows of a sequence of tokens.

use std::iter::repeat_n;
use std::sync::Arc;

use m2g_core::{Error, Tokens};
use m2g_text::TokenData;

use crate::TokenBatch;

/// Consecutive windows over all of the data: each token except the first is predicted
/// exactly once. The last window may be shorter.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a> {
    data: &'a TokenData,
    block_size: usize,
}

impl<'a> Windows<'a> {
    /// Windows of `block_size` tokens.
    ///
    /// # Errors
    /// [`Error::Setting`] if `block_size` is 0; [`Error::Other`] if the data has fewer than two
    /// tokens.
    pub fn new(data: &'a TokenData, block_size: usize) -> Result<Self, Error> {
        check_at_least_1("block_size", block_size)?;
        if data.len() < 2 {
            let why = format!("the data has too few tokens ({}) to predict one: give more text", data.len());
            return Err(Error::Other(why.into()));
        }
        Ok(Self { data, block_size })
    }

    /// The number of tokens that are predicted.
    pub fn targets(&self) -> usize {
        self.data.len() - 1
    }

    /// The number of batches of at most `batch_size` windows. A shorter last window is a batch of its own. The loss on
    /// the data is the mean over the batches, weighted by their numbers of tokens.
    pub fn batch_count(self, batch_size: usize) -> usize {
        let (whole, rest) = (self.targets() / self.block_size, self.targets() % self.block_size);
        whole.div_ceil(batch_size.max(1)) + usize::from(rest > 0)
    }

    /// Batch `i` of [`Windows::batch_count`].
    ///
    /// # Errors
    /// As [`TokenData::read`].
    pub fn batch(self, batch_size: usize, i: usize) -> Result<TokenBatch, Error> {
        let Self { data, block_size } = self;
        let (whole, rest) = (self.targets() / block_size, self.targets() % block_size);
        let first = i * batch_size.max(1);
        if first < whole {
            let windows = first..whole.min(first + batch_size.max(1));
            windows_at(data, windows.map(|i| i * block_size), block_size)
        } else {
            windows_at(data, std::iter::once(whole * block_size), rest)
        }
    }

    /// One batch of at most `n` full windows, spread evenly over the data. Data shorter than
    /// a window is one shorter window.
    ///
    /// # Errors
    /// As [`TokenData::read`].
    pub fn evenly_spaced(self, n: usize) -> Result<TokenBatch, Error> {
        let Self { data, block_size } = self;
        let block_size = block_size.min(self.targets());
        let whole = self.targets() / block_size;
        let n = n.clamp(1, whole);
        windows_at(data, (0..n).map(|i| i * whole / n * block_size), block_size)
    }
}

/// The windows of `length` tokens that start at `starts`, and their targets, shifted by one.
fn windows_at(
    data: &TokenData,
    starts: impl ExactSizeIterator<Item = usize>,
    length: usize,
) -> Result<TokenBatch, Error> {
    let mut batch = TokenBatch::default();
    read_windows(&mut batch, data, starts, length)?;
    Ok(batch)
}

/// Reads the windows of `length` tokens that start at `starts` into the memory of `batch`.
pub(super) fn read_windows(
    batch: &mut TokenBatch,
    data: &TokenData,
    starts: impl ExactSizeIterator<Item = usize>,
    length: usize,
) -> Result<(), Error> {
    let shape = [starts.len(), length]; // (B, T)
    let mut window = vec![0; length + 1];
    let (xs, ys) = (resize(&mut batch.x, shape), resize(&mut batch.y, shape));
    for ((x, y), start) in xs.chunks_exact_mut(length).zip(ys.chunks_exact_mut(length)).zip(starts) {
        data.read(start, &mut window)?;
        x.copy_from_slice(&window[..length]);
        y.copy_from_slice(&window[1..]);
    }
    Ok(())
}

/// Gives `tokens` this shape. Their memory is reused if it has the right size and is
/// not shared.
fn resize(tokens: &mut Tokens, shape: [usize; 2]) -> &mut [u32] {
    let n = shape[0] * shape[1];
    if tokens.ids.len() != n || Arc::get_mut(&mut tokens.ids).is_none() {
        tokens.ids = repeat_n(0, n).collect();
    }
    tokens.shape = shape;
    Arc::get_mut(&mut tokens.ids).expect("the memory is new, or was just found to be unshared")
}

pub(super) fn check_at_least_1(name: &'static str, value: usize) -> Result<(), Error> {
    match value {
        0 => Err(Error::Setting { name, value: "0".into(), rule: "it must be at least 1" }),
        _ => Ok(()),
    }
}

/// The error of data that is shorter than a window and the token after it.
pub(super) fn too_short(block_size: usize, tokens: usize) -> Error {
    let why = format!(
        "a window and the token after it need {} tokens, but the data has {tokens}; use a smaller `block_size` or \
         more text",
        block_size + 1
    );
    Error::TooLittleData { name: "block_size", value: block_size, why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn data(n: u32) -> TokenData {
        TokenData::new(&(0..n).collect::<Vec<_>>())
    }

    fn windows(data: &TokenData, block_size: usize) -> Windows<'_> {
        Windows::new(data, block_size).unwrap()
    }

    #[test]
    fn windows_are_spread_over_the_data() {
        let first = |batch: Result<TokenBatch, Error>| {
            let x = batch.unwrap().x;
            x.ids.chunks(x.shape[1]).map(|row| row[0]).collect::<Vec<_>>()
        };
        assert_eq!(first(windows(&data(101), 10).evenly_spaced(5)), [0, 20, 40, 60, 80]);
        assert_eq!(first(windows(&data(101), 10).evenly_spaced(100)).len(), 10);
        let short = windows(&data(6), 10).evenly_spaced(3).unwrap();
        assert_eq!(short.x.shape, [1, 5]);
    }

    proptest! {
        #[test]
        fn every_token_is_predicted_exactly_once(n in 2..200_u32, block_size in 1..50_usize, batch_size in 1..9_usize) {
            let data = data(n);
            let windows = Windows::new(&data, block_size).unwrap();
            let mut targets = Vec::new();
            for i in 0..windows.batch_count(batch_size) {
                let batch = windows.batch(batch_size, i).unwrap();
                prop_assert!(batch.x.shape[0] <= batch_size && batch.x.shape[1] <= block_size);
                prop_assert!(batch.x.ids.iter().zip(batch.y.ids.iter()).all(|(x, y)| x + 1 == *y));
                targets.extend_from_slice(&batch.y.ids);
            }
            prop_assert_eq!(targets.len(), windows.targets());
            prop_assert!(targets.into_iter().eq(1..n));
        }
    }
}
