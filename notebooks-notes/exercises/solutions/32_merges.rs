use std::collections::BTreeMap;

use m2g_exercises::answer;

/// The most frequent pair of neighbours.
fn most_frequent(tokens: &[usize]) -> (usize, usize) {
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for i in 1..tokens.len() {
        *counts.entry((tokens[i - 1], tokens[i])).or_insert(0) += 1;
    }
    let (mut best, mut most) = ((0, 0), 0);
    for (pair, count) in counts {
        if count > most {
            (best, most) = (pair, count);
        }
    }
    best
}

/// The tokens with each such pair replaced by `new`.
fn merge(tokens: &[usize], pair: (usize, usize), new: usize) -> Vec<usize> {
    let (mut merged, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if i + 1 < tokens.len() && (tokens[i], tokens[i + 1]) == pair {
            merged.push(new);
            i += 2;
        } else {
            merged.push(tokens[i]);
            i += 1;
        }
    }
    merged
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
