//! Characters as tokens, held to the tokenizer of the text crate.

use m2g_core::Error;
use m2g_exercises::Value;
use m2g_text::Tokenizer;

use crate::exercise::{Exercise, Mistake, sources};

const TEXTS: [&str; 3] = ["hello", "La pizza salió del horno", "to be or not to be\n"];

pub const EXERCISE: Exercise = Exercise {
    name: "characters",
    sources: sources!("17_characters"),
    inputs: &["text"],
    outputs: &["vocabulary", "tokens", "decoded"],
    cases: |_| TEXTS.map(|text| vec![Value::Text(text.into())]).into(),
    reference: |input| {
        let text = input.text();
        let tokenizer = Tokenizer::char(&text);
        let ids = tokenizer.encode(&text).map_err(|error| Error::Other(Box::new(error)))?;
        let vocabulary: Vec<u32> = (0..tokenizer.vocab_size() as u32).collect();
        let tokens: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        Ok((tokenizer.decode(&vocabulary), tokens, tokenizer.decode(&ids)).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "not_sorted",
            answer: |input| {
                let text = input.text();
                let mut vocabulary: Vec<char> = Vec::new();
                for c in text.chars() {
                    if !vocabulary.contains(&c) {
                        vocabulary.push(c);
                    }
                }
                answer(&text, vocabulary)
            },
        },
        Mistake {
            name: "not_distinct",
            answer: |input| {
                let text = input.text();
                let mut vocabulary: Vec<char> = text.chars().collect();
                vocabulary.sort_unstable();
                answer(&text, vocabulary)
            },
        },
    ],
};

/// The answer with some vocabulary.
fn answer(text: &str, vocabulary: Vec<char>) -> Value {
    let tokens: Vec<usize> = text.chars().filter_map(|c| vocabulary.iter().position(|&v| v == c)).collect();
    (vocabulary, tokens, text.to_string()).into()
}
