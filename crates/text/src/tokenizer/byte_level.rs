//! A byte-level BPE vocabulary from elsewhere, such as a folder of Hugging Face: with ids of its own,
//! added tokens, and perhaps ids without a token.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::added::{AddedToken, Finder};
use super::bpe::{Bpe, WordEncoder};
use super::byte_letters::unspell;
use super::error::TokenizerError;
use super::special::SpecialToken;

/// Everything that makes up a byte-level BPE vocabulary, as a checkpoint stores it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByteLevelParts {
    /// The tokens by id, spelled with one visible character for each byte as in `vocab.json`; `None`
    /// for an id without a token, or of an added token.
    pub tokens: Vec<Option<String>>,
    /// The pairs to merge, as ids, in the order in which they are merged. A pair forms the token that
    /// has the bytes of both.
    pub merges: Vec<[u32; 2]>,
    /// The added tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AddedToken>,
    /// The id after a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_text: Option<u32>,
    /// The id before a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beginning: Option<u32>,
    /// The id of padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<u32>,
    /// The id of a byte without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<u32>,
    /// Whether a text that does not start with a space gets one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefix_space: bool,
}

impl ByteLevelParts {
    /// The id of a special token.
    pub(super) fn id_of(&self, token: SpecialToken) -> Option<u32> {
        match token {
            SpecialToken::Beginning => self.beginning,
            SpecialToken::EndOfText => self.end_of_text,
            SpecialToken::Padding => self.padding,
        }
    }
}

/// A byte-level BPE vocabulary, ready to encode.
#[derive(Debug, Clone)]
pub(super) struct ByteLevel {
    parts: ByteLevelParts,
    bpe: Bpe,
    /// The text of each token that is not made of bytes: the added ones, and those with characters that stand
    /// for no byte.
    texts: FxHashMap<u32, String>,
    /// One more than the largest id.
    size: usize,
}

impl PartialEq for ByteLevel {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl ByteLevel {
    /// The vocabulary of these parts.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if they contradict each other.
    pub fn new(parts: ByteLevelParts) -> Result<Self, TokenizerError> {
        let mut texts: FxHashMap<u32, String> = FxHashMap::default();
        let mut bytes = |(token, id): (&Option<String>, u32)| {
            let token = token.as_ref()?;
            let bytes = unspell(token);
            if bytes.is_none() {
                // It stands for itself. No text encodes to it, so that its merges never happen.
                texts.insert(id, token.clone());
            }
            bytes.map(Vec::into_boxed_slice)
        };
        let tokens: Vec<Option<Box<[u8]>>> = parts.tokens.iter().zip(0..).map(&mut bytes).collect();
        let of_bytes = |pair: &&[u32; 2]| !pair.iter().any(|id| texts.contains_key(id));
        let merges = parts.merges.iter().filter(of_bytes).copied().collect();
        let bpe = Bpe::from_tokens_and_merges(tokens, merges, parts.unknown)?;
        let added: FxHashMap<u32, String> = parts.added.iter().map(|t| (t.id, t.text.clone())).collect();
        let damaged = |why: String| Err(TokenizerError::Damaged(why));
        if added.len() < parts.added.len() {
            return damaged("two added tokens have the same id".into());
        }
        let largest = added.keys().max().map_or(0, |&id| id as usize + 1);
        let size = parts.tokens.len().max(largest);
        if size > LARGEST {
            return damaged(format!("an added token has the id {}", size - 1));
        }
        texts.extend(added);
        let vocabulary = Self { parts, bpe, texts, size };
        let ByteLevelParts { end_of_text, beginning, padding, unknown, .. } = vocabulary.parts;
        for id in [end_of_text, beginning, padding, unknown].into_iter().flatten() {
            if vocabulary.token(id).is_none() {
                return damaged(format!("its special token {id} does not exist"));
            }
        }
        Ok(vocabulary)
    }

    pub fn parts(&self) -> &ByteLevelParts {
        &self.parts
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The bytes of a token.
    pub fn token(&self, id: u32) -> Option<&[u8]> {
        match self.texts.get(&id) {
            Some(text) => Some(text.as_bytes()),
            None => self.bpe.token(id),
        }
    }

    /// The token that two neighbours form.
    pub fn merged(&self, pair: [u32; 2]) -> Option<u32> {
        self.bpe.merged(pair)
    }

    /// Whether a token stands for no text.
    pub fn is_special(&self, id: u32) -> bool {
        self.texts.contains_key(&id) && self.parts.added.iter().any(|token| token.id == id && token.special)
    }

    /// The ids of all tokens that stand for no text.
    pub fn special_ids(&self) -> impl Iterator<Item = u32> {
        self.parts.added.iter().filter(|token| token.special).map(|token| token.id)
    }

    pub fn special_id(&self, token: SpecialToken) -> Option<u32> {
        self.parts.id_of(token)
    }

    pub fn special_token(&self, id: u32) -> Option<SpecialToken> {
        let tokens = [SpecialToken::EndOfText, SpecialToken::Beginning, SpecialToken::Padding];
        tokens.into_iter().find(|&token| self.special_id(token) == Some(id))
    }

    pub fn encoder(&self) -> ByteLevelEncoder<'_> {
        ByteLevelEncoder {
            added: Finder::passes(&self.parts.added),
            words: WordEncoder::new(&self.bpe),
            prefix_space: self.parts.prefix_space,
            at_start: true,
        }
    }
}

/// No id is larger than a model's vocabulary can be.
const LARGEST: usize = 1 << 24;

/// Encodes text piece by piece: first the added tokens in it, then the words between them.
#[derive(Debug)]
pub(super) struct ByteLevelEncoder<'a> {
    /// Find the added tokens that are text, one after the other.
    added: [Finder<'a>; 2],
    words: WordEncoder<'a>,
    prefix_space: bool,
    /// Whether the next word starts the text, or follows an added token.
    at_start: bool,
}

impl ByteLevelEncoder<'_> {
    /// The next piece starts another text.
    pub fn start_text(&mut self) {
        self.at_start = true;
    }

    /// Appends the tokens of `text`.
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        self.encode_from(0, text, ids)
    }

    /// Appends the tokens of `text`, which has no added token of the passes before `pass`.
    fn encode_from(&mut self, pass: usize, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        if pass == self.added.len() {
            return self.encode_words(text, ids);
        }
        let mut rest = text;
        while let Some((at, token)) = self.added[pass].first(rest) {
            self.encode_from(pass + 1, &rest[..at], ids)?;
            ids.push(token.id);
            (self.at_start, rest) = (true, &rest[at + token.text.len()..]);
        }
        self.encode_from(pass + 1, rest, ids)
    }

    fn encode_words(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        if text.is_empty() {
            return Ok(());
        }
        self.words.check(text)?;
        if std::mem::take(&mut self.at_start) && self.prefix_space && !text.starts_with(' ') {
            self.words.encode(&format!(" {text}"), ids);
        } else {
            self.words.encode(text, ids);
        }
        Ok(())
    }
}
