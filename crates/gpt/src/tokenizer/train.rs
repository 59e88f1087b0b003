//! Which pairs to merge, learnt from a text.
//!
//! The most frequent pair of neighbours is merged, everywhere, and becomes a
//! token; that is repeated until there are enough tokens. Of pairs that are
//! equally frequent, the one with the lowest ids is first, so that a text gives
//! the same tokens everywhere. Words are counted once and merged as often as they
//! occur; after a merge, only the pairs beside it are counted anew.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bpe::LONGEST_TOKEN;
use super::pretokenize::pieces;

/// How often each word of a text occurs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(FxHashMap<Box<str>, u64>);

impl Counts {
    /// Counts the words of `text` too.
    pub fn add(&mut self, text: &str) {
        for piece in pieces(text) {
            match self.0.get_mut(piece) {
                Some(count) => *count += 1,
                None => {
                    self.0.insert(piece.into(), 1);
                }
            }
        }
    }
}

type Pair = [u32; 2];

struct Word {
    tokens: Vec<u32>,
    count: u64,
}

/// All words, and where their pairs are.
struct Pairs {
    words: Vec<Word>,
    counts: FxHashMap<Pair, u64>,
    /// The words in which a pair occurs, or occurred.
    places: FxHashMap<Pair, Vec<usize>>,
    /// The pairs whose count the last merge changed.
    changed: FxHashSet<Pair>,
}

/// At most `n` merges, in their order; fewer if no pair is left.
pub(crate) fn merges(counts: Counts, n: usize) -> Vec<Pair> {
    let mut pairs = Pairs::new(counts);
    // Counts in the heap may be old: they are compared with the true one when they
    // come to the top.
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
        if length > LONGEST_TOKEN {
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
    fn new(counts: Counts) -> Self {
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

    /// Makes every `pair` the token `id`.
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
                self.less(pair, count);
                if let Some(&before) = new.last() {
                    self.less([before, pair[0]], count);
                    self.more([before, id], count, place);
                }
                if let Some(&after) = old.get(i + 2) {
                    self.less([pair[1], after], count);
                    self.more([id, after], count, place);
                }
                new.push(id);
                i += 2;
            }
            self.words[place].tokens = new;
        }
    }

    fn less(&mut self, pair: Pair, count: u64) {
        if let Some(n) = self.counts.get_mut(&pair) {
            *n -= count;
            self.changed.insert(pair);
        }
    }

    fn more(&mut self, pair: Pair, count: u64, place: usize) {
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

    /// The same by counting everything anew before each merge.
    fn slowly(text: &str, n: usize) -> Vec<Pair> {
        let mut words: Vec<Vec<u32>> = pieces(text).map(|p| p.bytes().map(u32::from).collect()).collect();
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

    fn learnt(text: &str, n: usize) -> Vec<Pair> {
        let mut counts = Counts::default();
        counts.add(text);
        merges(counts, n)
    }

    #[test]
    fn the_most_frequent_pair_is_first_and_the_lowest_of_equals() {
        // " ab" twice, "ab" once: a-b 3 times, space-a twice.
        assert_eq!(learnt("ab ab ab", 3), [[97, 98], [32, 256]]);
        assert_eq!(learnt("cd ab", 1), [[32, 97]], "each pair once: the space has the lowest id");
        assert_eq!(learnt("", 5), [[0; 2]; 0]);
    }

    #[test]
    fn one_endless_word_is_learnt_fast_and_its_tokens_stay_short() {
        let merges = learnt(&"a".repeat(1 << 20), 100);
        assert_eq!(merges[..3], [[97, 97], [256, 256], [257, 257]]);
        assert!(merges.len() < 30, "{}", merges.len());
    }

    proptest! {
        #[test]
        fn counting_on_gives_what_counting_anew_gives(text in "[ab c]{0,60}|[a-d éß\n]{0,80}", n in 0..40_usize) {
            prop_assert_eq!(learnt(&text, n), slowly(&text, n));
        }
    }
}
