//! # Byte-pair merges
//!
//! Byte-pair encoding learns its tokens: again and again, the most frequent pair of neighbours becomes
//! a new token. Write the two parts of a step:
//!
//!     most_frequent  the pair that occurs most often; of several, the smallest
//!     merge          every such pair becomes `new`, from left to right
//!
//! In 1 1 1, the pair (1, 1) occurs twice, but if `new` is 9, a merge makes 9 1: what is merged is
//! used up.

use std::collections::BTreeMap;

use m2g_exercises::answer;

/// The most frequent pair of neighbours.
fn most_frequent(tokens: &[usize]) -> (usize, usize) {
    todo!()
}

/// The tokens with each such pair replaced by `new`.
fn merge(tokens: &[usize], pair: (usize, usize), new: usize) -> Vec<usize> {
    todo!()
}

fn main() {
    answer(|input| {
        let (mut tokens, first_new, merges) = (input.ids(), input.count(), input.count());
        let mut pairs = Vec::new();
        for new in first_new..first_new + merges {
            let pair = most_frequent(&tokens);
            tokens = merge(&tokens, pair, new);
            pairs.push(pair);
        }
        (pairs, tokens)
    });
}
