//! # Characters as tokens
//!
//! A model computes with numbers, so a text becomes a list of them. The simplest tokenizer gives each
//! character its place in the vocabulary: all distinct characters of the text, in order.
//!
//!     "hello"    vocabulary  e h l o    tokens  1 0 2 2 3
//!
//! `text.chars()` visits the characters. A `BTreeSet` keeps what one inserts sorted and only once.

use std::collections::BTreeSet;

use m2g_exercises::answer;

/// The distinct characters of a text, sorted.
fn vocabulary(text: &str) -> Vec<char> {
    todo!()
}

/// The place of each character in the vocabulary.
fn encode(text: &str, vocabulary: &[char]) -> Vec<usize> {
    todo!()
}

/// The text of some tokens.
fn decode(tokens: &[usize], vocabulary: &[char]) -> String {
    todo!()
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
