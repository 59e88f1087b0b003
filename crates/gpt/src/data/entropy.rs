//! Reference values for the loss, from token counts (Shannon 1948), in nats per token.
//!
//! Of a long text, pieces that are spread evenly over it are counted: counting all pairs of billions of tokens would
//! take minutes, and gigabytes of memory.

use m2g_text::{TextError, TokenData};
use rustc_hash::FxHashMap;

/// The most tokens that are counted.
const MAX_COUNTED: usize = 1 << 22;

/// The tokens of a piece of a longer text.
const TOKENS_PER_PIECE: usize = 1 << 16;

/// The number of tokens that are counted.
pub fn counted(data: &TokenData) -> usize {
    data.len().min(MAX_COUNTED)
}

/// Passes the tokens that are counted to `visit`, each piece with the index of its first token.
fn for_each_piece(data: &TokenData, mut visit: impl FnMut(usize, &[u32])) -> Result<(), TextError> {
    if data.len() <= MAX_COUNTED {
        return data.for_each_chunk(visit);
    }
    let (mut ids, pieces) = (vec![0; TOKENS_PER_PIECE], MAX_COUNTED / TOKENS_PER_PIECE);
    for i in 0..pieces {
        let start = (data.len() - TOKENS_PER_PIECE) / (pieces - 1) * i;
        data.read(start, &mut ids)?;
        visit(start, &ids);
    }
    Ok(())
}

/// The loss of a model that knows only the frequency of each token:
/// `H = -sum_a p(a) ln p(a)`.
///
/// # Errors
/// As [`TokenData::read`].
pub fn unigram(data: &TokenData) -> Result<f64, TextError> {
    Ok(entropy(counts(data)?))
}

/// The loss of a model that knows only the frequency of each pair of tokens: the entropy
/// of a token given the one before it, `-sum_ab p(a, b) ln p(b | a)`. On other data, a
/// model with these counts does worse.
///
/// # Errors
/// As [`TokenData::read`].
pub fn bigram(data: &TokenData) -> Result<f64, TextError> {
    let mut pairs: FxHashMap<[u32; 2], u64> = FxHashMap::default();
    // All tokens but the last one, which starts no pair.
    let mut firsts: FxHashMap<u32, u64> = FxHashMap::default();
    let (mut before, mut end) = (None, 0);
    for_each_piece(data, |start, ids| {
        if start != end {
            before = None;
        }
        end = start + ids.len();
        for &id in ids {
            if let Some(a) = before.replace(id) {
                *pairs.entry([a, id]).or_default() += 1;
                *firsts.entry(a).or_default() += 1;
            }
        }
    })?;
    // H(b | a) = H(a, b) - H(a).
    Ok((entropy(pairs.into_values().collect()) - entropy(firsts.into_values().collect())).max(0.0))
}

/// The number of occurrences of each token.
fn counts(data: &TokenData) -> Result<Vec<u64>, TextError> {
    let mut counts = Vec::new();
    for_each_piece(data, |_, ids| {
        for &id in ids {
            let id = id as usize;
            if id >= counts.len() {
                counts.resize(id + 1, 0);
            }
            counts[id] += 1;
        }
    })?;
    Ok(counts)
}

/// The entropy of counts `n_i` with sum N: `ln N - (1/N) sum_i n_i ln n_i`.
fn entropy(mut counts: Vec<u64>) -> f64 {
    // The order of a sum of floats changes its last bits, and maps have no fixed order.
    counts.sort_unstable();
    let n: u64 = counts.iter().sum();
    if n == 0 {
        return 0.0;
    }
    let sum: f64 = counts.iter().filter(|&&c| c > 0).map(|&c| c as f64 * (c as f64).ln()).sum();
    ((n as f64).ln() - sum / n as f64).max(0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entropies_match_hand_computed_values() {
        // One half 1, one quarter each 2 and 3: 1.5 bits.
        let ln2 = std::f64::consts::LN_2;
        let data = TokenData::new(&[1, 2, 1, 3].repeat(1000));
        assert!((unigram(&data).unwrap() - 1.5 * ln2).abs() < 1e-12);
        // 1 is followed by 2 or 3: one bit. 2 and 3 are always followed by 1.
        assert!((bigram(&data).unwrap() - 0.5 * ln2).abs() < 1e-3);
        assert_eq!(bigram(&TokenData::new(&[5, 6].repeat(50))).unwrap(), 0.0);
        assert_eq!(unigram(&TokenData::new(&[7; 9])).unwrap(), 0.0);
        assert_eq!(unigram(&TokenData::new(&[])).unwrap(), 0.0);
    }

    #[test]
    fn pieces_of_a_long_text_are_counted() {
        let n = MAX_COUNTED + 2 * TOKENS_PER_PIECE;
        let data = TokenData::new(&(0..n as u32).map(|i| i % 2).collect::<Vec<_>>());
        let (mut starts, mut tokens) = (Vec::new(), 0);
        for_each_piece(&data, |start, ids| {
            assert!(ids.iter().zip(start..).all(|(&id, i)| id as usize == i % 2));
            starts.push(start);
            tokens += ids.len();
        })
        .unwrap();
        assert_eq!((tokens, counted(&data)), (MAX_COUNTED, MAX_COUNTED));
        assert!(starts.windows(2).all(|pair| pair[1] >= pair[0] + TOKENS_PER_PIECE), "pieces overlap");
        assert!(starts[0] == 0 && n - starts[starts.len() - 1] < TOKENS_PER_PIECE + 64);
        assert!((unigram(&data).unwrap() - std::f64::consts::LN_2).abs() < 1e-12);
        assert!(bigram(&data).unwrap() < 1e-9);
    }
}
