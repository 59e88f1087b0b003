//! A vocabulary of whole words: one token each.
//!
//! A word is what GPT-2's pattern calls one: letters, digits or other signs, with the space before them. So
//! " pizza" and "pizza" are two tokens, tokens are joined without anything between them, and every text that can
//! be encoded decodes to itself. The one exception is the start of a text: a word there that is known only after
//! a space, or only without one, is that token, so that a prompt may begin anywhere in a sentence.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::error::{TokenizerError, UnknownWord};
use super::kind::LARGEST_BPE;
use super::pretokenize::words;

/// Distinct words. The id of a word is its index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WordList {
    words: Vec<Box<str>>,
    ids: FxHashMap<Box<str>, u32>,
}

impl WordList {
    /// One token for each of these words, in their order.
    ///
    /// # Errors
    /// [`TokenizerError::TooManyWords`], or [`TokenizerError::Damaged`] if there is none, one is empty, or one
    /// occurs twice.
    pub fn in_order(words: Vec<Box<str>>) -> Result<Self, TokenizerError> {
        if words.len() > LARGEST_BPE {
            return Err(TokenizerError::TooManyWords(words.len()));
        }
        if words.is_empty() || words.iter().any(|word| word.is_empty()) {
            return Err(TokenizerError::Damaged("it has no words, or an empty one".into()));
        }
        let ids: FxHashMap<Box<str>, u32> = words.iter().cloned().zip(0..).collect();
        if ids.len() < words.len() {
            return Err(TokenizerError::Damaged("its words are not distinct".into()));
        }
        Ok(Self { words, ids })
    }

    pub fn vocab_size(&self) -> usize {
        self.words.len()
    }

    pub fn token(&self, id: u32) -> Option<&[u8]> {
        self.words.get(id as usize).map(|word| word.as_bytes())
    }

    pub fn words(&self) -> &[Box<str>] {
        &self.words
    }

    /// Appends the ids of the words of `text`; appends nothing if one of them is unknown. `at_start` says whether
    /// `text` is the start of a text, and becomes false.
    pub fn encode(&self, text: &str, at_start: &mut bool, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let before = ids.len();
        let mut unknown = BTreeSet::new();
        for word in words(text) {
            let mut id = self.ids.get(word);
            if std::mem::take(at_start) && id.is_none() {
                id = match word.strip_prefix(' ') {
                    Some(bare) => self.ids.get(bare),
                    None => self.ids.get(&*format!(" {word}")),
                };
            }
            match id {
                Some(&id) => ids.push(id),
                None => {
                    unknown.insert(self.why_unknown(word));
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        ids.truncate(before);
        Err(TokenizerError::UnknownWords { words: unknown.into_iter().collect(), known: self.vocab_size() })
    }

    /// Where a word has no token: with a space before it, without one, or in both places.
    fn why_unknown(&self, word: &str) -> UnknownWord {
        match word.strip_prefix(' ') {
            _ if word.trim_matches(' ').is_empty() => UnknownWord::Spaces,
            Some(bare) if self.ids.contains_key(bare) => UnknownWord::AfterSpace(bare.into()),
            Some(bare) => UnknownWord::Everywhere(bare.into()),
            None if self.ids.contains_key(&*format!(" {word}")) => UnknownWord::WithoutSpace(word.into()),
            None => UnknownWord::Everywhere(word.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::tokenizer::{Tokenizer, TokenizerError, UnknownWord};

    const TEXT: &str = "La pizza sabía bien.\nMaría sabía la verdad.\n";

    #[test]
    fn words_round_trip() {
        let tokenizer = Tokenizer::word(TEXT).unwrap();
        let ids = tokenizer.encode(TEXT).unwrap();
        assert_eq!(tokenizer.decode(&ids), TEXT);
        let pieces: Vec<String> = ids.iter().map(|&id| tokenizer.decode(&[id])).collect();
        assert_eq!(pieces[..6], ["La", " pizza", " sabía", " bien", ".", "\n"]);
        // "sabía" occurs twice and is one token; the vocabulary is sorted.
        assert_eq!(tokenizer.vocab_size(), 9);
        assert!((1..9).all(|id| tokenizer.token(id - 1).unwrap() < tokenizer.token(id).unwrap()));
        let json = serde_json::to_string(&tokenizer).unwrap();
        assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), tokenizer);
        assert_eq!(tokenizer.name(), "word");
    }

    #[test]
    fn a_text_may_begin_within_a_sentence() {
        let tokenizer = Tokenizer::word(TEXT).unwrap();
        for (typed, read) in [("pizza sabía", " pizza sabía"), (" La pizza", "La pizza"), ("La", "La")] {
            assert_eq!(tokenizer.decode(&tokenizer.encode(typed).unwrap()), read);
        }
        assert!(tokenizer.encode("bien La").is_err());
    }

    #[test]
    fn unknown_words_are_named() {
        let tokenizer = Tokenizer::word(TEXT).unwrap();
        let error = tokenizer.encode("La sopa y la sopa").unwrap_err();
        let words = ["sopa", "y"].map(|word| UnknownWord::Everywhere(word.into()));
        assert_eq!(error, TokenizerError::UnknownWords { words: words.into(), known: 9 });
        let text = error.to_string();
        assert!(text.contains("\"sopa\", \"y\"") && text.contains("the 9 words"), "{text}");
        for damaged in [r#"{"kind":"word","words":[]}"#, r#"{"kind":"word","words":["a","a"]}"#] {
            assert!(serde_json::from_str::<Tokenizer>(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn spaces_are_named_where_they_make_a_word_unknown() {
        let tokenizer = Tokenizer::word(TEXT).unwrap();
        let says = |text: &str| tokenizer.encode(text).unwrap_err().to_string();
        let space = "the tokenizer has no token for a space at the end of the text or before another space: leave \
                     it out";
        for text in ["La pizza ", "La  pizza", "La pizza  ", " "] {
            assert_eq!(says(text), space, "{text:?}");
        }
        assert!(tokenizer.encode("La pizza.").is_ok());
        for (text, named) in [
            ("La pizza .", "for \".\" after a space (it knows it without one): it knows only the 9 words"),
            ("La\npizza", "for \"pizza\" without a space before it (it knows it after one): "),
            ("La\tverdad", "for \"\\t\", \"verdad\" without a space before it (it knows it after one): "),
            ("La sopa ", "another space: leave it out; and none for \"sopa\": it knows only the 9 words"),
        ] {
            assert!(says(text).contains(named), "{text:?}: {}", says(text));
        }
    }
}
