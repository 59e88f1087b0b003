//! A vocabulary of characters: one token each.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use rustc_hash::FxHashMap;

use super::error::{Known, TokenizerError};

/// Distinct characters. The id of a character is its index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Characters {
    characters: Vec<char>,
    ids: FxHashMap<char, u32>,
}

impl Characters {
    /// One token for each of these characters, in Unicode order.
    pub fn new(characters: BTreeSet<char>) -> Self {
        let ids = characters.iter().copied().zip(0..).collect();
        Self { characters: characters.into_iter().collect(), ids }
    }

    /// One token for each character of `text`, in its order.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if there is none, or one occurs twice.
    pub fn in_order(text: &str) -> Result<Self, TokenizerError> {
        let characters: Vec<char> = text.chars().collect();
        let ids: FxHashMap<char, u32> = characters.iter().copied().zip(0..).collect();
        if characters.is_empty() {
            return Err(TokenizerError::Damaged("it has no characters".into()));
        }
        if ids.len() < characters.len() {
            return Err(TokenizerError::Damaged("its characters are not distinct".into()));
        }
        Ok(Self { characters, ids })
    }

    pub fn vocab_size(&self) -> usize {
        self.characters.len()
    }

    pub fn token(&self, id: u32) -> Option<char> {
        self.characters.get(id as usize).copied()
    }

    /// Appends the ids of the characters of `text`; appends nothing if one of them is unknown.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let before = ids.len();
        ids.extend(text.chars().map_while(|c| self.ids.get(&c)));
        if text.chars().nth(ids.len() - before).is_none() {
            return Ok(());
        }
        ids.truncate(before);
        let mut unknown = Vec::new();
        let mut seen = BTreeSet::new();
        for c in text.chars().filter(|c| !self.ids.contains_key(c)) {
            if seen.insert(c) {
                unknown.push(c);
            }
        }
        let known = Known::Characters(self.vocab_size());
        Err(TokenizerError::UnknownCharacters { characters: unknown, known })
    }
}

/// The characters in order, without separators.
impl Display for Characters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.characters.iter().try_for_each(|c| write!(f, "{c}"))
    }
}
