//! Changes of a sentence, for causal tests.

use anyhow::bail;

use super::occurrence::Occurrence;
use crate::terminal::lines::times;

/// A change of a sentence, wherever the word stands in it, or at one place: `pizza#2` is the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A word, or several in a row, becomes another.
    Replace([String; 2]),
    /// A word, or several in a row, is left out.
    Blank(String),
}

impl Change {
    /// Parses `WORD=OTHER`.
    pub fn replace(text: &str) -> Result<Self, String> {
        match text.split_once('=').map(|(word, other)| [word.trim(), other.trim()]) {
            Some([word, other]) if !word.is_empty() && !other.is_empty() => {
                Ok(Self::Replace([word.into(), other.into()]))
            }
            _ => Err("give a word, =, and the word to put in its place: pizza=María".into()),
        }
    }

    /// What it does, in a few words.
    pub fn name(&self) -> String {
        match self {
            Self::Replace([word, other]) => format!("{word} -> {other}"),
            Self::Blank(word) => format!("without {word}"),
        }
    }

    /// The changed sentence.
    pub fn apply(&self, sentence: &str) -> anyhow::Result<String> {
        let (flag, word, other) = match self {
            Self::Replace([word, other]) => ("--replace", word, other.as_str()),
            Self::Blank(word) => ("--blank", word, ""),
        };
        if word.is_empty() {
            bail!("{flag} is empty: give a word of the sentence");
        }
        let mut meant = Occurrence { word, number: None };
        let mut at = places(word, sentence);
        if at.is_empty() {
            meant = Occurrence::parse(word);
            at = places(meant.word, sentence);
        }
        if at.is_empty() {
            let words: Vec<&str> = sentence.split_whitespace().collect();
            bail!("{flag} names {word}, which is not in the sentence: its words are {}", words.join(", "));
        }
        if meant.number.is_some() {
            let Some(place) = meant.of(&at) else {
                let n = at.len();
                bail!(
                    "{flag} names {word}, but the sentence has {} {}: give a number from 1 to {n}",
                    meant.word,
                    times(n)
                );
            };
            at = vec![place];
        }
        let (mut changed, mut rest) = (String::new(), 0);
        for place in at {
            changed += &sentence[rest..place];
            changed += other;
            rest = place + meant.word.len();
        }
        changed += &sentence[rest..];
        Ok(match self {
            Self::Replace(_) => changed,
            Self::Blank(_) => changed.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }
}

/// The word at this byte of a sentence as a change names it: with its number, if it stands at several places.
pub fn numbered(word: &str, at: usize, sentence: &str) -> String {
    let places = places(word, sentence);
    match places.iter().position(|place| *place == at) {
        Some(i) if places.len() > 1 => format!("{word}#{}", i + 1),
        _ => word.into(),
    }
}

/// Where a word stands in a sentence, not as a part of another one.
fn places(word: &str, sentence: &str) -> Vec<usize> {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole = |&at: &usize| {
        !is_part(sentence[..at].chars().next_back()) && !is_part(sentence[at + word.len()..].chars().next())
    };
    sentence.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_change_changes_whole_words() {
        let sentence = "La pizza de pizzas, sabía";
        let replace = |text| Change::replace(text).unwrap().apply(sentence);
        assert_eq!(replace("pizzas=panes").unwrap(), "La pizza de panes, sabía");
        assert_eq!(replace("La pizza = María").unwrap(), "María de pizzas, sabía");
        assert_eq!(Change::Blank("pizza".into()).apply(sentence).unwrap(), "La de pizzas, sabía");
        let error = replace("piz=x").unwrap_err().to_string();
        assert!(error.contains("piz, which is not in the sentence: its words are La, pizza, de"), "{error}");
        let twice = "La pizza salió y la pizza, sabía";
        let blank = |word: &str| Change::Blank(word.into()).apply(twice);
        assert_eq!(blank("pizza").unwrap(), "La salió y la , sabía", "wherever it stands");
        assert_eq!(blank("pizza#1").unwrap(), "La salió y la pizza, sabía");
        assert_eq!(
            Change::replace("pizza#2=casa").unwrap().apply(twice).unwrap(),
            "La pizza salió y la casa, sabía"
        );
        let second = twice.rfind("pizza").unwrap();
        assert_eq!([numbered("pizza", second, twice), numbered("y", 15, twice)], ["pizza#2", "y"]);
        let error = blank("pizza#3").unwrap_err().to_string();
        assert!(error.contains("the sentence has pizza 2 times: give a number from 1 to 2"), "{error}");
        assert_eq!(Change::Blank("C#1".into()).apply("C#1 y C").unwrap(), "y C", "a word as it is written");
        assert!(Change::Blank(String::new()).apply(sentence).is_err());
        for wrong in ["pizza", "=x", "x=", " = "] {
            assert!(Change::replace(wrong).is_err(), "{wrong}");
        }
    }
}
