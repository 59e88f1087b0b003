//! Byte-pair merges.

use std::collections::BTreeMap;

use m2g_exercises::{Input, Value};

use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "merges",
    sources: sources!("32_merges"),
    inputs: &["tokens", "first_new", "merges"],
    outputs: &["pairs", "tokens"],
    cases: |_| {
        let case = |tokens: &[usize], merges: usize| vec![tokens.to_vec().into(), 10.into(), merges.into()];
        vec![
            case(&[1, 2, 3, 1, 2], 1),
            case(&[1, 1, 1, 2], 1),
            // Every pair occurs once: neither the order in the text nor luck finds the smallest one.
            case(&[5, 3, 8, 1, 6, 2, 9, 4, 7, 3, 6, 8], 3),
            // Runs of equal tokens, several pairs with the same count, and a merge of merges.
            case(&[4, 4, 4, 1, 2, 5, 1, 2, 4, 4, 4, 7, 5, 1, 2, 4, 6], 3),
        ]
    },
    reference: |input| Ok(learn(input, Wrong::Nothing)),
    gradient: None,
    groups: &[("pairs", 2)],
    mistakes: &[
        Mistake { name: "largest_of_several", answer: |input| learn(input, Wrong::Largest) },
        Mistake { name: "first_of_several", answer: |input| learn(input, Wrong::FirstInText) },
        Mistake { name: "first_only", answer: |input| learn(input, Wrong::FirstOnly) },
        Mistake { name: "not_used_up", answer: |input| learn(input, Wrong::NotUsedUp) },
    ],
};

#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    Largest,
    FirstInText,
    FirstOnly,
    NotUsedUp,
}

fn learn(input: &mut Input, wrong: Wrong) -> Value {
    let (mut tokens, first_new, merges) = (input.ids(), input.count(), input.count());
    let mut pairs = Vec::new();
    for new in first_new..first_new + merges {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        tokens.windows(2).for_each(|two| *counts.entry((two[0], two[1])).or_default() += 1);
        let most = counts.values().copied().max().unwrap_or(0);
        let mut best = counts.iter().filter(|(_, count)| **count == most).map(|(pair, _)| *pair);
        let mut in_text = tokens.windows(2).map(|two| (two[0], two[1]));
        let pair = match wrong {
            Wrong::Largest => best.next_back(),
            Wrong::FirstInText => in_text.find(|pair| counts.get(pair) == Some(&most)),
            _ => best.next(),
        };
        let pair = pair.unwrap_or_default();
        tokens = merge(&tokens, pair, new, wrong);
        pairs.push(pair);
    }
    (pairs, tokens).into()
}

fn merge(tokens: &[usize], pair: (usize, usize), new: usize, wrong: Wrong) -> Vec<usize> {
    let (mut merged, mut i, mut done) = (Vec::new(), 0, false);
    while i < tokens.len() {
        let here = i + 1 < tokens.len() && (tokens[i], tokens[i + 1]) == pair;
        if here && !(wrong == Wrong::FirstOnly && done) {
            merged.push(new);
            done = true;
            i += if wrong == Wrong::NotUsedUp { 1 } else { 2 };
        } else {
            merged.push(tokens[i]);
            i += 1;
        }
    }
    merged
}
