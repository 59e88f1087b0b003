//! Where a document ends and the next one begins: between files, at a separator within them, and at
//! `<|endoftext|>`.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use m2g_core::settings::{Kind, SettingValue};
use serde::{Deserialize, Serialize};

use super::clean::Cleaned;
use super::inputs::Source;
use super::read::Read;
use super::report::with_thousands_separators;
use crate::error::TextError;
use crate::tokenizer::{SpecialToken, TokenizerKind};

/// What separates two documents. An end-of-text token takes its place.
///
/// As text: `auto`, `files`, `none`, or the separator itself, in which `\n`, `\t` and `\\` are a
/// newline, a tab and a backslash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DocumentSeparator {
    /// `Files` for the tokenizers of byte pairs, `None` for characters, words and bytes.
    #[default]
    Auto,
    /// The end of a file.
    Files,
    /// Nothing: all texts are one.
    None,
    /// The end of a file, and this text within a file.
    Text(String),
}

/// What ends a document in a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    /// What separates two documents.
    pub separator: DocumentSeparator,
    /// Whether `<|endoftext|>` in a text is the end-of-text token. Otherwise it is text like any other.
    pub special_tokens: bool,
}

impl Documents {
    /// All texts are one, whatever they contain.
    pub const ONE: Self = Self { separator: DocumentSeparator::None, special_tokens: false };

    /// These rules for a kind of tokenizer, without [`DocumentSeparator::Auto`].
    pub(crate) fn for_kind(&self, kind: TokenizerKind) -> Self {
        let separator = match (&self.separator, kind) {
            (DocumentSeparator::Auto, TokenizerKind::Gpt2 | TokenizerKind::Bpe(_)) => {
                DocumentSeparator::Files
            }
            (DocumentSeparator::Auto, _) => DocumentSeparator::None,
            (separator, _) => separator.clone(),
        };
        Self { separator, ..*self }
    }
}

/// A part of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Clean text; a document has many.
    Text(&'a str),
    /// The end of a document that is followed by another, or `<|endoftext|>`.
    EndOfText,
}

/// What was found while reading documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Ends of documents.
    pub ends: u64,
    /// How often the text spells `<|endoftext|>`.
    pub spelled: u64,
}

impl Found {
    /// Sentences on the ends of documents, for the person who gave the text.
    pub(crate) fn reports(&self, special_tokens: bool) -> Vec<String> {
        let spelling = SpecialToken::EndOfText.spelling();
        let times =
            |n| if n == 1 { "once".into() } else { format!("{} times", with_thousands_separators(n)) };
        let mut reports = Vec::new();
        if self.spelled > 0 {
            let times = times(self.spelled);
            reports.push(match special_tokens {
                true => format!("{spelling} is in the text {times}, and became the end-of-text token"),
                false => format!(
                    "{spelling} is in the text {times}, and was read as plain text: set special_tokens to read it \
                     as the end-of-text token"
                ),
            });
        }
        let between = self.ends - if special_tokens { self.spelled } else { 0 };
        if between > 0 {
            reports.push(format!("an end-of-text token was put between documents {}", times(between)));
        }
        reports
    }
}

impl Source {
    /// As [`Source::read`], in documents.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn read_documents(
        &self,
        documents: &Documents,
        progress: &mut dyn FnMut(u64) -> bool,
        visit: &mut dyn FnMut(Part<'_>) -> Result<(), TextError>,
    ) -> Result<(Cleaned, Found), TextError> {
        let mut splitter = Splitter::new(documents);
        let cleaned = self.read_files(progress, &mut |read| match read {
            Read::Text(text) => splitter.push(text, visit),
            Read::EndOfFile => splitter.end_file(visit),
        })?;
        Ok((cleaned, splitter.found))
    }
}

/// Finds separators and `<|endoftext|>` in text that arrives in chunks.
struct Splitter<'a> {
    separator: Option<&'a str>,
    between_files: bool,
    special_tokens: bool,
    /// The end of the last chunk, which may be the start of a separator.
    pending: String,
    /// Whether a document has ended, and the next text begins another.
    ended: bool,
    /// Whether there was text, and since the last end.
    started: bool,
    found: Found,
}

impl<'a> Splitter<'a> {
    fn new(documents: &'a Documents) -> Self {
        let (separator, between_files) = match &documents.separator {
            DocumentSeparator::Text(text) => (Some(&**text), true),
            DocumentSeparator::Files => (None, true),
            DocumentSeparator::None | DocumentSeparator::Auto => (None, false),
        };
        Self {
            separator: separator.filter(|text| !text.is_empty()),
            between_files,
            special_tokens: documents.special_tokens,
            pending: String::new(),
            ended: false,
            started: false,
            found: Found::default(),
        }
    }

    /// The separator, and the spelling of the end-of-text token.
    fn markers(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.separator.into_iter().chain([SpecialToken::EndOfText.spelling()])
    }

    fn push(&mut self, text: &str, visit: Visit<'_>) -> Result<(), TextError> {
        let mut text = match self.pending.is_empty() {
            true => text.to_string(),
            false => std::mem::take(&mut self.pending) + text,
        };
        let done = self.split(&text, false, visit)?;
        self.pending = text.split_off(done);
        Ok(())
    }

    fn end_file(&mut self, visit: Visit<'_>) -> Result<(), TextError> {
        let rest = std::mem::take(&mut self.pending);
        self.split(&rest, true, visit)?;
        self.ended |= self.between_files;
        Ok(())
    }

    /// Visits the text up to where a marker may begin that the next chunk completes; returns that place.
    fn split(&mut self, text: &str, last: bool, visit: Visit<'_>) -> Result<usize, TextError> {
        let mut done = 0;
        // The next place of each marker, searched again only once it has been passed.
        let mut next: Vec<(&str, Option<usize>)> =
            self.markers().map(|marker| (marker, text.find(marker))).collect();
        loop {
            let overlaps = self.markers().map(|marker| overlap(&text[done..], marker));
            let end = text.len() - if last { 0 } else { overlaps.max().unwrap_or(0) };
            for (marker, at) in &mut next {
                if at.is_some_and(|at| at < done) {
                    *at = text[done..].find(*marker).map(|at| done + at);
                }
            }
            // The first of several at the same place is the separator.
            let found = next.iter().filter_map(|&(marker, at)| Some((at?, marker)));
            let Some((at, marker)) = found.min_by_key(|&(at, _)| at).filter(|&(at, _)| at < end) else {
                self.text(&text[done..end], visit)?;
                return Ok(end);
            };
            self.text(&text[done..at], visit)?;
            if self.separator == Some(marker) {
                self.ended = true;
            } else {
                self.found.spelled += 1;
                match self.special_tokens {
                    true => self.end(visit)?,
                    false => self.text(marker, visit)?,
                }
            }
            done = at + marker.len();
        }
    }

    fn text(&mut self, text: &str, visit: Visit<'_>) -> Result<(), TextError> {
        if text.is_empty() {
            return Ok(());
        }
        // Never two ends in a row, and none at the start: an empty document is no document.
        if std::mem::take(&mut self.ended) && self.started {
            self.end(visit)?;
        }
        self.started = true;
        visit(Part::Text(text))
    }

    fn end(&mut self, visit: Visit<'_>) -> Result<(), TextError> {
        (self.ended, self.started) = (false, false);
        self.found.ends += 1;
        visit(Part::EndOfText)
    }
}

type Visit<'a> = &'a mut dyn FnMut(Part<'_>) -> Result<(), TextError>;

/// The length of the longest end of `text` with which `marker` begins, but less than all of it.
fn overlap(text: &str, marker: &str) -> usize {
    let longest = text.len().min(marker.len() - 1);
    (1..=longest).rev().find(|&n| text.as_bytes()[text.len() - n..] == marker.as_bytes()[..n]).unwrap_or(0)
}

/// A text in which `\n`, `\t`, `\r` and `\\` stand for a newline, a tab, a return and a backslash, as it
/// is hard to type these in a shell.
pub fn unescape(text: &str) -> String {
    let mut all = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let escaped = (c == '\\').then(|| characters.clone().next()).flatten();
        let meant = match escaped {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('\\') => '\\',
            _ => {
                all.push(c);
                continue;
            }
        };
        characters.next();
        all.push(meant);
    }
    all
}

/// The text that [`unescape`] turns into this one.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r")
}

impl FromStr for DocumentSeparator {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        Ok(match text {
            "" => return Err("it must be auto, files, none or a text that separates documents"),
            "auto" => Self::Auto,
            "files" => Self::Files,
            "none" => Self::None,
            // As in the texts, which are split after their line ends are changed.
            text => Self::Text(unescape(text).replace("\r\n", "\n")),
        })
    }
}

impl Display for DocumentSeparator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Files => f.write_str("files"),
            Self::None => f.write_str("none"),
            Self::Text(text) => f.write_str(&escape(text)),
        }
    }
}

impl From<DocumentSeparator> for String {
    fn from(separator: DocumentSeparator) -> Self {
        separator.to_string()
    }
}

impl TryFrom<String> for DocumentSeparator {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl SettingValue for DocumentSeparator {
    const VALUE_NAME: &'static str = "TEXT";
    const KIND: Kind = Kind::Text;

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(String::from)
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The parts of texts, each in chunks of `size` characters, with `|` for an end.
    fn parts(files: &[&str], documents: &Documents, size: usize) -> (String, Found) {
        let (mut splitter, mut all) = (Splitter::new(documents), String::new());
        let mut visit = |part: Part<'_>| {
            match part {
                Part::Text(text) => all.push_str(text),
                Part::EndOfText => all.push('|'),
            }
            Ok(())
        };
        for file in files {
            let characters: Vec<char> = file.chars().collect();
            for chunk in characters.chunks(size) {
                splitter.push(&chunk.iter().collect::<String>(), &mut visit).unwrap();
            }
            splitter.end_file(&mut visit).unwrap();
        }
        (all, splitter.found)
    }

    fn documents(separator: &str, special_tokens: bool) -> Documents {
        Documents { separator: separator.parse().unwrap(), special_tokens }
    }

    #[test]
    fn an_end_stands_between_two_documents() {
        let files = ["one--two----three--", "", "four<|endoftext|>", "--five"];
        for (separator, special, want) in [
            ("none", false, "one--two----three--four<|endoftext|>--five"),
            ("files", false, "one--two----three--|four<|endoftext|>|--five"),
            ("--", false, "one|two|three|four<|endoftext|>|five"),
            ("none", true, "one--two----three--four|--five"),
            ("files", true, "one--two----three--|four|--five"),
            ("--", true, "one|two|three|four|five"),
            ("<|endoftext|>", false, "one--two----three--|four|--five"),
        ] {
            let (all, found) = parts(&files, &documents(separator, special), 100);
            assert_eq!(all, want, "{separator} {special}");
            assert_eq!(found.ends, want.matches('|').count() as u64 - 2 * want.matches("<|").count() as u64);
        }
        let (all, found) = parts(&["a<|endoftext|><|endoftext|>b"], &documents("auto", true), 3);
        assert_eq!((&*all, found), ("a||b", Found { ends: 2, spelled: 2 }));
    }

    #[test]
    fn separators_are_written_as_they_are_typed() {
        for text in ["auto", "files", "none", "---", r"\n\n", r"\\n", r"a\tb"] {
            assert_eq!(text.parse::<DocumentSeparator>().unwrap().to_string(), text);
        }
        assert_eq!("\n\n".parse(), Ok(DocumentSeparator::Text("\n\n".into())));
        assert_eq!(r"\n\x\".parse(), Ok(DocumentSeparator::Text("\n\\x\\".into())));
        // The line ends of Windows are those of the text after it was cleaned.
        assert_eq!(r"\r\n\r\n".parse(), Ok(DocumentSeparator::Text("\n\n".into())));
        assert!("".parse::<DocumentSeparator>().is_err());
    }

    #[test]
    fn only_byte_pairs_separate_files_by_default() {
        let separator = |kind| Documents::default().for_kind(kind).separator;
        assert_eq!(separator(TokenizerKind::Char), DocumentSeparator::None);
        assert_eq!(separator(TokenizerKind::Byte), DocumentSeparator::None);
        assert_eq!(separator(TokenizerKind::Gpt2), DocumentSeparator::Files);
        assert_eq!(separator(TokenizerKind::Bpe(300)), DocumentSeparator::Files);
    }

    proptest! {
        #[test]
        fn chunks_are_split_as_the_whole_is(
            files in prop::collection::vec("(a|é|-|--|<|<\\||<\\|endoftext\\|>){0,12}", 0..4),
            separator in prop::sample::select(vec!["none", "files", "--", "-a", "<|e", "|e", "<|endoftext|>-", "é-"]),
            special: bool,
            size in 1..6_usize,
        ) {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let documents = documents(separator, special);
            prop_assert_eq!(parts(&files, &documents, size), parts(&files, &documents, 1000));
        }
    }
}
