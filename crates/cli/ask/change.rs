//! Changes of a sentence, for causal tests.

use anyhow::bail;

/// A change of a sentence.
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
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let whole = |&(at, _): &(usize, &str)| {
            let after = at + word.len();
            !is_part(sentence[..at].chars().next_back()) && !is_part(sentence[after..].chars().next())
        };
        let Some((at, _)) = sentence.match_indices(word.as_str()).find(whole) else {
            let words: Vec<&str> = sentence.split_whitespace().collect();
            bail!("{flag} names {word}, which is not in the sentence: its words are {}", words.join(", "));
        };
        let changed = format!("{}{other}{}", &sentence[..at], &sentence[at + word.len()..]);
        Ok(match self {
            Self::Replace(_) => changed,
            Self::Blank(_) => changed.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }
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
        assert!(Change::Blank(String::new()).apply(sentence).is_err());
        for wrong in ["pizza", "=x", "x=", " = "] {
            assert!(Change::replace(wrong).is_err(), "{wrong}");
        }
    }
}
