//! [`Tokenizer`]: the six vocabularies behind one type.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::bpe::{Bpe, WordEncoder};
use super::byte_level::{ByteLevel, ByteLevelEncoder, ByteLevelParts};
use super::char::Characters;
use super::error::TokenizerError;
use super::kind::{TokenizerKind, is_bpe_size};
use super::saved::Saved;
use super::special::SpecialToken;
use super::word::WordList;
use super::{gpt2, pretokenize, train};

/// Splits text into tokens by one of six vocabularies, and joins them again.
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
    Word(WordList),
    Byte,
    Gpt2,
    Bpe(Bpe),
    ByteLevel(Box<ByteLevel>),
}

impl Vocabulary {
    /// The number of tokens, without added special tokens.
    fn size(&self) -> usize {
        match self {
            Self::Char(characters) => characters.vocab_size(),
            Self::Word(words) => words.vocab_size(),
            Self::Byte => 256,
            Self::Gpt2 => gpt2::VOCAB_SIZE,
            Self::Bpe(bpe) => bpe.vocab_size(),
            Self::ByteLevel(vocabulary) => vocabulary.size(),
        }
    }

    /// The bytes of a token; `None` for special tokens and unknown ids.
    fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Char(characters) => characters.token(id).map(|c| Cow::Owned(c.to_string().into_bytes())),
            Self::Word(words) => words.token(id).map(Cow::Borrowed),
            Self::Byte => u8::try_from(id).ok().map(|byte| Cow::Owned(vec![byte])),
            Self::Gpt2 => gpt2::bpe().token(id).map(Cow::Borrowed),
            Self::Bpe(bpe) => bpe.token(id).map(Cow::Borrowed),
            Self::ByteLevel(vocabulary) => vocabulary.token(id).map(Cow::Borrowed),
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

    /// One token for each character of `characters`, in its order.
    ///
    /// # Errors
    /// [`TokenizerError::Damaged`] if there is none, or one occurs twice.
    pub fn characters_in_order(characters: &str) -> Result<Self, TokenizerError> {
        Ok(Vocabulary::Char(Characters::in_order(characters)?).into())
    }

    /// One token for each distinct word of `text`, with the space before it, in the order of their bytes. A text
    /// of these words decodes to itself.
    ///
    /// # Errors
    /// [`TokenizerError::TooManyWords`]; [`TokenizerError::Damaged`] if the text is empty.
    pub fn word(text: &str) -> Result<Self, TokenizerError> {
        let mut counts = train::WordCounts::default();
        counts.add(text);
        Self::from_words(counts)
    }

    /// [`Tokenizer::word`] for words that are already counted.
    pub(crate) fn from_words(counts: train::WordCounts) -> Result<Self, TokenizerError> {
        Ok(Vocabulary::Word(WordList::in_order(counts.into_sorted_words())?).into())
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

    /// The 256 bytes, and the tokens that these merges form.
    pub(super) fn from_merges(merges: Vec<[u32; 2]>) -> Result<Self, TokenizerError> {
        Ok(Vocabulary::Bpe(Bpe::from_merges(merges)?).into())
    }

    /// A vocabulary from elsewhere.
    pub(super) fn from_byte_level(vocabulary: ByteLevel) -> Self {
        Vocabulary::ByteLevel(Box::new(vocabulary)).into()
    }

    /// The parts of a vocabulary from elsewhere.
    pub(super) fn own_parts(&self) -> Option<&ByteLevelParts> {
        match &self.vocabulary {
            Vocabulary::ByteLevel(vocabulary) => Some(vocabulary.parts()),
            _ => None,
        }
    }

    /// The learned merges; empty for other vocabularies.
    pub(super) fn merges(&self) -> &[[u32; 2]] {
        match &self.vocabulary {
            Vocabulary::Bpe(bpe) => bpe.merges(),
            _ => &[],
        }
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
            if self.special_id(token).is_some() {
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
            Vocabulary::Word(_) => TokenizerKind::Word,
            Vocabulary::Byte => TokenizerKind::Byte,
            Vocabulary::Gpt2 => TokenizerKind::Gpt2,
            Vocabulary::Bpe(bpe) => TokenizerKind::Bpe(bpe.vocab_size()),
            Vocabulary::ByteLevel(vocabulary) => TokenizerKind::Bpe(vocabulary.size()),
        }
    }

    /// V, the number of tokens, special ones included. Ids are below V. In a vocabulary from
    /// elsewhere, some of them may have no token.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.size() + self.special.len()
    }

    /// The bytes of a token, or the spelling of a special token; `None` if there is no such id.
    pub fn token(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        let special = || Some(Cow::Borrowed(self.special_token(id)?.spelling().as_bytes()));
        self.vocabulary.token(id).or_else(special)
    }

    /// The token that marks the start of a text: the end-of-text token, as in GPT-2, or a newline as in nanoGPT;
    /// token 0 if there is neither.
    pub fn start_of_text(&self) -> Vec<u32> {
        match self.end_of_text() {
            Some(end_of_text) => vec![end_of_text],
            None => self.encode("\n").unwrap_or_else(|_| vec![0]),
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
        if let Vocabulary::ByteLevel(vocabulary) = &self.vocabulary
            && let Some(id) = vocabulary.special_id(token)
        {
            return Some(id);
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
        let Some(index) = (id as usize).checked_sub(self.vocabulary.size()) else {
            return match &self.vocabulary {
                Vocabulary::ByteLevel(vocabulary) => vocabulary.special_token(id),
                _ => None,
            };
        };
        self.special.get(index).copied()
    }

    /// The text and the id of every special token.
    pub(super) fn special_texts(&self) -> Vec<(String, u32)> {
        let ids: Vec<u32> = match &self.vocabulary {
            Vocabulary::ByteLevel(vocabulary) => vocabulary.special_ids().collect(),
            _ => Vec::new(),
        };
        let roles = SpecialToken::ALL.into_iter().filter_map(|token| self.special_id(token));
        let ids: BTreeSet<u32> = ids.into_iter().chain(roles).collect();
        let text = |id| Some(String::from_utf8_lossy(&self.token(id)?).into_owned());
        ids.into_iter().filter_map(|id| Some((text(id)?, id))).collect()
    }

    /// Whether a token stands for no text.
    pub fn is_special(&self, id: u32) -> bool {
        let added =
            matches!(&self.vocabulary, Vocabulary::ByteLevel(vocabulary) if vocabulary.is_special(id));
        added || self.special_token(id).is_some()
    }
}

/// Text to ids.
impl Tokenizer {
    /// The tokens of a text. None of them is special, whatever the text contains.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacters`] if characters have no token, which happens only with a vocabulary of
    /// characters, or with one from elsewhere that lacks a byte; [`TokenizerError::UnknownWords`] if words have none,
    /// with a vocabulary of words.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::new();
        self.encoder().encode(text, &mut ids)?;
        Ok(ids)
    }

    /// An encoder for a text that arrives in pieces. It caches the words that it has seen.
    pub fn encoder(&self) -> Encoder<'_> {
        Encoder(match &self.vocabulary {
            Vocabulary::Char(characters) => EncoderKind::Char(characters),
            Vocabulary::Word(words) => EncoderKind::WholeWords { words, at_start: true },
            Vocabulary::Byte => EncoderKind::Byte,
            Vocabulary::Gpt2 => EncoderKind::Words(WordEncoder::new(gpt2::bpe())),
            Vocabulary::Bpe(bpe) => EncoderKind::Words(WordEncoder::new(bpe)),
            Vocabulary::ByteLevel(vocabulary) => EncoderKind::ByteLevel(Box::new(vocabulary.encoder())),
        })
    }

    /// The last byte offset in `text`, at or after `from`, where the text can be cut:
    /// both parts then encode to the tokens of the whole, whatever text follows.
    pub fn last_cut(&self, text: &str, from: usize) -> Option<usize> {
        match self.vocabulary {
            Vocabulary::Char(_) | Vocabulary::Byte => Some(text.len()),
            Vocabulary::Word(_) | Vocabulary::Gpt2 | Vocabulary::Bpe(_) | Vocabulary::ByteLevel(_) => {
                pretokenize::last_cut(text, from)
            }
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
        let text: Vec<u32> = ids.iter().copied().filter(|&id| !self.is_special(id)).collect();
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
    WholeWords { words: &'a WordList, at_start: bool },
    Byte,
    Words(WordEncoder<'a>),
    ByteLevel(Box<ByteLevelEncoder<'a>>),
}

impl Encoder<'_> {
    /// The next piece starts another text, where a vocabulary may encode a word otherwise.
    pub fn start_text(&mut self) {
        match &mut self.0 {
            EncoderKind::WholeWords { at_start, .. } => *at_start = true,
            EncoderKind::ByteLevel(encoder) => encoder.start_text(),
            EncoderKind::Char(_) | EncoderKind::Byte | EncoderKind::Words(_) => {}
        }
    }

    /// Appends the tokens of `text` to `ids`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode(&mut self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        match &mut self.0 {
            EncoderKind::Char(characters) => characters.encode(text, ids)?,
            EncoderKind::WholeWords { words, at_start } => words.encode(text, at_start, ids)?,
            EncoderKind::Byte => ids.extend(text.bytes().map(u32::from)),
            EncoderKind::Words(words) => words.encode(text, ids),
            EncoderKind::ByteLevel(encoder) => encoder.encode(text, ids)?,
        }
        Ok(())
    }
}

impl From<Tokenizer> for Saved {
    fn from(Tokenizer { vocabulary, special }: Tokenizer) -> Self {
        match vocabulary {
            Vocabulary::Char(characters) => Self::Char { characters: characters.to_string(), special },
            Vocabulary::Word(words) => Self::Word { words: words.words().to_vec(), special },
            Vocabulary::Byte => Self::Byte { special },
            Vocabulary::Gpt2 => Self::Gpt2 {},
            Vocabulary::Bpe(bpe) => Self::Bpe { merges: bpe.merges().to_vec(), special },
            Vocabulary::ByteLevel(v) => Self::ByteLevel { vocabulary: v.parts().clone(), special },
        }
    }
}

impl TryFrom<Saved> for Tokenizer {
    type Error = TokenizerError;

    fn try_from(saved: Saved) -> Result<Self, TokenizerError> {
        let (vocabulary, special) = match saved {
            Saved::Char { characters, special } => {
                (Vocabulary::Char(Characters::in_order(&characters)?), special)
            }
            Saved::Word { words, special } => (Vocabulary::Word(WordList::in_order(words)?), special),
            Saved::Byte { special } => (Vocabulary::Byte, special),
            Saved::Gpt2 {} => (Vocabulary::Gpt2, Vec::new()),
            Saved::Bpe { merges, special } => (Vocabulary::Bpe(Bpe::from_merges(merges)?), special),
            Saved::ByteLevel { vocabulary, special } => {
                (Vocabulary::ByteLevel(Box::new(ByteLevel::new(vocabulary)?)), special)
            }
        };
        Self::from(vocabulary).with_special_tokens(&special)
    }
}
