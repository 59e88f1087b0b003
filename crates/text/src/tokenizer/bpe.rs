//! Byte-level byte-pair encoding (Sennrich et al. 2016; on bytes, Radford et al. 2019).
//!
//! A word starts as its bytes. While two neighbours form a token, the pair that was learned
//! first is merged, the leftmost first. This repeats the merges in the order in which they
//! were learned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::error::{Known, TokenizerError};
use super::pretokenize::words;

/// Together with [`MAX_BYTES`], the limit keeps merges that double in length from filling the memory.
pub(super) const MAX_BYTES_PER_TOKEN: usize = 1024;

/// The most bytes of all tokens together. A million tokens that were learned from text have about 10 MB.
const MAX_BYTES: usize = 64 << 20;

/// A byte-pair vocabulary.
#[derive(Debug, Clone)]
pub(super) struct Bpe {
    /// The bytes of each token, by id; empty for an id without a token.
    tokens: Vec<Box<[u8]>>,
    /// The id of each byte, or [`NO_TOKEN`].
    bytes: Box<[u32; 256]>,
    /// What two neighbours form.
    pairs: FxHashMap<[u32; 2], Merged>,
    /// The merges in order. Empty for GPT-2, which is given as tokens.
    merges: Vec<[u32; 2]>,
}

/// The token that two neighbours form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Merged {
    /// The place of the merge in the order of all merges.
    rank: u32,
    id: u32,
}

/// Marks a byte without a token, and a position whose token was merged into an earlier one. It is
/// part of no pair.
const NO_TOKEN: u32 = u32::MAX;

/// Two vocabularies are equal if they merge the same pairs.
impl PartialEq for Bpe {
    fn eq(&self, other: &Self) -> bool {
        self.merges == other.merges && self.tokens == other.tokens
    }
}

impl Bpe {
    /// The vocabulary of these merges: ids 0 to 255 are the bytes, id 256 is the first
    /// merge, and so on.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if a merge uses a later token, repeats a pair, or forms
    /// a token of more than [`MAX_BYTES_PER_TOKEN`] bytes, or all have more than [`MAX_BYTES`].
    pub fn from_merges(merges: Vec<[u32; 2]>) -> Result<Self, TokenizerError> {
        let mut tokens: Vec<Box<[u8]>> = (0..=255).map(|byte| Box::from([byte])).collect();
        let mut pairs = FxHashMap::default();
        let mut bytes = 0;
        for (&[a, b], id) in merges.iter().zip(256..) {
            let (Some(left), Some(right)) = (tokens.get(a as usize), tokens.get(b as usize)) else {
                let why = format!("merge {} joins {a} and {b}, which are not defined yet", id - 256);
                return Err(TokenizerError::Damaged(why));
            };
            if left.len() + right.len() > MAX_BYTES_PER_TOKEN {
                let why = format!("token {id} has more than {MAX_BYTES_PER_TOKEN} bytes");
                return Err(TokenizerError::Damaged(why));
            }
            bytes += left.len() + right.len();
            if bytes > MAX_BYTES {
                let why = format!("its tokens have more than {} MiB", MAX_BYTES >> 20);
                return Err(TokenizerError::Damaged(why));
            }
            if pairs.insert([a, b], Merged { rank: id, id }).is_some() {
                let why = format!("merge {} joins {a} and {b} a second time", id - 256);
                return Err(TokenizerError::Damaged(why));
            }
            let token = [&left[..], &right[..]].concat().into();
            tokens.push(token);
        }
        Ok(Self { tokens, bytes: Box::new(std::array::from_fn(|byte| byte as u32)), pairs, merges })
    }

    /// The vocabulary of tokens in merge order. Any two tokens whose bytes join to a third
    /// one are merged.
    pub fn from_ranked_tokens(tokens: Vec<Box<[u8]>>) -> Self {
        let ids: FxHashMap<&[u8], u32> = tokens.iter().map(|token| &token[..]).zip(0..).collect();
        let mut bytes = Box::new([0; 256]);
        let mut pairs = FxHashMap::default();
        for (token, id) in tokens.iter().zip(0..) {
            if let [byte] = token[..] {
                bytes[usize::from(byte)] = id;
            }
            for (left, right) in (1..token.len()).map(|middle| token.split_at(middle)) {
                if let (Some(&a), Some(&b)) = (ids.get(left), ids.get(right)) {
                    pairs.insert([a, b], Merged { rank: id, id });
                }
            }
        }
        Self { tokens, bytes, pairs, merges: Vec::new() }
    }

    /// The vocabulary of tokens with any ids, `None` for an id without a token, and merges in
    /// order. A byte without a token becomes `unknown`, if there is such a token.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if a merge uses a token that does not exist, or forms none.
    pub fn from_tokens_and_merges(
        tokens: Vec<Option<Box<[u8]>>>,
        merges: Vec<[u32; 2]>,
        unknown: Option<u32>,
    ) -> Result<Self, TokenizerError> {
        let tokens: Vec<Box<[u8]>> = tokens.into_iter().map(Option::unwrap_or_default).collect();
        let ids: FxHashMap<&[u8], u32> =
            tokens.iter().map(|token| &token[..]).zip(0..).filter(|(token, _)| !token.is_empty()).collect();
        let token = |id: u32| tokens.get(id as usize).filter(|token| !token.is_empty());
        let mut pairs = FxHashMap::default();
        for (&[a, b], rank) in merges.iter().zip(0..) {
            let (Some(left), Some(right)) = (token(a), token(b)) else {
                let why = format!("merge {rank} joins {a} and {b}, which are not both tokens");
                return Err(TokenizerError::Damaged(why));
            };
            let Some(&id) = ids.get(&[&left[..], &right[..]].concat()[..]) else {
                let why = format!("merge {rank} joins {a} and {b}, but no token has the bytes of both");
                return Err(TokenizerError::Damaged(why));
            };
            // The first of two equal merges decides.
            pairs.entry([a, b]).or_insert(Merged { rank, id });
        }
        let byte = |byte: usize| ids.get(&[byte as u8][..]).copied().or(unknown).unwrap_or(NO_TOKEN);
        let bytes = Box::new(std::array::from_fn(byte));
        Ok(Self { bytes, pairs, merges, tokens })
    }

    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    pub fn token(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(id as usize).map(|token| &token[..]).filter(|token| !token.is_empty())
    }

    /// The token that two neighbours form.
    pub fn merged(&self, pair: [u32; 2]) -> Option<u32> {
        self.pairs.get(&pair).map(|merged| merged.id)
    }

    pub fn merges(&self) -> &[[u32; 2]] {
        &self.merges
    }
}

/// Encodes text word by word, and caches the tokens of the words that it has seen.
#[derive(Debug)]
pub(super) struct WordEncoder<'a> {
    bpe: &'a Bpe,
    /// The range of a word's tokens in `cached`.
    ranges: FxHashMap<Box<[u8]>, (u32, u32)>,
    cached: Vec<u32>,
    merger: Merger,
}

/// Longer words are unlikely to occur again.
const MAX_BYTES_PER_CACHED_WORD: usize = 64;
/// Beyond this, about 100 MB, the cache is cleared.
const MAX_CACHED_TOKENS: usize = 1 << 22;

impl<'a> WordEncoder<'a> {
    pub fn new(bpe: &'a Bpe) -> Self {
        Self { bpe, ranges: FxHashMap::default(), cached: Vec::new(), merger: Merger::default() }
    }

    /// Checks that every byte of `text` has a token.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacters`] for the characters with other bytes.
    pub fn check(&self, text: &str) -> Result<(), TokenizerError> {
        let unknown = |byte: u8| self.bpe.bytes[usize::from(byte)] == NO_TOKEN;
        if !self.bpe.bytes.contains(&NO_TOKEN) || !text.bytes().any(unknown) {
            return Ok(());
        }
        let mut characters = Vec::new();
        for c in text.chars().filter(|c| c.encode_utf8(&mut [0; 4]).bytes().any(unknown)) {
            if !characters.contains(&c) {
                characters.push(c);
            }
        }
        let known = self.bpe.bytes.iter().filter(|&&id| id != NO_TOKEN).count();
        Err(TokenizerError::UnknownCharacters { characters, known: Known::Bytes(known) })
    }

    /// Appends the tokens of one word.
    pub fn merge(&mut self, word: &[u8], ids: &mut Vec<u32>) {
        self.merger.encode(self.bpe, word, ids);
    }

    /// Appends the tokens of `text`.
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) {
        for word in words(text) {
            let word = word.as_bytes();
            if let Some(&(start, end)) = self.ranges.get(word) {
                ids.extend_from_slice(&self.cached[start as usize..end as usize]);
                continue;
            }
            let before = ids.len();
            self.merge(word, ids);
            if word.len() <= MAX_BYTES_PER_CACHED_WORD {
                if self.cached.len() > MAX_CACHED_TOKENS {
                    self.ranges.clear();
                    self.cached.clear();
                }
                let start = self.cached.len() as u32;
                self.cached.extend_from_slice(&ids[before..]);
                self.ranges.insert(word.into(), (start, self.cached.len() as u32));
            }
        }
    }
}

/// Merges the bytes of one word. The tokens form a linked list, and a heap holds the
/// pairs that can be merged: O(n log n) for n bytes.
#[derive(Debug, Default)]
struct Merger {
    /// The token at each position, or [`NO_TOKEN`] if it was merged into an earlier one.
    tokens: Vec<u32>,
    /// The next and the previous position that still holds a token.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Pairs that can be merged, with their positions: first learned first, then leftmost.
    candidates: BinaryHeap<Reverse<(Merged, usize)>>,
}

impl Merger {
    fn encode(&mut self, bpe: &Bpe, word: &[u8], ids: &mut Vec<u32>) {
        let n = word.len();
        self.tokens.clear();
        self.tokens.extend(word.iter().map(|&byte| bpe.bytes[usize::from(byte)]));
        self.next.clear();
        self.next.extend(1..=n);
        self.previous.clear();
        self.previous.extend((0..n).map(|position| position.wrapping_sub(1)));
        for position in 0..n.saturating_sub(1) {
            self.consider(bpe, position);
        }
        while let Some(Reverse((merged, position))) = self.candidates.pop() {
            // The pair at this position has changed since it was pushed.
            if self.pair(bpe, position) != Some(merged) {
                continue;
            }
            let right = self.next[position];
            let after = self.next[right];
            self.tokens[position] = merged.id;
            self.tokens[right] = NO_TOKEN;
            self.next[position] = after;
            if after < n {
                self.previous[after] = position;
            }
            self.consider(bpe, position);
            if position > 0 {
                self.consider(bpe, self.previous[position]);
            }
        }
        ids.extend(self.tokens.iter().filter(|&&token| token != NO_TOKEN));
    }

    /// The token that the one at `position` and the next one form, if any.
    fn pair(&self, bpe: &Bpe, position: usize) -> Option<Merged> {
        let right = *self.tokens.get(self.next[position])?;
        // A merged position is part of no pair.
        bpe.pairs.get(&[self.tokens[position], right]).copied()
    }

    fn consider(&mut self, bpe: &Bpe, position: usize) {
        if let Some(merged) = self.pair(bpe, position) {
            self.candidates.push(Reverse((merged, position)));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Every byte doubled nine times, and pairs of the results: 1024 bytes of each merge.
    #[test]
    fn merges_that_fill_the_memory_are_refused() {
        let (mut merges, mut last): (Vec<[u32; 2]>, Vec<u32>) = (Vec::new(), (0..256).collect());
        for _ in 0..9 {
            for token in &mut last {
                merges.push([*token; 2]);
                *token = 255 + merges.len() as u32;
            }
        }
        let doubled = merges.len();
        merges.extend(last.iter().flat_map(|&left| last.iter().map(move |&right| [left, right])));
        let few = Bpe::from_merges(merges[..doubled + 1000].to_vec()).unwrap();
        assert_eq!(few.token(255 + doubled as u32).unwrap(), [255; 512]);
        let error = Bpe::from_merges(merges).unwrap_err();
        assert!(
            matches!(&error, TokenizerError::Damaged(why) if why.contains("more than 64 MiB")),
            "{error:?}"
        );
    }
}
