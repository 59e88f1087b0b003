//! Added tokens: tokens of a vocabulary from elsewhere that no pairs merge into.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// A token that was added to a vocabulary, with the properties that Hugging Face gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedToken {
    /// Its id.
    pub id: u32,
    /// Its text.
    #[serde(rename = "content")]
    pub text: String,
    /// Whether it stands for no text, so that no text is encoded to it.
    #[serde(default)]
    pub special: bool,
    /// Whether it is found only as a whole word.
    #[serde(default)]
    pub single_word: bool,
    /// Whether it takes the white space before it.
    #[serde(default)]
    pub lstrip: bool,
    /// Whether it takes the white space after it.
    #[serde(default)]
    pub rstrip: bool,
    /// Whether it is looked for in the normalised text, after the other added tokens.
    #[serde(default)]
    pub normalized: bool,
}

impl AddedToken {
    /// A special token.
    pub fn special(id: u32, text: &str) -> Self {
        let text = text.into();
        Self { id, text, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }
    }

    /// Why a text never encodes to this token although it is not special; `None` if it does.
    pub fn not_found_because(&self) -> Option<&'static str> {
        // A text is encoded in pieces, which may end between a word and the white space after it.
        let word_then_space = |text: &str| {
            let mut pairs = text.chars().zip(text.chars().skip(1));
            pairs.any(|(a, b)| !a.is_whitespace() && b.is_whitespace())
        };
        match self {
            Self { single_word: true, .. } => Some("it is found only as a whole word (single_word)"),
            Self { lstrip: true, .. } | Self { rstrip: true, .. } => {
                Some("it takes the white space around it (lstrip, rstrip)")
            }
            _ if self.text.is_empty() => Some("it is empty"),
            _ if word_then_space(&self.text) => Some("it has white space after a word"),
            _ => None,
        }
    }
}

/// Finds added tokens that are text.
#[derive(Debug, Default)]
pub(super) struct Finder<'a> {
    /// The tokens by their first character, the longest first.
    by_first: FxHashMap<char, Vec<&'a AddedToken>>,
}

impl<'a> Finder<'a> {
    /// Those to look for first, and those to look for in the text between them.
    pub fn passes(added: &'a [AddedToken]) -> [Self; 2] {
        let is_text = |token: &&AddedToken| !token.special && token.not_found_because().is_none();
        [false, true].map(|normalized| {
            Self::new(added.iter().filter(is_text).filter(|token| token.normalized == normalized))
        })
    }

    fn new(added: impl Iterator<Item = &'a AddedToken>) -> Self {
        let mut by_first: FxHashMap<char, Vec<&AddedToken>> = FxHashMap::default();
        for token in added {
            by_first.entry(token.text.chars().next().unwrap_or_default()).or_default().push(token);
        }
        by_first.values_mut().for_each(|tokens| tokens.sort_by_key(|token| Reverse(token.text.len())));
        Self { by_first }
    }

    /// The first added token in `text`, with its offset. Of several at one place, it is the longest.
    pub fn first(&self, text: &str) -> Option<(usize, &'a AddedToken)> {
        if self.by_first.is_empty() {
            return None;
        }
        text.char_indices().find_map(|(at, c)| {
            let tokens = self.by_first.get(&c)?;
            tokens.iter().find(|token| text[at..].starts_with(&token.text)).map(|token| (at, *token))
        })
    }
}
