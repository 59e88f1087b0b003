//! One token for each character.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use rustc_hash::FxHashMap;

use super::TokenizerError;

/// The characters of a text in the order of Unicode; the id of each is its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Characters {
    characters: Vec<char>,
    ids: FxHashMap<char, u32>,
}

impl Characters {
    /// A token for each of the characters.
    pub fn new(characters: BTreeSet<char>) -> Self {
        let ids = characters.iter().copied().zip(0..).collect();
        Self { characters: characters.into_iter().collect(), ids }
    }

    /// The characters as they were saved.
    pub fn of_saved(text: &str) -> Result<Self, TokenizerError> {
        let characters = Self::new(text.chars().collect());
        if characters.vocab_size() == 0 {
            return Err(TokenizerError::Damaged("it has no characters".into()));
        }
        if characters.to_string() != text {
            return Err(TokenizerError::Damaged("its characters are not in order, or not distinct".into()));
        }
        Ok(characters)
    }

    pub fn vocab_size(&self) -> usize {
        self.characters.len()
    }

    pub fn token(&self, id: u32) -> Option<char> {
        self.characters.get(id as usize).copied()
    }

    /// Appends the ids of the characters of `text`.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let known = ids.len();
        ids.extend(text.chars().map_while(|c| self.ids.get(&c)));
        if text.chars().nth(ids.len() - known).is_none() {
            return Ok(());
        }
        ids.truncate(known);
        let mut unknown = Vec::new();
        let mut seen = BTreeSet::new();
        for c in text.chars().filter(|c| !self.ids.contains_key(c)) {
            if seen.insert(c) {
                unknown.push(c);
            }
        }
        Err(TokenizerError::Unknown { characters: unknown, known: self.vocab_size() })
    }
}

/// All characters, one after the other.
impl Display for Characters {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.characters.iter().try_for_each(|c| write!(f, "{c}"))
    }
}
