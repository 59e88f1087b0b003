//! [`Tokenizer`]: the four vocabularies behind one type.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::bpe::{Bpe, WordEncoder};
use super::char::Characters;
use super::error::TokenizerError;
use super::kind::{TokenizerKind, is_bpe_size};
use super::saved::Saved;
use super::special::SpecialToken;
use super::{gpt2, pretokenize, train};

/// Splits text into tokens by one of four vocabularies, and joins them again.
///
/// The ids of special tokens, which [`Tokenizer::with_special_tokens`] adds, follow those of
/// the vocabulary. A tokenizer is saved as JSON, and checked when it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    /// The tokens after the vocabulary, in the order of their ids.
    special: Vec<SpecialToken>,
}

#[derive(Debug, Clone, PartialEq)]
enum Vocabulary {
    Char(Characters),
    Byte,
    Gpt2,
    Bpe(Bpe),
}

impl Vocabulary {
    /// The number of tokens, without added special tokens.
    fn size(&self) -> usize {
        match self {
            Self::Char(characters) => characters.vocab_size(),
            Self::Byte => 256,
            Self::Gpt2 => gpt2::VOCAB_SIZE,
            Self::Bpe(bpe) => bpe.vocab_size(),
        }
    }

    /// The bytes of a token; `None` for special tokens and unknown ids.
    fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Char(characters) => characters.token(id).map(|c| Cow::Owned(c.to_string().into_bytes())),
            Self::Byte => u8::try_from(id).ok().map(|byte| Cow::Owned(vec![byte])),
            Self::Gpt2 => gpt2::bpe().token(id).map(Cow::Borrowed),
            Self::Bpe(bpe) => bpe.token(id).map(Cow::Borrowed),
        }
    }
}

impl From<Vocabulary> for Tokenizer {
    fn from(vocabulary: Vocabulary) -> Self {
        Self { vocabulary, special: Vec::new() }
    }
}

/// Constructors.
impl Tokenizer {
    /// One token for each distinct character of `text`, in Unicode order.
    pub fn char(text: &str) -> Self {
        Self::from_characters(text.chars().collect())
    }

    /// One token for each of these characters.
    pub(crate) fn from_characters(characters: BTreeSet<char>) -> Self {
        Vocabulary::Char(Characters::new(characters)).into()
    }

    /// One token for each of the 256 bytes of UTF-8.
    pub fn byte() -> Self {
        Vocabulary::Byte.into()
    }

    /// GPT-2's 50,257 tokens. The last one is [`SpecialToken::EndOfText`].
    pub fn gpt2() -> Self {
        Vocabulary::Gpt2.into()
    }

    /// Byte pairs learned from `text`: the 256 bytes, then merges until there are
    /// `tokens` tokens, or fewer if the text has no more pairs.
    ///
    /// # Errors
    /// [`TokenizerError::VocabSize`] unless `tokens` is between 256 and 2^20.
    pub fn bpe(text: &str, tokens: usize) -> Result<Self, TokenizerError> {
        let mut counts = train::WordCounts::default();
        counts.add(text);
        Self::from_word_counts(counts, tokens)
    }

    /// [`Tokenizer::bpe`] for words that are already counted.
    pub(crate) fn from_word_counts(counts: train::WordCounts, tokens: usize) -> Result<Self, TokenizerError> {
        if !is_bpe_size(tokens) {
            return Err(TokenizerError::VocabSize(tokens));
        }
        Ok(Vocabulary::Bpe(Bpe::from_merges(train::merges(counts, tokens - 256))?).into())
    }

    /// Adds special tokens. Their ids follow the existing ids, in the given order.
    ///
    /// ```
    /// use m2g_text::tokenizer::{SpecialToken, Tokenizer};
    ///
    /// let special = [SpecialToken::Beginning, SpecialToken::EndOfText, SpecialToken::Padding];
    /// let tokenizer = Tokenizer::byte().with_special_tokens(&special)?;
    /// assert_eq!((tokenizer.beginning(), tokenizer.padding()), (Some(256), Some(258)));
    /// assert_eq!(tokenizer.vocab_size(), 259);
    /// # Ok::<(), m2g_text::tokenizer::TokenizerError>(())
    /// ```
    ///
    /// # Errors
    /// [`TokenizerError::DuplicateSpecial`] if the tokenizer already has one of them;
    /// [`TokenizerError::FixedVocabulary`] for GPT-2's tokens.
    pub fn with_special_tokens(mut self, tokens: &[SpecialToken]) -> Result<Self, TokenizerError> {
        if self.is_gpt2() && !tokens.is_empty() {
            return Err(TokenizerError::FixedVocabulary);
        }
        for &token in tokens {
            if self.special.contains(&token) {
                return Err(TokenizerError::DuplicateSpecial(token));
            }
            self.special.push(token);
        }
        Ok(self)
    }
}

/// The vocabulary and its special tokens.
impl Tokenizer {
    /// The kind of the vocabulary, without its special tokens.
    pub fn kind(&self) -> TokenizerKind {
        match &self.vocabulary {
            Vocabulary::Char(_) => TokenizerKind::Char,
            Vocabulary::Byte => TokenizerKind::Byte,
            Vocabulary::Gpt2 => TokenizerKind::Gpt2,
            Vocabulary::Bpe(bpe) => TokenizerKind::Bpe(bpe.vocab_size()),
        }
    }

    /// V, the number of tokens, special ones included. Ids are below V.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.size() + self.special.len()
    }

    /// The bytes of a token, or the spelling of a special token; `None` if there is no such id.
    pub fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match self.special_token(id) {
            Some(token) => Some(Cow::Borrowed(token.spelling().as_bytes())),
            None => self.vocabulary.token(id),
        }
    }

    /// The id of the token before a sequence, if the tokenizer has one.
    pub fn beginning(&self) -> Option<u32> {
        self.special_id(SpecialToken::Beginning)
    }

    /// The id of the token after a text, if the tokenizer has one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.special_id(SpecialToken::EndOfText)
    }

    /// The id of padding, if the tokenizer has one.
    pub fn padding(&self) -> Option<u32> {
        self.special_id(SpecialToken::Padding)
    }

    /// The id of a special token, if the tokenizer has it.
    pub fn special_id(&self, token: SpecialToken) -> Option<u32> {
        if self.is_gpt2() && token == SpecialToken::EndOfText {
            return Some(gpt2::END_OF_TEXT);
        }
        let index = self.special.iter().position(|&special| special == token)?;
        Some((self.vocabulary.size() + index) as u32)
    }

    fn is_gpt2(&self) -> bool {
        matches!(self.vocabulary, Vocabulary::Gpt2)
    }

    /// The special token with this id, if it is one.
    pub fn special_token(&self, id: u32) -> Option<SpecialToken> {
        if self.is_gpt2() && id == gpt2::END_OF_TEXT {
            return Some(SpecialToken::EndOfText);
        }
        let index = (id as usize).checked_sub(self.vocabulary.size())?;
        self.special.get(index).copied()
    }
}

/// Text to ids.
impl Tokenizer {
    /// The tokens of a text. None of them is special, whatever the text contains.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacters`] if characters have no token, which happens
    /// only with a vocabulary of characters.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::new();
        self.encoder().encode(text, &mut ids)?;
        Ok(ids)
    }

    /// An encoder for a text that arrives in pieces. It caches the words that it has seen.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder(match &self.vocabulary {
            Vocabulary::Char(characters) => EncoderKind::Char(characters),
            Vocabulary::Byte => EncoderKind::Byte,
            Vocabulary::Gpt2 => EncoderKind::Words(WordEncoder::new(gpt2::bpe())),
            Vocabulary::Bpe(bpe) => EncoderKind::Words(WordEncoder::new(bpe)),
        })
    }

    /// The last byte offset in `text`, at or after `from`, where the text can be cut:
    /// both parts then encode to the tokens of the whole, whatever text follows.
    pub fn last_cut(&self, text: &str, from: usize) -> Option<usize> {
        match self.vocabulary {
            Vocabulary::Char(_) | Vocabulary::Byte => Some(text.len()),
            Vocabulary::Gpt2 | Vocabulary::Bpe(_) => pretokenize::last_cut(text, from),
        }
    }
}

/// Ids to text.
impl Tokenizer {
    /// The text of tokens, with the spelling of special tokens. Invalid UTF-8 and
    /// unknown ids become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(ids)).into_owned()
    }

    /// The text of tokens without the special ones.
    pub fn decode_without_special(&self, ids: &[u32]) -> String {
        let text: Vec<u32> = ids.iter().copied().filter(|&id| self.special_token(id).is_none()).collect();
        self.decode(&text)
    }

    /// The bytes of tokens. An unknown id becomes U+FFFD.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 * ids.len());
        for &id in ids {
            match self.token(id) {
                Some(token) => bytes.extend_from_slice(&token),
                None => bytes.extend_from_slice("\u{fffd}".as_bytes()),
            }
        }
        bytes
    }
}

/// Encodes a text that arrives in pieces. The pieces must end where
/// [`Tokenizer::last_cut`] allows it.
#[derive(Debug)]
pub struct Encoder<'a>(EncoderKind<'a>);

#[derive(Debug)]
enum EncoderKind<'a> {
    Char(&'a Characters),
    Byte,
    Words(WordEncoder<'a>),
}

impl Encoder<'_> {
    /// Appends the tokens of `text` to `ids`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        match &mut self.0 {
            EncoderKind::Char(characters) => characters.encode(text, ids)?,
            EncoderKind::Byte => ids.extend(text.bytes().map(u32::from)),
            EncoderKind::Words(words) => words.encode(text, ids),
        }
        Ok(())
    }
}

impl From<Tokenizer> for Saved {
    fn from(Tokenizer { vocabulary, special }: Tokenizer) -> Self {
        match vocabulary {
            Vocabulary::Char(characters) => Self::Char { characters: characters.to_string(), special },
            Vocabulary::Byte => Self::Byte { special },
            Vocabulary::Gpt2 => Self::Gpt2 {},
            Vocabulary::Bpe(bpe) => Self::Bpe { merges: bpe.merges().to_vec(), special },
        }
    }
}

impl TryFrom<Saved> for Tokenizer {
    type Error = TokenizerError;

    fn try_from(saved: Saved) -> Result<Self, TokenizerError> {
        let (vocabulary, special) = match saved {
            Saved::Char { characters, special } => {
                (Vocabulary::Char(Characters::from_saved(&characters)?), special)
            }
            Saved::Byte { special } => (Vocabulary::Byte, special),
            Saved::Gpt2 {} => (Vocabulary::Gpt2, Vec::new()),
            Saved::Bpe { merges, special } => (Vocabulary::Bpe(Bpe::from_merges(merges)?), special),
        };
        Self::from(vocabulary).with_special_tokens(&special)
    }
}
