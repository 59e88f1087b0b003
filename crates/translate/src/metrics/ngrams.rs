//! Counts n-grams: sequences of n words or characters.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// The number of occurrences of each n-gram.
pub(super) type Counts<'a, I> = FxHashMap<&'a [I], u64>;

/// The n-grams of a sequence of items.
pub(super) fn ngrams<I: Hash + Eq>(items: &[I], n: usize) -> Counts<'_, I> {
    let mut counts = Counts::default();
    items.windows(n).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// The number of n-grams of a sequence of this length.
pub(super) fn total(length: usize, n: usize) -> u64 {
    (length + 1).saturating_sub(n) as u64
}

/// The number of n-grams that both have; an n-gram that one has twice and the other three times counts
/// twice.
pub(super) fn matches<I: Hash + Eq>(a: &Counts<'_, I>, b: &Counts<'_, I>) -> u64 {
    a.iter().map(|(ngram, &count)| count.min(b.get(ngram).copied().unwrap_or(0))).sum()
}
