//! Byte-level byte-pair encoding (Sennrich et al. 2016; on bytes, Radford et al. 2019).
//!
//! A word is first its bytes. Then, as long as two neighbours form a token, the
//! pair with the lowest id is merged, the leftmost first: that repeats the merges
//! in the order in which they were learnt.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::TokenizerError;
use super::pretokenize::pieces;

/// No token has more bytes.
pub(super) const LONGEST_TOKEN: usize = 1024;

/// A vocabulary of byte pairs.
#[derive(Debug, Clone)]
pub(super) struct Bpe {
    /// The bytes of each token, by id.
    tokens: Vec<Box<[u8]>>,
    /// The token of each byte.
    bytes: Box<[u32; 256]>,
    /// The token that two neighbours form.
    pairs: FxHashMap<[u32; 2], u32>,
    /// The merges in their order, if they were learnt here: token 256 is the first.
    merges: Vec<[u32; 2]>,
}

/// Two vocabularies are the same if they merge the same.
impl PartialEq for Bpe {
    fn eq(&self, other: &Self) -> bool {
        self.merges == other.merges && self.tokens == other.tokens
    }
}

impl Bpe {
    /// The vocabulary of these merges: ids 0 to 255 are the bytes, 256 is the first
    /// merge, and so on.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if a merge uses a token that is not there yet.
    pub fn of_merges(merges: Vec<[u32; 2]>) -> Result<Self, TokenizerError> {
        let mut tokens: Vec<Box<[u8]>> = (0..=255).map(|byte| Box::from([byte])).collect();
        let mut pairs = FxHashMap::default();
        for (&[a, b], id) in merges.iter().zip(256..) {
            let (Some(left), Some(right)) = (tokens.get(a as usize), tokens.get(b as usize)) else {
                let why = format!("merge {} joins {a} and {b}, which are not there yet", id - 256);
                return Err(TokenizerError::Damaged(why));
            };
            if left.len() + right.len() > LONGEST_TOKEN {
                let why = format!("token {id} has more than {LONGEST_TOKEN} bytes");
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

    /// The vocabulary of tokens that stand in the order of their merges, and of which
    /// any two are merged that together are a third.
    pub fn of_ranked_tokens(tokens: Vec<Box<[u8]>>) -> Self {
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

/// Encodes words, and remembers those it has seen.
#[derive(Debug)]
pub(super) struct Words<'a> {
    bpe: &'a Bpe,
    /// Where the tokens of a word stand in `found`.
    seen: FxHashMap<Box<[u8]>, (u32, u32)>,
    found: Vec<u32>,
    merger: Merger,
}

/// A word with more bytes than this is not remembered: it will not come again.
const LONGEST_REMEMBERED: usize = 64;
/// How many tokens are remembered before all is forgotten: some 100 MB of memory.
const MOST_REMEMBERED: usize = 1 << 22;

impl<'a> Words<'a> {
    pub fn new(bpe: &'a Bpe) -> Self {
        Self { bpe, seen: FxHashMap::default(), found: Vec::new(), merger: Merger::default() }
    }

    /// Appends the tokens of one word.
    pub fn merge(&mut self, word: &[u8], ids: &mut Vec<u32>) {
        self.merger.encode(self.bpe, word, ids);
    }

    /// Appends the tokens of `text`.
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) {
        for piece in pieces(text) {
            let word = piece.as_bytes();
            if let Some(&(start, end)) = self.seen.get(word) {
                ids.extend_from_slice(&self.found[start as usize..end as usize]);
                continue;
            }
            let before = ids.len();
            self.merge(word, ids);
            if word.len() <= LONGEST_REMEMBERED {
                if self.found.len() > MOST_REMEMBERED {
                    self.seen.clear();
                    self.found.clear();
                }
                let start = self.found.len() as u32;
                self.found.extend_from_slice(&ids[before..]);
                self.seen.insert(word.into(), (start, self.found.len() as u32));
            }
        }
    }
}

/// Merges the bytes of one word. The tokens form a linked list, and the pairs that
/// can be merged wait in a heap: n log n steps for n bytes, however long the word.
#[derive(Debug, Default)]
struct Merger {
    /// The token at each place; a place that was merged into the one before is [`GONE`].
    tokens: Vec<u32>,
    /// The next and the previous place that is not gone.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Pairs, the lowest merged id first and of these the leftmost: (id, place).
    waiting: BinaryHeap<Reverse<(u32, usize)>>,
}

const GONE: u32 = u32::MAX;

impl Merger {
    fn encode(&mut self, bpe: &Bpe, word: &[u8], ids: &mut Vec<u32>) {
        let n = word.len();
        self.tokens.clear();
        self.tokens.extend(word.iter().map(|&byte| bpe.bytes[usize::from(byte)]));
        self.next.clear();
        self.next.extend(1..=n);
        self.previous.clear();
        self.previous.extend((0..n).map(|place| place.wrapping_sub(1)));
        for place in 0..n.saturating_sub(1) {
            self.consider(bpe, place);
        }
        while let Some(Reverse((id, place))) = self.waiting.pop() {
            // A pair that changed since it was put here is not this pair any more.
            if self.pair(bpe, place) != Some(id) {
                continue;
            }
            let right = self.next[place];
            let after = self.next[right];
            self.tokens[place] = id;
            self.tokens[right] = GONE;
            self.next[place] = after;
            if after < n {
                self.previous[after] = place;
            }
            self.consider(bpe, place);
            if place > 0 {
                self.consider(bpe, self.previous[place]);
            }
        }
        ids.extend(self.tokens.iter().filter(|&&token| token != GONE));
    }

    /// What the token at `place` and the next one form.
    fn pair(&self, bpe: &Bpe, place: usize) -> Option<u32> {
        let right = *self.tokens.get(self.next[place])?;
        // No pair has a token that is gone.
        bpe.pairs.get(&[self.tokens[place], right]).copied()
    }

    fn consider(&mut self, bpe: &Bpe, place: usize) {
        if let Some(id) = self.pair(bpe, place) {
            self.waiting.push(Reverse((id, place)));
        }
    }
}
