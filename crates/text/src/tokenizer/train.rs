//! Learns the merges of byte-pair encoding from a text.
//!
//! The most frequent pair of neighbours is merged everywhere and becomes a token. This
//! repeats until there are enough tokens. Ties go to the pair with the lowest ids, so
//! that a text gives the same tokens on every machine. Equal words are merged once,
//! weighted by their count, and a merge updates only the counts of adjacent pairs.

mod increasing;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use self::increasing::Increasing;
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

/// An integer that holds the id of a token.
trait Id: Copy + PartialEq + From<u8> + Into<u32> + TryFrom<u32> {}

impl Id for u16 {}
impl Id for u32 {}

/// The first `n` merges, in order; fewer if no pair is left.
pub(crate) fn merges(counts: WordCounts, n: usize) -> Vec<Pair> {
    // Half the memory is enough for nearly every vocabulary.
    match 256 + n <= 1 << 16 {
        true => learn::<u16>(counts, n),
        false => learn::<u32>(counts, n),
    }
}

fn learn<T: Id>(counts: WordCounts, n: usize) -> Vec<Pair> {
    let mut words = Words::<T>::new(counts);
    let mut pairs = words.pairs();
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
        words.merge(pair, id, &mut pairs);
        for pair in pairs.changed.drain() {
            heap.push((pairs.counts[&pair], Reverse(pair)));
        }
    }
    merges
}

/// The distinct words as tokens.
struct Words<T> {
    /// The tokens of one word after the other. A word that a merge has made shorter leaves a gap behind it.
    tokens: Vec<T>,
    words: Vec<Word>,
}

struct Word {
    /// The index of its first token.
    start: usize,
    /// The number of its tokens.
    len: usize,
    /// How often it occurs.
    count: u64,
}

/// How often pairs occur, and where.
#[derive(Default)]
struct Pairs {
    counts: FxHashMap<Pair, u64>,
    /// The indices of the words in which a pair occurs or occurred. In a text without spaces, there are about as
    /// many as the text has bytes.
    places: FxHashMap<Pair, Increasing>,
    /// The pairs whose counts the last merge changed.
    changed: FxHashSet<Pair>,
}

impl<T: Id> Words<T> {
    fn new(counts: WordCounts) -> Self {
        let mut tokens: Vec<T> = Vec::with_capacity(counts.0.keys().map(|word| word.len()).sum());
        let words = counts.0.into_iter().map(|(word, count)| {
            let (start, len) = (tokens.len(), word.len());
            tokens.extend(word.bytes().map(T::from));
            Word { start, len, count }
        });
        let words = words.collect();
        Self { tokens, words }
    }

    /// All pairs.
    fn pairs(&self) -> Pairs {
        let mut pairs = Pairs::default();
        for (place, word) in self.words.iter().enumerate() {
            for pair in self.tokens[word.start..][..word.len].windows(2) {
                pairs.add([pair[0].into(), pair[1].into()], word.count, place);
            }
        }
        pairs
    }

    /// Replaces every `pair` by the token `id`.
    fn merge(&mut self, pair: Pair, id: u32, pairs: &mut Pairs) {
        let of = |id: u32| T::try_from(id).ok().expect("the type was chosen for the number of tokens");
        let (two, one) = (pair.map(of), of(id));
        // All pairs with the new token are new, so their places come in increasing order too.
        for place in pairs.places.remove(&pair).unwrap_or_default().iter() {
            let word = &mut self.words[place];
            let tokens = &mut self.tokens[word.start..][..word.len];
            let (mut read, mut written) = (0, 0);
            while read < tokens.len() {
                if !tokens[read..].starts_with(&two) {
                    tokens[written] = tokens[read];
                    read += 1;
                    written += 1;
                    continue;
                }
                pairs.decrease(pair, word.count);
                if let Some(&before) = tokens[..written].last() {
                    pairs.decrease([before.into(), pair[0]], word.count);
                    pairs.increase([before.into(), id], word.count, place);
                }
                if let Some(&after) = tokens.get(read + 2) {
                    pairs.decrease([pair[1], after.into()], word.count);
                    pairs.increase([id, after.into()], word.count, place);
                }
                tokens[written] = one;
                read += 2;
                written += 1;
            }
            word.len = written;
        }
    }
}

impl Pairs {
    fn add(&mut self, pair: Pair, count: u64, place: usize) {
        *self.counts.entry(pair).or_default() += count;
        self.places.entry(pair).or_default().push(place);
    }

    fn increase(&mut self, pair: Pair, count: u64, place: usize) {
        self.add(pair, count, place);
        self.changed.insert(pair);
    }

    fn decrease(&mut self, pair: Pair, count: u64) {
        if let Some(n) = self.counts.get_mut(&pair) {
            *n -= count;
            self.changed.insert(pair);
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
        let merges = merges(counts.clone(), n);
        assert_eq!(learn::<u32>(counts, n), merges);
        merges
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
