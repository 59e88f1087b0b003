//! Sentences and their translations as tokens.

use m2g_text::tokenizer::TokenizerError;
use m2g_text::{TextError, TokenData, Tokenizer};

use super::text::TextPair;
use super::vocabulary::{Specials, specials};

/// Sentences as tokens, each with its end token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sentences {
    ids: Vec<u32>,
    /// The index in `ids` after each sentence.
    ends: Vec<usize>,
}

impl Sentences {
    /// The sentences in `ids`, each of which ends with the token `end`. Tokens after the last one are dropped.
    pub fn split(mut ids: Vec<u32>, end: u32) -> Self {
        let ends: Vec<usize> = (1..=ids.len()).filter(|&i| ids[i - 1] == end).collect();
        ids.truncate(ends.last().copied().unwrap_or(0));
        Self { ids, ends }
    }

    /// Appends a sentence; `tokens` end with the end token.
    fn push(&mut self, tokens: &[u32]) {
        self.ids.extend_from_slice(tokens);
        self.ends.push(self.ids.len());
    }

    /// Keeps only the sentences for which `kept` is true, in the same memory.
    fn keep(&mut self, kept: &[bool]) {
        let (mut start, mut tokens, mut sentences) = (0, 0, 0);
        for (i, &kept) in kept.iter().enumerate() {
            let end = self.ends[i];
            if kept {
                self.ids.copy_within(start..end, tokens);
                tokens += end - start;
                self.ends[sentences] = tokens;
                sentences += 1;
            }
            start = end;
        }
        self.ids.truncate(tokens);
        self.ends.truncate(sentences);
    }

    /// The number of sentences.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The tokens of sentence `i`.
    ///
    /// # Panics
    /// If there are not as many sentences.
    pub fn get(&self, i: usize) -> &[u32] {
        let start = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.ids[start..self.ends[i]]
    }

    /// All tokens, one sentence after the other.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
}

/// Sentences and their translations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// The sentences.
    pub source: Sentences,
    /// Their translations.
    pub target: Sentences,
}

/// The pairs that encoding left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Source or target is empty, or only white space.
    pub empty: usize,
    /// Source or target has more than `max_length` tokens.
    pub long: usize,
}

impl Dropped {
    /// One sentence for each reason.
    pub fn reports(self, split: &str, max_length: usize) -> Vec<String> {
        let report = |n: usize, why: &str| {
            (n > 0).then(|| {
                format!("{n} of the {split} pairs {} dropped: {why}", if n == 1 { "was" } else { "were" })
            })
        };
        let long = format!("a sentence has more than {max_length} tokens (max_length)");
        [report(self.empty, "a sentence is empty"), report(self.long, &long)].into_iter().flatten().collect()
    }
}

impl Pairs {
    /// Pairs of these tokens; each source and target ends with its end token.
    pub fn of_tokens<'a>(pairs: impl IntoIterator<Item = (&'a [u32], &'a [u32])>) -> Self {
        let mut all = Self::default();
        for (source, target) in pairs {
            all.source.push(source);
            all.target.push(target);
        }
        all
    }

    /// The tokens of these pairs, without those that are empty or longer than `max_length` tokens.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] if a character has no token.
    pub(super) fn encode(
        pairs: &[TextPair],
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<(Self, Dropped), TextError> {
        let end = specials(tokenizer)?.end;
        let mut encoder = tokenizer.encoder();
        let (mut all, mut dropped) = (Self::default(), Dropped::default());
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for pair in pairs {
            if pair.lacks_text() {
                dropped.empty += 1;
                continue;
            }
            for (text, ids) in [(&pair.source, &mut source), (&pair.target, &mut target)] {
                ids.clear();
                encoder.start_text();
                encoder.encode(text, ids)?;
                ids.push(end);
            }
            if source.len().max(target.len()) > max_length {
                dropped.long += 1;
                continue;
            }
            all.source.push(&source);
            all.target.push(&target);
        }
        Ok((all, dropped))
    }

    /// The tokens of the pairs of a split, as [`Pairs::encode`]; `reports` get what was dropped. `learned` says whether
    /// the tokenizer was learned from the training pairs of `source`.
    ///
    /// # Errors
    /// As [`Pairs::encode`]; then [`TextError::Text`] on `source` if the tokenizer was learned.
    pub(super) fn encode_split(
        (source, split): (&str, &str),
        pairs: &[TextPair],
        (tokenizer, learned): (&Tokenizer, bool),
        max_length: usize,
        reports: &mut Vec<String>,
    ) -> Result<Self, TextError> {
        let encoded = Self::encode(pairs, tokenizer, max_length);
        let (pairs, dropped) = match learned {
            true => encoded.map_err(|error| does_not_fit(source, split, error))?,
            false => encoded?,
        };
        reports.extend(dropped.reports(split, max_length));
        Ok(pairs)
    }

    /// The tokens of all these pairs, and the special tokens. A text that is empty, or only white space, has only
    /// its end token.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] if a character has no token.
    pub fn encode_all(pairs: &[TextPair], tokenizer: &Tokenizer) -> Result<(Self, Specials), TextError> {
        let special = specials(tokenizer)?;
        let mut encoder = tokenizer.encoder();
        let mut all = Self::default();
        for pair in pairs {
            for (text, sentences) in [(&pair.source, &mut all.source), (&pair.target, &mut all.target)] {
                let mut ids = Vec::new();
                if !text.trim().is_empty() {
                    encoder.start_text();
                    encoder.encode(text, &mut ids)?;
                }
                ids.push(special.end);
                sentences.push(&ids);
            }
        }
        Ok((all, special))
    }

    /// These pairs without those longer than `max_length` tokens, and the number of those.
    pub(crate) fn up_to(mut self, max_length: usize) -> (Self, Dropped) {
        let length = |i: usize| self.source.get(i).len().max(self.target.get(i).len());
        let kept: Vec<bool> = (0..self.len()).map(|i| length(i) <= max_length).collect();
        self.source.keep(&kept);
        self.target.keep(&kept);
        let long = kept.len() - self.len();
        (self, Dropped { empty: 0, long })
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// The number of tokens of the longest source or target.
    pub fn longest(&self) -> usize {
        let lengths = |side: &Sentences| (0..side.len()).map(|i| side.get(i).len()).max();
        lengths(&self.source).max(lengths(&self.target)).unwrap_or(0)
    }

    /// The SHA-256 of the tokens of each side, for a fingerprint.
    pub(crate) fn sha256(&self) -> [String; 2] {
        [&self.source, &self.target].map(|sentences| TokenData::sha256_of(sentences.ids()))
    }
}

/// Checks that there are pairs to train on and to validate with. `reports` say what was dropped.
///
/// # Errors
/// [`TextError::Text`] on `source`.
pub(super) fn check_not_empty(
    source: &str,
    (train, val): (&Pairs, &Pairs),
    reports: &[String],
) -> Result<(), TextError> {
    let Some((_, name)) =
        [(train, "training"), (val, "validation")].into_iter().find(|(pairs, _)| pairs.is_empty())
    else {
        return Ok(());
    };
    let why = match reports {
        [] => format!("it has no {name} pairs: give at least one to train on, and one to validate with"),
        reports => format!("it has no {name} pairs left: {}", reports.join("; ")),
    };
    Err(TextError::Text { source_name: source.into(), why })
}

/// The error of encoding a split, if the tokenizer was learned from the training pairs.
fn does_not_fit(source: &str, split: &str, error: TextError) -> TextError {
    let unknown = match &error {
        TextError::Tokenizer(TokenizerError::UnknownWords { words, .. }) => {
            words.first().map(ToString::to_string)
        }
        TextError::Tokenizer(TokenizerError::UnknownCharacters { characters, .. }) => {
            characters.first().map(|c| format!("\"{}\"", c.escape_debug()))
        }
        _ => None,
    };
    let Some(unknown) = unknown else { return error };
    let why = format!(
        "its {split} pairs, a tenth of all if none are given, have {unknown}, which the training pairs lack: \
         choose the tokenizer byte or bpe:N, or give validation pairs without it"
    );
    TextError::Text { source_name: source.into(), why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::vocabulary::tokenizer_for;
    use super::*;

    #[test]
    fn every_sentence_is_the_start_of_a_text() {
        // "oven" and "horno" are known after a space alone.
        let text = [TextPair::from(["the oven", "el horno"])];
        let tokenizer = tokenizer_for("word", "x", &text).unwrap();
        let starts = [["the", "el"], ["oven", "horno"]].map(TextPair::from);
        let (pairs, _) = Pairs::encode(&starts, &tokenizer, 4).unwrap();
        let [oven] = tokenizer.encode("the oven").unwrap()[1..] else { panic!("two words") };
        assert_eq!(pairs.source.get(1), [oven, tokenizer.end_of_text().unwrap()]);
        assert_eq!(Pairs::encode_all(&starts, &tokenizer).unwrap().0, pairs);
    }

    #[test]
    fn empty_and_long_pairs_are_dropped_and_counted() {
        let text = [["ab", "ba"], ["", "a"], ["a", " "], ["abab", "a"], ["a", "b"]].map(TextPair::from);
        let tokenizer = tokenizer_for("char", "x", &text).unwrap();
        let (pairs, dropped) = Pairs::encode(&text, &tokenizer, 4).unwrap();
        assert_eq!(dropped, Dropped { empty: 2, long: 1 });
        assert_eq!(
            dropped.reports("training", 4)[0],
            "2 of the training pairs were dropped: a sentence is empty"
        );
        let end = tokenizer.end_of_text().unwrap();
        let letter = |c: &str| tokenizer.encode(c).unwrap()[0];
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs.source.get(0), [letter("a"), letter("b"), end]);
        assert_eq!(
            (pairs.source.get(1), pairs.target.get(1)),
            (&[letter("a"), end][..], &[letter("b"), end][..])
        );
        assert_eq!(Sentences::split(pairs.source.ids().to_vec(), end), pairs.source);
        assert_eq!(Sentences::split(vec![1, end, 7], end).len(), 1);
        let (blank, _) = Pairs::encode_all(&[["  ", "a"].into()], &tokenizer).unwrap();
        assert_eq!(blank.source.get(0), [end], "white space is no sentence");
        let (short, dropped) = pairs.up_to(2);
        assert_eq!(dropped, Dropped { empty: 0, long: 1 });
        assert_eq!(short.source.ids(), [letter("a"), end]);
        assert_eq!(short.target.ids(), [letter("b"), end]);
    }
}
