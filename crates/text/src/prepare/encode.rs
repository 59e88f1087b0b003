//! Encodes text of any size into two splits of tokens.
//!
//! The text is read two or three times: to count and collect its characters; to count its
//! words, if they become tokens or byte pairs are learned; and to encode it. Memory holds one piece of it at a time.
//! A piece ends before white space, so a text without any is one piece, unless its tokens are characters or bytes.

use std::io::Write;
use std::path::Path;

use m2g_core::{Error, memory};

use super::characters::CharacterSet;
use super::split::{Split, SplitText};
use crate::error::TextError;
use crate::source::{Documents, Found, Part, Source, with_thousands_separators};
use crate::token_file::{TokenData, TokenWriter, Width};
use crate::tokenizer::kind::SMALLEST_BPE;
use crate::tokenizer::pretokenize::last_cut;
use crate::tokenizer::train::WordCounts;
use crate::tokenizer::{SpecialToken, Tokenizer, TokenizerKind};

/// Bytes of memory for the tokens of a byte of text: at most one token of 2 bytes, in a list that has room to grow.
/// A token of more than 65,536 has 4 bytes, but stands for several of the text.
const TOKEN_BYTES_PER_TEXT_BYTE: u64 = 4;

/// The progress of encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The current pass: `reading`, `collecting words`, `learning byte pairs`, `encoding`.
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
    /// Where its documents end. There, and nowhere else, the tokens have an end-of-text token.
    pub documents: &'a Documents,
    /// How it becomes tokens. A new tokenizer gets an end-of-text token if the text needs one.
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
    /// [`TextError`] if the text cannot be read, is too short, has characters that an
    /// existing tokenizer lacks, or if its tokens need more memory than there is.
    pub fn in_memory(&self) -> Result<Encoded<TokenData>, TextError> {
        let memory = Path::new("memory");
        let most_bytes = memory::available().map(|bytes| bytes / TOKEN_BYTES_PER_TEXT_BYTE);
        let Encoded { tokenizer, train, val, characters, bytes, reports } =
            self.write([(Vec::new(), memory), (Vec::new(), memory)], most_bytes, &mut |_| true)?;
        Ok(Encoded { tokenizer, train: train.into(), val: val.into(), characters, bytes, reports })
    }

    /// Encodes a text of at most `most_bytes` into two sinks. Their paths are for error messages. `watch`
    /// receives the progress, and returns whether to continue.
    pub(super) fn write<W: Write>(
        &self,
        [train, val]: [(W, &Path); 2],
        most_bytes: Option<u64>,
        watch: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Encoded<TokenWriter<W>>, TextError> {
        if !(self.val_fraction > 0.0 && self.val_fraction < 1.0) {
            let (value, rule) = (self.val_fraction.to_string(), "it must be between 0 and 1, such as 0.1");
            return Err(Error::Setting { name: "val_fraction", value, rule }.into());
        }
        let size = self.source.size();
        let passes = match self.tokenizer {
            TokenizerChoice::New(TokenizerKind::Word | TokenizerKind::Bpe(_)) => 3,
            _ => 2,
        };
        let mut pass = 0;
        let mut progress =
            |doing, done, pass| watch(Progress { doing, done: pass * size + done, total: passes * size });

        let documents = &self.documents_of_tokenizer();
        let mut characters = CharacterSet::default();
        let mut reading = |done| progress("reading", done, pass);
        let (cleaned, found) = self.source.read_documents(documents, &mut reading, &mut |part| {
            if let Part::Text(text) = part {
                characters.add(text);
            }
            Ok(())
        })?;
        if most_bytes.is_some_and(|most| cleaned.bytes > most) {
            return Err(self.source.error(format!(
                "it has {} bytes, and its tokens need more memory than there is: prepare it first, then train on \
                 the folder",
                with_thousands_separators(cleaned.bytes)
            )));
        }
        self.check_ends(found)?;
        let ends = found.ends > 0;
        let train_characters = self.train_characters(&characters, found)?;
        let whole_words = match self.tokenizer {
            TokenizerChoice::New(kind) => kind == TokenizerKind::Word,
            TokenizerChoice::Existing(tokenizer) => tokenizer.kind() == TokenizerKind::Word,
        };
        let counted = (cleaned, found);
        let text = SplitText { source: self.source, documents, counted, train_characters, whole_words };
        pass += 1;

        let mut reports = self.source.reports(&cleaned);
        reports.extend(found.reports(documents.special_tokens));
        // The words of the splits that are `counted`, in a pass of its own.
        let mut words = |doing: &'static str, counted: fn(Split) -> bool| -> Result<WordCounts, TextError> {
            let mut counts = WordCounts::default();
            text.for_each_piece(&last_cut, &mut |done| progress(doing, done, pass), &mut |split, part| {
                if let Part::Text(piece) = part
                    && counted(split)
                {
                    counts.add(piece);
                }
                Ok(())
            })?;
            pass += 1;
            Ok(counts)
        };
        let tokenizer = match self.tokenizer {
            TokenizerChoice::Existing(tokenizer) => tokenizer.clone(),
            TokenizerChoice::New(TokenizerKind::Char) => Tokenizer::from_characters(characters.distinct()),
            TokenizerChoice::New(TokenizerKind::Word) => {
                Tokenizer::from_words(words("collecting words", |_| true)?)?
            }
            TokenizerChoice::New(TokenizerKind::Byte) => Tokenizer::byte(),
            TokenizerChoice::New(TokenizerKind::Gpt2) => Tokenizer::gpt2(),
            TokenizerChoice::New(TokenizerKind::Bpe(tokens)) => {
                let counts = words("learning byte pairs", |split| split == Split::Train)?;
                // The requested size includes the end-of-text token.
                let byte_pairs = if ends { (tokens - 1).max(SMALLEST_BPE) } else { tokens };
                let tokenizer = Tokenizer::from_word_counts(counts, byte_pairs)?;
                let found = tokenizer.vocab_size() + usize::from(ends);
                if found < tokens {
                    reports.push(format!(
                        "the vocabulary has {found} tokens, not {tokens}: the text has no more pairs to merge"
                    ));
                }
                tokenizer
            }
        };
        let tokenizer = match ends && tokenizer.end_of_text().is_none() {
            true => tokenizer.with_special_tokens(&[SpecialToken::EndOfText])?,
            false => tokenizer,
        };

        let width = Width::of(tokenizer.vocab_size());
        let (mut encoder, mut ids) = (tokenizer.encoder(), Vec::new());
        let (paths, mut train, mut val) =
            ([train.1, val.1], TokenWriter::new(train.0, width), TokenWriter::new(val.0, width));
        let last_cut = |text: &str, from| tokenizer.last_cut(text, from);
        let mut progress = |done| progress("encoding", done, pass);
        text.for_each_piece(&last_cut, &mut progress, &mut |split, part| {
            ids.clear();
            match part {
                Part::Text(piece) => encoder.encode(piece, &mut ids)?,
                Part::EndOfText => {
                    ids.extend(tokenizer.end_of_text());
                    encoder.start_text();
                }
            }
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

    /// Where documents end with this tokenizer. A model without an end-of-text token reads its text as
    /// one document, unless the caller says otherwise.
    fn documents_of_tokenizer(&self) -> Documents {
        match self.tokenizer {
            TokenizerChoice::New(kind) => self.documents.for_kind(kind),
            TokenizerChoice::Existing(tokenizer)
                if tokenizer.end_of_text().is_none() && *self.documents == Documents::default() =>
            {
                Documents::ONE
            }
            TokenizerChoice::Existing(tokenizer) => self.documents.for_kind(tokenizer.kind()),
        }
    }

    /// Checks that an existing tokenizer can express the ends of documents.
    fn check_ends(&self, found: Found) -> Result<(), TextError> {
        match self.tokenizer {
            TokenizerChoice::Existing(tokenizer) if found.ends > 0 && tokenizer.end_of_text().is_none() => {
                Err(self.source.error(
                    "the tokenizer has no end-of-text token to put between documents: set document_separator to \
                     none and special_tokens to false, or train with another tokenizer",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The number of characters in the training split.
    fn train_characters(&self, characters: &CharacterSet, found: Found) -> Result<u64, TextError> {
        let n = characters.count;
        if n == 0 {
            return Err(self.source.error("the text is empty"));
        }
        if characters.is_white_space() {
            return Err(self.source.error("the text is only white space: there is nothing to learn"));
        }
        if let (TokenizerChoice::New(TokenizerKind::Char), Some(only), 0) =
            (self.tokenizer, characters.only_one(), found.ends)
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
    use crate::tokenizer::ByteLevelParts;

    fn encode(text: &str, kind: TokenizerKind) -> Result<(Tokenizer, Vec<u32>, Vec<u32>), TextError> {
        let source = Source::text("a text", text.into());
        let tokenizer = TokenizerChoice::New(kind);
        let encode =
            Encode { source: &source, documents: &Documents::default(), tokenizer, val_fraction: 0.1 };
        let Encoded { tokenizer, train, val, .. } = encode.in_memory()?;
        Ok((tokenizer, train.to_vec()?, val.to_vec()?))
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
    fn an_end_of_text_token_stands_between_documents() {
        let text = "a cat sat.<|endoftext|>--a hat.--a rat sat on a mat.";
        let source = || Source::text("a text", text.into());
        let both = Source::concat([source(), source()]);
        let ends = |kind, separator: &str, special_tokens| {
            let documents = Documents { separator: separator.parse().unwrap(), special_tokens };
            let tokenizer = TokenizerChoice::New(kind);
            let encode = Encode { source: &both, documents: &documents, tokenizer, val_fraction: 0.2 };
            let Encoded { tokenizer, train, val, .. } = encode.in_memory().unwrap();
            let ids = [train.to_vec().unwrap(), val.to_vec().unwrap()].concat();
            let end = tokenizer.end_of_text();
            (
                tokenizer.decode(&ids),
                ids.iter().filter(|&&id| Some(id) == end).count(),
                tokenizer.vocab_size(),
            )
        };
        let twice = format!("{text}{text}");
        assert_eq!(ends(TokenizerKind::Byte, "auto", false), (twice.clone(), 0, 256));
        let separated = format!("{text}<|endoftext|>{text}");
        assert_eq!(ends(TokenizerKind::Byte, "files", false), (separated.clone(), 1, 257));
        for kind in [TokenizerKind::Gpt2, TokenizerKind::Bpe(270)] {
            let vocab_size = if kind == TokenizerKind::Gpt2 { 50_257 } else { 270 };
            assert_eq!(ends(kind, "auto", false), (separated.clone(), 1, vocab_size), "{kind}");
            assert_eq!(ends(kind, "none", false), (twice.clone(), 0, vocab_size), "{kind}");
            assert_eq!(ends(kind, "files", true), (separated.clone(), 3, vocab_size), "{kind}");
        }
        let (decoded, n, _) = ends(TokenizerKind::Char, "--", true);
        let end = "<|endoftext|>";
        let one = format!("a cat sat.{end}a hat.{end}a rat sat on a mat.");
        assert_eq!((decoded, n), (format!("{one}{end}{one}"), 5));
        // The smallest byte pairs have no merge to give up for the end-of-text token.
        assert_eq!(ends(TokenizerKind::Bpe(256), "auto", false).2, 257);
    }

    #[test]
    fn a_tokenizer_without_an_end_of_text_token_reads_one_document() {
        let both = Source::concat([1, 2].map(|_| Source::text("a text", "abc ".repeat(20))));
        let bpe = Tokenizer::bpe("abc abc", 257).unwrap();
        let encode = |documents: &Documents| {
            let tokenizer = TokenizerChoice::Existing(&bpe);
            Encode { source: &both, documents, tokenizer, val_fraction: 0.5 }.in_memory().map(|e| e.tokenizer)
        };
        assert!(encode(&Documents::default()).unwrap() == bpe);
        let files = Documents { separator: "files".parse().unwrap(), special_tokens: false };
        assert!(encode(&files).unwrap_err().to_string().contains("no end-of-text token"));
    }

    /// Where a word is encoded otherwise at the start of a text, it is so in every document.
    #[test]
    fn every_document_is_the_start_of_a_text() {
        let parts = Tokenizer::bpe("a cat", 256).unwrap().byte_level_parts().unwrap().unwrap();
        let spaced = Tokenizer::byte_level(ByteLevelParts { prefix_space: true, ..parts }).unwrap();
        let words = Tokenizer::word("Una pizza y una pizza").unwrap();
        for (tokenizer, document, read) in
            [(spaced, "a cat ", " a cat "), (words, "pizza y una pizza y una", " pizza y una pizza y una")]
        {
            let tokenizer = tokenizer.with_special_tokens(&[SpecialToken::EndOfText]).unwrap();
            let source = Source::concat([1, 2, 3].map(|_| Source::text("a text", document.into())));
            let documents = &Documents { separator: "files".parse().unwrap(), special_tokens: false };
            let choice = TokenizerChoice::Existing(&tokenizer);
            let encode = Encode { source: &source, documents, tokenizer: choice, val_fraction: 0.1 };
            let Encoded { train, val, .. } = encode.in_memory().unwrap();
            let text = tokenizer.decode(&train.to_vec().unwrap()) + &tokenizer.decode(&val.to_vec().unwrap());
            assert_eq!(text, [read; 3].join("<|endoftext|>"));
        }
    }

    #[test]
    fn texts_with_nothing_to_learn_are_rejected() {
        let blank = " \n \t ".repeat(99);
        for (text, kind, why) in [
            ("", TokenizerKind::Byte, "empty"),
            ("\u{feff}", TokenizerKind::Char, "empty"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TokenizerKind::Char, "no character other than 'a'"),
            ("a", TokenizerKind::Byte, "too short (1 characters)"),
            (&blank[..], TokenizerKind::Char, "only white space"),
            (&blank[..], TokenizerKind::Word, "only white space"),
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
        let encode =
            Encode { source: &source, documents: &Documents::default(), tokenizer, val_fraction: 0.1 };
        let mut last = 0;
        let sinks = || [(Vec::new(), Path::new("t")), (Vec::new(), Path::new("v"))];
        encode
            .write(sinks(), None, &mut |p: Progress| {
                assert!(p.done >= last && p.done <= p.total);
                last = p.done;
                true
            })
            .unwrap();
        assert_eq!(last, 18_000, "three passes over 6000 bytes");
        assert!(matches!(
            encode.write(sinks(), None, &mut |p| p.doing != "encoding"),
            Err(TextError::Stopped)
        ));
    }
}
