//! The vocabulary of both languages.

use m2g_core::Error;
use m2g_text::tokenizer::SpecialToken;
use m2g_text::tokenizer::SpecialToken::{Beginning, EndOfText, Padding};
use m2g_text::{TextError, Tokenizer, TokenizerKind};

use super::text::TextPair;
use super::{grammar, toys};
use crate::config::{NO_SPECIAL_TOKENS, tokenizer_kind};

/// The ids of the tokens around and between sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Specials {
    /// The decoder's first input.
    pub beginning: u32,
    /// The last token of every source and target.
    pub end: u32,
    /// Fills up short sentences.
    pub padding: u32,
    /// The line break, if it is a token of its own: no sentence has it.
    pub line_break: Option<u32>,
}

impl Specials {
    /// The special tokens of a tokenizer; `None` if it lacks one.
    pub fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let [beginning, end, padding] =
            [Beginning, EndOfText, Padding].map(|token| tokenizer.special_id(token));
        let line_break = match tokenizer.encode("\n").unwrap_or_default()[..] {
            [token] => Some(token),
            _ => None,
        };
        Some(Self { beginning: beginning?, end: end?, padding: padding?, line_break })
    }
}

/// The tokenizer that a name asks for, learned from the training pairs of both languages together. bpe:N has
/// N tokens, special ones included. `auto` means char for the toys, bpe:1000 for the grammar, and bpe:8000 for
/// other text.
///
/// # Errors
/// [`TextError`] if there is no such tokenizer, or it cannot have special tokens.
pub fn tokenizer_for(name: &str, data: &str, train: &[TextPair]) -> Result<Tokenizer, TextError> {
    let kind = match kind_for(name, data)? {
        TokenizerKind::Gpt2 => {
            let rule = NO_SPECIAL_TOKENS;
            return Err(Error::Setting { name: "tokenizer", value: name.into(), rule }.into());
        }
        TokenizerKind::Bpe(n) => TokenizerKind::Bpe(n.saturating_sub(SpecialToken::ALL.len())),
        kind => kind,
    };
    // A line end ends a word. As a character of its own, it would be one that no sentence has.
    let end = if kind == TokenizerKind::Char { "" } else { "\n" };
    let lines = train.iter().flat_map(|pair| [&pair.source[..], end, &pair.target[..], end]);
    Ok(Tokenizer::of_pieces(kind, lines)?.with_special_tokens(&SpecialToken::ALL)?)
}

fn kind_for(name: &str, data: &str) -> Result<TokenizerKind, TextError> {
    Ok(match name {
        "auto" if toys::NAMES.contains(&data) => TokenizerKind::Char,
        "auto" if data == grammar::NAME => TokenizerKind::Bpe(1000),
        "auto" => TokenizerKind::Bpe(8000),
        name => tokenizer_kind(name)?,
    })
}

/// A sentence, if [`tokenizer_for`] made a smaller vocabulary than the name asks for.
pub(super) fn report(name: &str, data: &str, made: &Tokenizer) -> Option<String> {
    let Ok(TokenizerKind::Bpe(wanted)) = kind_for(name, data) else { return None };
    let found = made.vocab_size();
    (found < wanted).then(|| {
        format!("the vocabulary has {found} tokens, not {wanted}: the text has no more pairs to merge")
    })
}

/// The name for which [`tokenizer_for`] makes this tokenizer.
pub fn name_of(tokenizer: &Tokenizer) -> String {
    match tokenizer.name() {
        name if name.starts_with("bpe:") => format!("bpe:{}", tokenizer.vocab_size()),
        name => name,
    }
}

/// The special tokens of a tokenizer that pairs are encoded with.
///
/// # Errors
/// [`Error::Setting`] if it lacks one.
pub(crate) fn specials(tokenizer: &Tokenizer) -> Result<Specials, Error> {
    Specials::of(tokenizer).ok_or_else(|| {
        let rule = "it has no tokens for the beginning, the end and padding: it was made for another model";
        Error::Setting { name: "tokenizer", value: tokenizer.name(), rule }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_those_that_a_translation_model_can_have() {
        let text = [TextPair::from(["a bee or two bees", "una abeja o dos abejas"])];
        for name in ["char", "word", "byte", "bpe:262"] {
            assert_eq!(name_of(&tokenizer_for(name, "x", &text).unwrap()), name);
        }
        let error = tokenizer_for("nope", "x", &text).unwrap_err().to_string();
        assert!(
            error.contains("'nope': it must be char, word, byte or bpe:N") && !error.contains("gpt2"),
            "{error}"
        );
        let error = tokenizer_for("gpt2", "x", &text).unwrap_err().to_string();
        assert!(error.starts_with("tokenizer is gpt2: GPT-2's vocabulary has no tokens for the"), "{error}");
        let smallest = tokenizer_for("bpe:259", "x", &text).unwrap();
        assert_eq!((smallest.vocab_size(), report("bpe:259", "x", &smallest)), (259, None));
        let small = tokenizer_for("auto", "x", &text).unwrap();
        let said = report("auto", "x", &small).unwrap();
        let start = format!("the vocabulary has {} tokens, not 8000: ", small.vocab_size());
        assert!(small.vocab_size() < 300 && said.starts_with(&start), "{said}");
        let error = tokenizer_for("bpe:258", "x", &text).unwrap_err().to_string();
        assert!(error.contains("bpe:258") && error.contains("N is from 259 to 1048576"), "{error}");
    }

    #[test]
    fn no_letter_is_a_line_break() {
        let text = [TextPair::from(["ab", "b"])];
        let letters = tokenizer_for("char", "x", &text).unwrap();
        assert_eq!(letters.vocab_size(), 2 + SpecialToken::ALL.len());
        assert_eq!(Specials::of(&letters).unwrap().line_break, None);
        for name in ["word", "byte", "bpe:259"] {
            let tokenizer = tokenizer_for(name, "x", &text).unwrap();
            let line_break = Specials::of(&tokenizer).unwrap().line_break.unwrap();
            assert_eq!(tokenizer.decode(&[line_break]), "\n", "{name}");
        }
    }
}
