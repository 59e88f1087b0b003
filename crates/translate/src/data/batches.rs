//! Batches: pairs of similar length side by side, so that little is padding.

use m2g_core::rng::{Streams, permutation};
use m2g_core::{Error, Tokens};

use super::pairs::{Pairs, Sentences};
use super::vocabulary::Specials;
use crate::PairBatch;

/// The tokens of a batch of an evaluation, padding included: enough to use all cores.
pub(crate) const EVALUATION_TOKENS: usize = 4096;

/// Batches of pairs, by their padded size.
///
/// Every epoch shuffles the pairs, sorts them by length, and cuts them into batches of at most `tokens`
/// tokens, padding included, on the larger side. Then it shuffles the batches. All of it depends only on the
/// seed and the number of the epoch.
#[derive(Debug, Clone, Copy)]
pub struct Batches<'a> {
    pairs: &'a Pairs,
    tokens: usize,
    seed: u64,
}

impl<'a> Batches<'a> {
    /// Batches of `tokens` tokens. A longer pair is a batch of its own.
    pub fn new(pairs: &'a Pairs, tokens: usize, seed: u64) -> Self {
        Self { pairs, tokens, seed }
    }

    /// The batches of an epoch, as indices of pairs. Together they hold every pair once.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<usize>> {
        let shuffled = |name: &str, n: usize| -> Vec<usize> {
            let order = permutation(&mut Streams::new(self.seed).stream(name, epoch), n as u32);
            order.into_iter().map(|i| i as usize).collect()
        };
        let in_order = self.cut(shuffled("shuffle", self.pairs.len()));
        let order = shuffled("shuffle batches", in_order.len());
        let mut batches: Vec<Option<Vec<usize>>> = in_order.into_iter().map(Some).collect();
        order.into_iter().filter_map(|i| batches[i].take()).collect()
    }

    /// All pairs in batches, shortest first.
    pub fn in_order(&self) -> Vec<Vec<usize>> {
        self.cut((0..self.pairs.len()).collect())
    }

    /// Sorts the pairs by length, and cuts them into batches.
    fn cut(&self, mut order: Vec<usize>) -> Vec<Vec<usize>> {
        let lengths = |i: usize| (self.pairs.target.get(i).len(), self.pairs.source.get(i).len());
        // Pairs of the same length stay in the given order.
        order.sort_by_key(|&i| lengths(i));
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut longest = 0;
        for i in order {
            let (target, source) = lengths(i);
            let with_this = longest.max(target).max(source);
            match batches.last_mut() {
                Some(batch) if (batch.len() + 1) * with_this <= self.tokens => {
                    batch.push(i);
                    longest = with_this;
                }
                _ => {
                    batches.push(vec![i]);
                    longest = target.max(source);
                }
            }
        }
        batches
    }

    /// The mean number of target tokens per batch, and the share of padding on both sides together.
    pub fn statistics(&self) -> (f64, f64) {
        let batches = self.in_order();
        let (mut real, mut padded, mut targets) = (0, 0, 0);
        for batch in &batches {
            for side in [&self.pairs.source, &self.pairs.target] {
                real += batch.iter().map(|&i| side.get(i).len()).sum::<usize>();
                padded += batch.len() * longest(side, batch);
            }
            targets += batch.iter().map(|&i| self.pairs.target.get(i).len()).sum::<usize>();
        }
        (targets as f64 / batches.len().max(1) as f64, 1.0 - real as f64 / padded.max(1) as f64)
    }
}

/// The length of the longest of these sentences.
fn longest(sentences: &Sentences, indices: &[usize]) -> usize {
    indices.iter().map(|&i| sentences.get(i).len()).max().unwrap_or(0)
}

/// The batch of the pairs with these indices. With `shift`, the decoder reads the beginning token and all
/// tokens of the target but the last; without, the target itself, which it must predict.
///
/// # Errors
/// None: the rows have the same length.
pub fn batch(pairs: &Pairs, indices: &[usize], special: Specials, shift: bool) -> Result<PairBatch, Error> {
    let rows = |sentences: &Sentences, first: Option<u32>| {
        let (b, t) = (indices.len(), longest(sentences, indices));
        let mut ids = Vec::with_capacity(b * t);
        for &i in indices {
            let sentence = sentences.get(i);
            match first {
                Some(first) => {
                    ids.push(first);
                    ids.extend_from_slice(&sentence[..sentence.len() - 1]);
                }
                None => ids.extend_from_slice(sentence),
            }
            ids.resize(ids.len().next_multiple_of(t), special.padding);
        }
        Tokens::new([b, t], ids)
    };
    let lengths = |sentences: &Sentences| indices.iter().map(|&i| sentences.get(i).len()).collect();
    Ok(PairBatch {
        source: rows(&pairs.source, None)?,
        source_lengths: lengths(&pairs.source),
        input: rows(&pairs.target, shift.then_some(special.beginning))?,
        target: rows(&pairs.target, None)?,
        target_lengths: lengths(&pairs.target),
        padding: special.padding,
        rows: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::text::TextPair;
    use super::super::vocabulary::{Specials, tokenizer_for};
    use super::*;
    use proptest::prelude::*;

    fn pairs(lengths: &[(usize, usize)]) -> (Pairs, Specials) {
        let text = |n: usize| "ab".repeat(n)[..n].to_string();
        let text: Vec<TextPair> =
            lengths.iter().map(|&(s, t)| TextPair { source: text(s), target: text(t) }).collect();
        let tokenizer = tokenizer_for("byte", "x", &text).unwrap();
        (Pairs::encode(&text, &tokenizer, 100).unwrap().0, Specials::of(&tokenizer).unwrap())
    }

    #[test]
    fn a_batch_by_hand() {
        let (pairs, special) = pairs(&[(1, 3), (2, 1)]);
        let Specials { beginning, end, padding, .. } = special;
        let [a, b] = [97, 98];
        let both = batch(&pairs, &[1, 0], special, true).unwrap();
        assert_eq!(both.source.ids[..], [a, b, end, a, end, padding]);
        assert_eq!(both.input.ids[..], [beginning, a, padding, padding, beginning, a, b, a]);
        assert_eq!(both.target.ids[..], [a, end, padding, padding, a, b, a, end]);
        assert_eq!((&both.source_lengths[..], &both.target_lengths[..]), (&[3, 2][..], &[2, 4][..]));
        assert_eq!(both.targets(0.0).count(), 6);
        let unshifted = batch(&pairs, &[1, 0], special, false).unwrap();
        assert_eq!(unshifted.input, unshifted.target);
    }

    proptest! {
        #[test]
        fn every_pair_occurs_once_and_no_batch_is_too_large(
            lengths in prop::collection::vec((1..20_usize, 1..20_usize), 1..60),
            tokens in 1..80_usize,
        ) {
            let (pairs, special) = pairs(&lengths);
            let batches = Batches::new(&pairs, tokens, 7);
            let epoch = batches.epoch(3);
            let mut all = epoch.concat();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..pairs.len()));
            for indices in &epoch {
                let batch = batch(&pairs, indices, special, true).unwrap();
                let padded = batch.source.ids.len().max(batch.target.ids.len());
                prop_assert!(padded <= tokens || indices.len() == 1);
            }
            prop_assert_eq!(&epoch, &batches.epoch(3));
            let (_, padding) = batches.statistics();
            prop_assert!((0.0..1.0).contains(&padding));
        }
    }
}
