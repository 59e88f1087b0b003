//! Learns the merges of byte-pair encoding from a text.
//!
//! The most frequent pair of neighbours is merged everywhere and becomes a token. This
//! repeats until there are enough tokens. Ties go to the pair with the lowest ids, so
//! that a text gives the same tokens on every machine. Equal words are merged once,
//! weighted by their count, and a merge updates only the counts of adjacent pairs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bpe::MAX_BYTES_PER_TOKEN;
use super::pretokenize::words;

/// The number of occurrences of each word of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct WordCounts(FxHashMap<Box<str>, u64>);

impl WordCounts {
    /// Adds the words of `text`.
    pub fn add(&mut self, text: &str) {
        for word in words(text) {
            match self.0.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    self.0.insert(word.into(), 1);
                }
            }
        }
    }

    /// The words, in the order of their bytes.
    pub fn into_sorted_words(self) -> Vec<Box<str>> {
        let mut words: Vec<Box<str>> = self.0.into_keys().collect();
        words.sort_unstable();
        words
    }
}

type Pair = [u32; 2];

struct Word {
    tokens: Vec<u32>,
    count: u64,
}

/// The distinct words, and where their pairs occur.
struct Pairs {
    words: Vec<Word>,
    counts: FxHashMap<Pair, u64>,
    /// The indices of the words in which a pair occurs or occurred.
    places: FxHashMap<Pair, Vec<usize>>,
    /// The pairs whose counts the last merge changed.
    changed: FxHashSet<Pair>,
}

/// The first `n` merges, in order; fewer if no pair is left.
pub(crate) fn merges(counts: WordCounts, n: usize) -> Vec<Pair> {
    let mut pairs = Pairs::new(counts);
    // Counts in the heap may be stale, so they are compared with the current counts when popped.
    let mut heap: BinaryHeap<(u64, Reverse<Pair>)> =
        pairs.counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
    let mut lengths = vec![1; 256];
    let mut merges = Vec::new();
    while merges.len() < n {
        let Some((count, Reverse(pair))) = heap.pop() else { break };
        if count == 0 || pairs.counts.get(&pair) != Some(&count) {
            continue;
        }
        let length: usize = lengths[pair[0] as usize] + lengths[pair[1] as usize];
        if length > MAX_BYTES_PER_TOKEN {
            continue;
        }
        let id = lengths.len() as u32;
        lengths.push(length);
        merges.push(pair);
        pairs.merge(pair, id);
        for pair in pairs.changed.drain() {
            heap.push((pairs.counts[&pair], Reverse(pair)));
        }
    }
    merges
}

impl Pairs {
    fn new(counts: WordCounts) -> Self {
        let words = counts.0.into_iter();
        let words = words.map(|(word, count)| Word { tokens: word.bytes().map(u32::from).collect(), count });
        let mut pairs = Self {
            words: words.collect(),
            counts: FxHashMap::default(),
            places: FxHashMap::default(),
            changed: FxHashSet::default(),
        };
        for (place, word) in pairs.words.iter().enumerate() {
            for pair in word.tokens.windows(2) {
                let pair = [pair[0], pair[1]];
                *pairs.counts.entry(pair).or_default() += word.count;
                let places: &mut Vec<usize> = pairs.places.entry(pair).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        pairs
    }

    /// Replaces every `pair` by the token `id`.
    fn merge(&mut self, pair: Pair, id: u32) {
        for place in self.places.remove(&pair).unwrap_or_default() {
            let old = std::mem::take(&mut self.words[place].tokens);
            let count = self.words[place].count;
            let mut new: Vec<u32> = Vec::with_capacity(old.len());
            let mut i = 0;
            while i < old.len() {
                if !old[i..].starts_with(&pair) {
                    new.push(old[i]);
                    i += 1;
                    continue;
                }
                self.decrease(pair, count);
                if let Some(&before) = new.last() {
                    self.decrease([before, pair[0]], count);
                    self.increase([before, id], count, place);
                }
                if let Some(&after) = old.get(i + 2) {
                    self.decrease([pair[1], after], count);
                    self.increase([id, after], count, place);
                }
                new.push(id);
                i += 2;
            }
            self.words[place].tokens = new;
        }
    }

    fn decrease(&mut self, pair: Pair, count: u64) {
        if let Some(n) = self.counts.get_mut(&pair) {
            *n -= count;
            self.changed.insert(pair);
        }
    }

    fn increase(&mut self, pair: Pair, count: u64, place: usize) {
        *self.counts.entry(pair).or_default() += count;
        self.changed.insert(pair);
        let places = self.places.entry(pair).or_default();
        if places.last() != Some(&place) {
            places.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The merges by definition: counts all pairs before each merge.
    fn by_definition(text: &str, n: usize) -> Vec<Pair> {
        let mut words: Vec<Vec<u32>> =
            super::words(text).map(|word| word.bytes().map(u32::from).collect()).collect();
        let mut merges = Vec::new();
        while merges.len() < n {
            let mut counts = std::collections::BTreeMap::<Pair, u64>::new();
            for pair in words.iter().flat_map(|w| w.windows(2)) {
                *counts.entry([pair[0], pair[1]]).or_default() += 1;
            }
            let Some((&pair, _)) = counts.iter().max_by_key(|(pair, count)| (**count, Reverse(**pair)))
            else {
                break;
            };
            let id = 256 + merges.len() as u32;
            for word in &mut words {
                let mut i = 0;
                while i + 1 < word.len() {
                    if [word[i], word[i + 1]] == pair {
                        word.splice(i..i + 2, [id]);
                    }
                    i += 1;
                }
            }
            merges.push(pair);
        }
        merges
    }

    fn learned(text: &str, n: usize) -> Vec<Pair> {
        let mut counts = WordCounts::default();
        counts.add(text);
        merges(counts, n)
    }

    #[test]
    fn the_most_frequent_pair_is_merged_first_and_ties_go_to_the_lowest_ids() {
        // " ab" twice, "ab" once: a-b 3 times, space-a twice.
        assert_eq!(learned("ab ab ab", 3), [[97, 98], [32, 256]]);
        assert_eq!(learned("cd ab", 1), [[32, 97]], "each pair occurs once: the space has the lowest id");
        assert_eq!(learned("", 5), [[0; 2]; 0]);
    }

    #[test]
    fn one_very_long_word_is_learned_fast_and_its_tokens_stay_short() {
        let merges = learned(&"a".repeat(1 << 20), 100);
        assert_eq!(merges[..3], [[97, 97], [256, 256], [257, 257]]);
        assert!(merges.len() < 30, "{}", merges.len());
    }

    proptest! {
        #[test]
        fn updated_counts_give_the_merges_of_the_definition(text in "[ab c]{0,60}|[a-d éß\n]{0,80}", n in 0..40_usize) {
            prop_assert_eq!(learned(&text, n), by_definition(&text, n));
        }
    }
}
