//! Encodes text of any size into two splits of tokens.
//!
//! The text is read two or three times: to count and collect its characters; to count its
//! words, if byte pairs are learned; and to encode it. Memory holds one piece of it at a time.

use std::io::Write;
use std::path::Path;

use m2g_core::Error;

use super::characters::CharacterSet;
use super::split::{Split, SplitText};
use crate::error::TextError;
use crate::source::{Source, with_thousands_separators};
use crate::token_file::{TokenData, TokenWriter, Width};
use crate::tokenizer::pretokenize::last_cut;
use crate::tokenizer::train::WordCounts;
use crate::tokenizer::{Tokenizer, TokenizerKind};

/// The progress of encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The current pass: `reading`, `learning byte pairs`, `encoding`.
    pub doing: &'static str,
    /// Bytes done in all passes.
    pub done: u64,
    /// Bytes of all passes.
    pub total: u64,
}

/// The tokenizer to encode with.
#[derive(Debug, Clone, Copy)]
pub enum TokenizerChoice<'a> {
    /// A new one of this kind, made from the text.
    New(TokenizerKind),
    /// An existing one.
    Existing(&'a Tokenizer),
}

/// Encodes a text. Its start becomes the training split, its end the validation split.
#[derive(Debug, Clone, Copy)]
pub struct Encode<'a> {
    /// The text.
    pub source: &'a Source,
    /// How it becomes tokens.
    pub tokenizer: TokenizerChoice<'a>,
    /// The share of the characters in the validation split, between 0 and 1.
    pub val_fraction: f64,
}

/// An encoded text. `T` holds the tokens of a split.
#[derive(Debug)]
pub struct Encoded<T> {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The training split.
    pub train: T,
    /// The validation split.
    pub val: T,
    /// Characters of the text.
    pub characters: u64,
    /// Bytes of the text, before it was cleaned.
    pub bytes: u64,
    /// One sentence for each kind of change that cleaning made.
    pub reports: Vec<String>,
}

impl Encode<'_> {
    /// Encodes into memory. For a text that does not fit, use [`prepare`](super::prepare).
    ///
    /// # Errors
    /// [`TextError`] if the text cannot be read, is too short, or has characters that an
    /// existing tokenizer lacks.
    pub fn in_memory(&self) -> Result<Encoded<TokenData>, TextError> {
        let memory = Path::new("memory");
        let Encoded { tokenizer, train, val, characters, bytes, reports } =
            self.write([(Vec::new(), memory), (Vec::new(), memory)], &mut |_| true)?;
        Ok(Encoded { tokenizer, train: train.into(), val: val.into(), characters, bytes, reports })
    }

    /// Encodes into two sinks. Their paths are for error messages. `watch` receives the
    /// progress, and returns whether to continue.
    pub(super) fn write<W: Write>(
        &self,
        [train, val]: [(W, &Path); 2],
        watch: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Encoded<TokenWriter<W>>, TextError> {
        if !(self.val_fraction > 0.0 && self.val_fraction < 1.0) {
            let (value, rule) = (self.val_fraction.to_string(), "it must be between 0 and 1, such as 0.1");
            return Err(Error::Setting { name: "val_fraction", value, rule }.into());
        }
        let size = self.source.size();
        let passes =
            if matches!(self.tokenizer, TokenizerChoice::New(TokenizerKind::Bpe(_))) { 3 } else { 2 };
        let mut pass = 0;
        let mut progress =
            |doing, done, pass| watch(Progress { doing, done: pass * size + done, total: passes * size });

        let mut characters = CharacterSet::default();
        let cleaned = self.source.read(&mut |done| progress("reading", done, pass), &mut |text| {
            characters.add(text);
            Ok(())
        })?;
        let train_characters = self.train_characters(&characters)?;
        let text = SplitText { source: self.source, cleaned, train_characters };
        pass += 1;

        let mut reports = self.source.reports(&cleaned);
        let tokenizer = match self.tokenizer {
            TokenizerChoice::Existing(tokenizer) => tokenizer.clone(),
            TokenizerChoice::New(TokenizerKind::Char) => Tokenizer::from_characters(characters.distinct()),
            TokenizerChoice::New(TokenizerKind::Byte) => Tokenizer::byte(),
            TokenizerChoice::New(TokenizerKind::Gpt2) => Tokenizer::gpt2(),
            TokenizerChoice::New(TokenizerKind::Bpe(tokens)) => {
                let mut counts = WordCounts::default();
                let mut progress = |done| progress("learning byte pairs", done, pass);
                text.for_each_piece(&last_cut, &mut progress, &mut |split, piece| {
                    if split == Split::Train {
                        counts.add(piece);
                    }
                    Ok(())
                })?;
                pass += 1;
                let tokenizer = Tokenizer::from_word_counts(counts, tokens)?;
                let found = tokenizer.vocab_size();
                if found < tokens {
                    reports.push(format!(
                        "the vocabulary has {found} tokens, not {tokens}: the text has no more pairs to merge"
                    ));
                }
                tokenizer
            }
        };

        let width = Width::of(tokenizer.vocab_size());
        let (mut encoder, mut ids) = (tokenizer.encoder(), Vec::new());
        let (paths, mut train, mut val) =
            ([train.1, val.1], TokenWriter::new(train.0, width), TokenWriter::new(val.0, width));
        let last_cut = |text: &str, from| tokenizer.last_cut(text, from);
        let mut progress = |done| progress("encoding", done, pass);
        text.for_each_piece(&last_cut, &mut progress, &mut |split, piece| {
            ids.clear();
            encoder.encode(piece, &mut ids)?;
            match split {
                Split::Train => train.write(&ids).map_err(Error::io("write", paths[0]))?,
                Split::Val => val.write(&ids).map_err(Error::io("write", paths[1]))?,
            }
            Ok(())
        })?;
        if train.tokens() < 2 || val.tokens() < 2 {
            return Err(self.too_short(characters.count));
        }
        drop(encoder);
        Ok(Encoded { tokenizer, train, val, characters: characters.count, bytes: cleaned.bytes, reports })
    }

    /// The number of characters in the training split.
    fn train_characters(&self, characters: &CharacterSet) -> Result<u64, TextError> {
        let n = characters.count;
        if n == 0 {
            return Err(self.source.error("the text is empty"));
        }
        if let (TokenizerChoice::New(TokenizerKind::Char), Some(only)) =
            (self.tokenizer, characters.only_one())
        {
            return Err(self.source.error(format!(
                "the text has no character other than '{}': with a vocabulary of one token there is nothing to learn",
                only.escape_debug()
            )));
        }
        let train = (n as f64 * (1.0 - self.val_fraction)) as u64;
        if train == 0 || train >= n { Err(self.too_short(n)) } else { Ok(train) }
    }

    fn too_short(&self, characters: u64) -> TextError {
        self.source.error(format!(
            "the text is too short ({} characters): the training split ({:.0} %) and the validation split need \
             two tokens each",
            with_thousands_separators(characters),
            100.0 * (1.0 - self.val_fraction)
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn encode(text: &str, kind: TokenizerKind) -> Result<(Tokenizer, Vec<u32>, Vec<u32>), TextError> {
        let source = Source::text("a text", text.into());
        let encode = Encode { source: &source, tokenizer: TokenizerChoice::New(kind), val_fraction: 0.1 };
        let Encoded { tokenizer, train, val, .. } = encode.in_memory()?;
        Ok((tokenizer, train.to_vec(), val.to_vec()))
    }

    #[test]
    fn nine_tenths_of_the_characters_are_the_training_split() {
        let text = "äbcdefghijklmnopqrst uvwxyz";
        let (tokenizer, train, val) = encode(text, TokenizerKind::Char).unwrap();
        assert_eq!((train.len(), val.len(), tokenizer.vocab_size()), (24, 3, 27));
        assert_eq!(tokenizer.decode(&train) + &tokenizer.decode(&val), text);
    }

    /// Cutting a large text into pieces saves memory and does not change its tokens.
    #[test]
    fn large_texts_encode_to_the_tokens_of_the_whole() {
        let mut text: String =
            (0..150_000_u64).map(|i| format!("{} wörd  {}\n", i % 977, i * i % 31)).collect();
        text += &"endless".repeat(200_000);
        text += &" \n ".repeat(400_000);
        let end = text.char_indices().nth((text.chars().count() as f64 * 0.9) as usize).unwrap().0;
        let (first, rest) = text.split_at(end);
        for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Gpt2, TokenizerKind::Bpe(300)] {
            let (tokenizer, train, val) = encode(&text, kind).unwrap();
            if let TokenizerKind::Bpe(n) = kind {
                assert!(tokenizer == Tokenizer::bpe(first, n).unwrap());
            }
            assert!(train == tokenizer.encode(first).unwrap(), "{kind}");
            assert!(val == tokenizer.encode(rest).unwrap(), "{kind}");
        }
    }

    #[test]
    fn texts_with_nothing_to_learn_are_rejected() {
        for (text, kind, why) in [
            ("", TokenizerKind::Byte, "empty"),
            ("\u{feff}", TokenizerKind::Char, "empty"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TokenizerKind::Char, "no character other than 'a'"),
            ("a", TokenizerKind::Byte, "too short (1 characters)"),
            ("short", TokenizerKind::Char, "too short"),
            ("ab ab ab ab ab", TokenizerKind::Bpe(300), "too short"),
        ] {
            let error = encode(text, kind).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(why) && error.contains("a text"), "{text}: {error}");
        }
    }

    #[test]
    fn the_caller_can_stop() {
        let source = Source::text("a text", "words ".repeat(1000));
        let tokenizer = TokenizerChoice::New(TokenizerKind::Bpe(300));
        let encode = Encode { source: &source, tokenizer, val_fraction: 0.1 };
        let mut last = 0;
        let sinks = || [(Vec::new(), Path::new("t")), (Vec::new(), Path::new("v"))];
        encode
            .write(sinks(), &mut |p: Progress| {
                assert!(p.done >= last && p.done <= p.total);
                last = p.done;
                true
            })
            .unwrap();
        assert_eq!(last, 18_000, "three passes over 6000 bytes");
        assert!(matches!(encode.write(sinks(), &mut |p| p.doing != "encoding"), Err(TextError::Stopped)));
    }
}
