use std::collections::BTreeSet;

use m2g_exercises::answer;

/// The distinct characters of a text, sorted.
fn vocabulary(text: &str) -> Vec<char> {
    let set: BTreeSet<char> = text.chars().collect();
    set.into_iter().collect()
}

/// The place of each character in the vocabulary.
fn encode(text: &str, vocabulary: &[char]) -> Vec<usize> {
    text.chars().filter_map(|c| vocabulary.iter().position(|&known| known == c)).collect()
}

/// The text of some tokens.
fn decode(tokens: &[usize], vocabulary: &[char]) -> String {
    tokens.iter().map(|&token| vocabulary[token]).collect()
}

fn main() {
    answer(|input| {
        let text = input.text();
        let vocabulary = vocabulary(&text);
        let tokens = encode(&text, &vocabulary);
        let decoded = decode(&tokens, &vocabulary);
        (vocabulary, tokens, decoded)
    });
}
