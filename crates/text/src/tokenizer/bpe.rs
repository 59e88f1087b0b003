//! Byte-level byte-pair encoding (Sennrich et al. 2016; on bytes, Radford et al. 2019).
//!
//! A word starts as its bytes. While two neighbours form a token, the pair that forms
//! the token with the lowest id is merged, the leftmost first. This repeats the merges
//! in the order in which they were learned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::error::TokenizerError;
use super::pretokenize::words;

/// The limit keeps merges that double in length from filling the memory.
pub(super) const MAX_BYTES_PER_TOKEN: usize = 1024;

/// A byte-pair vocabulary.
#[derive(Debug, Clone)]
pub(super) struct Bpe {
    /// The bytes of each token, by id.
    tokens: Vec<Box<[u8]>>,
    /// The id of each byte.
    bytes: Box<[u32; 256]>,
    /// The id of the token that two neighbours form.
    pairs: FxHashMap<[u32; 2], u32>,
    /// The merges in order; merge 0 forms token 256. Empty for GPT-2, which is given as tokens.
    merges: Vec<[u32; 2]>,
}

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
    /// a token of more than [`MAX_BYTES_PER_TOKEN`] bytes.
    pub fn from_merges(merges: Vec<[u32; 2]>) -> Result<Self, TokenizerError> {
        let mut tokens: Vec<Box<[u8]>> = (0..=255).map(|byte| Box::from([byte])).collect();
        let mut pairs = FxHashMap::default();
        for (&[a, b], id) in merges.iter().zip(256..) {
            let (Some(left), Some(right)) = (tokens.get(a as usize), tokens.get(b as usize)) else {
                let why = format!("merge {} joins {a} and {b}, which are not defined yet", id - 256);
                return Err(TokenizerError::Damaged(why));
            };
            if left.len() + right.len() > MAX_BYTES_PER_TOKEN {
                let why = format!("token {id} has more than {MAX_BYTES_PER_TOKEN} bytes");
                return Err(TokenizerError::Damaged(why));
            }
            if pairs.insert([a, b], id).is_some() {
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
                    pairs.insert([a, b], id);
                }
            }
        }
        Self { tokens, bytes, pairs, merges: Vec::new() }
    }

    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    pub fn token(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(id as usize).map(|token| &token[..])
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
    /// The token at each position, or [`MERGED`] if it was merged into an earlier one.
    tokens: Vec<u32>,
    /// The next and the previous position that still holds a token.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Pairs that can be merged, as (id of the merged token, position): lowest id first, then
    /// leftmost.
    candidates: BinaryHeap<Reverse<(u32, usize)>>,
}

/// Marks a position without a token.
const MERGED: u32 = u32::MAX;

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
        while let Some(Reverse((id, position))) = self.candidates.pop() {
            // The pair at this position has changed since it was pushed.
            if self.pair(bpe, position) != Some(id) {
                continue;
            }
            let right = self.next[position];
            let after = self.next[right];
            self.tokens[position] = id;
            self.tokens[right] = MERGED;
            self.next[position] = after;
            if after < n {
                self.previous[after] = position;
            }
            self.consider(bpe, position);
            if position > 0 {
                self.consider(bpe, self.previous[position]);
            }
        }
        ids.extend(self.tokens.iter().filter(|&&token| token != MERGED));
    }

    /// The token that the one at `position` and the next one form, if any.
    fn pair(&self, bpe: &Bpe, position: usize) -> Option<u32> {
        let right = *self.tokens.get(self.next[position])?;
        // `MERGED` is part of no pair.
        bpe.pairs.get(&[self.tokens[position], right]).copied()
    }

    fn consider(&mut self, bpe: &Bpe, position: usize) {
        if let Some(id) = self.pair(bpe, position) {
            self.candidates.push(Reverse((id, position)));
        }
    }
}
