//! Text of any size to two rows of tokens: the first part of it to train, the rest
//! to validate.
//!
//! The text is read two or three times: to count it and collect its characters; to
//! count words, if byte pairs are to be learnt; and to encode it. Memory holds a
//! piece of it at a time.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::CorpusError;
use super::clean::Cleaned;
use super::source::{Source, grouped};
use super::tokens::{TokenWriter, Width};
use crate::tokenizer::pretokenize::last_border;
use crate::tokenizer::train::Counts;
use crate::tokenizer::{Tokenizer, TokenizerKind};

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is done: `reading`, `learning byte pairs`, `encoding`.
    pub doing: &'static str,
    /// Bytes that are done, over all passes.
    pub done: u64,
    /// Bytes in all, over all passes.
    pub total: u64,
}

/// Told how far the work is; says whether to go on.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(Progress) -> bool;

/// Which text, and how.
pub(crate) struct Job<'a> {
    pub source: &'a Source,
    pub kind: TokenizerKind,
    /// The tokenizer, if none is to be made.
    pub given: Option<&'a Tokenizer>,
    pub val_fraction: f64,
}

/// A text as tokens.
pub(crate) struct Encoded<W> {
    pub tokenizer: Tokenizer,
    pub train: TokenWriter<W>,
    pub val: TokenWriter<W>,
    pub characters: u64,
    pub bytes: u64,
    pub reports: Vec<String>,
}

/// Text is handed to the tokenizer in pieces of about so many bytes.
const PIECE: usize = 1 << 20;

/// Which part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    Train,
    Val,
}

impl Job<'_> {
    /// Encodes the text, `train` and `val` being written to.
    pub fn run<W: Write>(
        &self,
        [train, val]: [(W, &Path); 2],
        watch: Watch<'_>,
    ) -> Result<Encoded<W>, CorpusError> {
        if !(self.val_fraction > 0.0 && self.val_fraction < 1.0) {
            let rule = "it must be between 0 and 1, such as 0.1";
            return Err(CorpusError::Setting {
                name: "--val-fraction",
                value: self.val_fraction.to_string(),
                rule,
            });
        }
        let size = self.source.size();
        let learns = self.given.is_none() && matches!(self.kind, TokenizerKind::Bpe(_));
        let passes = if learns { 3 } else { 2 };
        let mut pass = 0;
        let mut progress =
            |doing, done, pass| watch(Progress { doing, done: pass * size + done, total: passes * size });

        let mut characters = CharacterSet::default();
        let cleaned = self.source.read(&mut |done| progress("reading", done, pass), &mut |text| {
            characters.add(text);
            Ok(())
        })?;
        let train_characters = self.first_part(&characters)?;
        pass += 1;

        let mut reports = self.source.reports(&cleaned);
        let tokenizer = match (self.given, self.kind) {
            (Some(given), _) => given.clone(),
            (None, TokenizerKind::Char) => Tokenizer::of_characters(characters.distinct()),
            (None, TokenizerKind::Byte) => Tokenizer::byte(),
            (None, TokenizerKind::Gpt2) => Tokenizer::gpt2(),
            (None, TokenizerKind::Bpe(tokens)) => {
                let mut counts = Counts::default();
                let mut go_on = |done| progress("learning byte pairs", done, pass);
                self.pieces(train_characters, cleaned, &last_border, &mut go_on, &mut |split, text| {
                    if split == Split::Train {
                        counts.add(text);
                    }
                    Ok(())
                })?;
                pass += 1;
                let tokenizer = Tokenizer::of_counts(counts, tokens)?;
                let found = tokenizer.vocab_size();
                if found < tokens {
                    reports
                        .push(format!("the text has no more pairs than make {found} tokens, not {tokens}"));
                }
                tokenizer
            }
        };

        let width = Width::of(tokenizer.vocab_size());
        let (mut encoder, mut ids) = (tokenizer.encoder(), Vec::new());
        let (paths, mut train, mut val) =
            ([train.1, val.1], TokenWriter::new(train.0, width), TokenWriter::new(val.0, width));
        let border = |text: &str, from| tokenizer.last_border(text, from);
        let mut go_on = |done| progress("encoding", done, pass);
        self.pieces(train_characters, cleaned, &border, &mut go_on, &mut |split, text| {
            ids.clear();
            encoder.encode(text, &mut ids)?;
            match split {
                Split::Train => train.write(&ids).map_err(CorpusError::io("write", paths[0])),
                Split::Val => val.write(&ids).map_err(CorpusError::io("write", paths[1])),
            }
        })?;
        if train.tokens < 2 || val.tokens < 2 {
            return Err(self.too_short(characters.count));
        }
        drop(encoder);
        Ok(Encoded { tokenizer, train, val, characters: characters.count, bytes: cleaned.bytes, reports })
    }

    /// How many characters the text begins with that are there to train.
    fn first_part(&self, characters: &CharacterSet) -> Result<u64, CorpusError> {
        let n = characters.count;
        if n == 0 {
            return Err(self.wrong("the text is empty".into()));
        }
        if let (None, TokenizerKind::Char, Some(only)) = (self.given, self.kind, characters.only_one()) {
            let why = format!(
                "the text has no other character than '{}': a vocabulary of one token leaves nothing to learn",
                only.escape_debug()
            );
            return Err(self.wrong(why));
        }
        let train = (n as f64 * (1.0 - self.val_fraction)) as u64;
        if train == 0 || train >= n { Err(self.too_short(n)) } else { Ok(train) }
    }

    fn too_short(&self, characters: u64) -> CorpusError {
        self.wrong(format!(
            "the text is too short ({} characters): its parts to train ({:.0} %) and to validate need two tokens each",
            grouped(characters),
            100.0 * (1.0 - self.val_fraction)
        ))
    }

    fn wrong(&self, why: String) -> CorpusError {
        CorpusError::Text { source_name: self.source.name.clone(), why }
    }

    /// Hands the text to `visit` in pieces that end where `border` allows it, and
    /// where the first `train_characters` end.
    fn pieces(
        &self,
        train_characters: u64,
        before: Cleaned,
        border: &dyn Fn(&str, usize) -> Option<usize>,
        go_on: &mut dyn FnMut(u64) -> bool,
        visit: &mut dyn FnMut(Split, &str) -> Result<(), CorpusError>,
    ) -> Result<(), CorpusError> {
        let mut left = train_characters;
        let mut split = Split::Train;
        let mut buffer = String::new();
        // Up to here, the buffer has no border.
        let mut searched = 0;
        let cleaned = self.source.read(go_on, &mut |mut text| {
            if split == Split::Train {
                let characters = text.chars().count() as u64;
                if characters < left {
                    left -= characters;
                } else {
                    let end = text.char_indices().nth(left as usize).map_or(text.len(), |(at, _)| at);
                    buffer.push_str(&text[..end]);
                    visit(Split::Train, &buffer)?;
                    buffer.clear();
                    searched = 0;
                    split = Split::Val;
                    text = &text[end..];
                }
            }
            buffer.push_str(text);
            if buffer.len() - searched < PIECE {
                return Ok(());
            }
            match border(&buffer, searched) {
                Some(end) => {
                    visit(split, &buffer[..end])?;
                    buffer.drain(..end);
                    searched = 0;
                }
                // The last character may be the first half of a border.
                None => searched = buffer.char_indices().next_back().map_or(0, |(at, _)| at),
            }
            Ok(())
        })?;
        if cleaned != before || split == Split::Train {
            return Err(self.wrong("the text changed while it was read: try again".into()));
        }
        visit(split, &buffer)
    }
}

/// How many characters a text has, and which.
struct CharacterSet {
    count: u64,
    /// One bit for each character that Unicode can have.
    seen: Vec<u64>,
}

impl Default for CharacterSet {
    fn default() -> Self {
        Self { count: 0, seen: vec![0; (char::MAX as usize + 1) / 64] }
    }
}

impl CharacterSet {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            self.count += 1;
            self.seen[c as usize / 64] |= 1 << (c as usize % 64);
        }
    }

    fn distinct(&self) -> BTreeSet<char> {
        let seen = |c: &char| self.seen[*c as usize / 64] >> (*c as usize % 64) & 1 == 1;
        ('\0'..=char::MAX).filter(seen).collect()
    }

    fn only_one(&self) -> Option<char> {
        let distinct = self.distinct();
        distinct.first().copied().filter(|_| distinct.len() == 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn encode(text: &str, kind: TokenizerKind) -> Result<(Tokenizer, Vec<u32>, Vec<u32>), CorpusError> {
        let source = Source::text("a text", text.into());
        let job = Job { source: &source, kind, given: None, val_fraction: 0.1 };
        let encoded = job.run([(Vec::new(), Path::new("t")), (Vec::new(), Path::new("v"))], &mut |_| true)?;
        let (train, val) = (encoded.train.into_data().to_vec(), encoded.val.into_data().to_vec());
        Ok((encoded.tokenizer, train, val))
    }

    #[test]
    fn nine_tenths_of_the_characters_are_there_to_train() {
        let text = "äbcdefghijklmnopqrst uvwxyz";
        let (tokenizer, train, val) = encode(text, TokenizerKind::Char).unwrap();
        assert_eq!((train.len(), val.len(), tokenizer.vocab_size()), (24, 3, 27));
        assert_eq!(tokenizer.decode(&train) + &tokenizer.decode(&val), text);
    }

    /// Pieces are a matter of memory: the tokens are those of the whole.
    #[test]
    fn large_texts_are_encoded_as_small_ones() {
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
    fn texts_that_teach_nothing_are_refused_in_a_sentence() {
        for (text, kind, why) in [
            ("", TokenizerKind::Byte, "empty"),
            ("\u{feff}", TokenizerKind::Char, "empty"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TokenizerKind::Char, "no other character than 'a'"),
            ("a", TokenizerKind::Byte, "too short (1 characters)"),
            ("short", TokenizerKind::Char, "too short"),
            ("ab ab ab ab ab", TokenizerKind::Bpe(300), "too short"),
        ] {
            let error = encode(text, kind).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(why) && error.contains("a text"), "{text}: {error}");
        }
    }

    #[test]
    fn whoever_watches_can_stop() {
        let source = Source::text("a text", "words ".repeat(1000));
        let job = Job { source: &source, kind: TokenizerKind::Bpe(300), given: None, val_fraction: 0.1 };
        let mut last = 0;
        let sinks = || [(Vec::new(), Path::new("t")), (Vec::new(), Path::new("v"))];
        job.run(sinks(), &mut |p: Progress| {
            assert!(p.done >= last && p.done <= p.total);
            last = p.done;
            true
        })
        .unwrap();
        assert_eq!(last, 18_000, "three passes over 6000 bytes");
        assert!(matches!(job.run(sinks(), &mut |p| p.doing != "encoding"), Err(CorpusError::Stopped)));
    }
}
