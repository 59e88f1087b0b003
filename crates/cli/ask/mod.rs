//! What `m2g gpt ask` and `m2g translate ask` share.
//!
//! | file | holds |
//! | --- | --- |
//! | `change.rs` | changes of a sentence, for causal tests |
//! | `occurrence.rs` | which of several equal words is meant |
//! | `weights.rs` | the attention of a word, as a table and as JSON |

pub mod change;
pub mod occurrence;
pub mod weights;

use anyhow::{anyhow, bail};
use m2g_core::error::nearest;
use m2g_text::words::Words;

use self::occurrence::Occurrence;
use crate::terminal::lines::times;

/// The index of the word of a sentence that is asked about: of several equal ones the first, or that of `WORD#N`.
pub fn word_of(asked: &str, words: &Words) -> anyhow::Result<usize> {
    let asked = asked.trim();
    let all = &words.words;
    if all.is_empty() {
        bail!("the sentence is empty: give at least one word");
    }
    if asked.is_empty() {
        bail!("--word is empty: give a word of the sentence");
    }
    if let Some(exact) = all.iter().position(|word| word == asked) {
        return Ok(exact);
    }
    let occurrence = Occurrence::parse(asked);
    let Some(first) = words.find(occurrence.word) else {
        let near = nearest(asked, all.iter().map(String::as_str));
        let hint = near.map_or(": its".into(), |near| format!("; did you mean {near}? Its"));
        bail!("--word is {asked}, which is not in the sentence{hint} words are {}", all.join(", "));
    };
    let places = equal_to(first, words);
    occurrence.of(&places).ok_or_else(|| {
        let n = places.len();
        anyhow!(
            "--word is {asked}, but the sentence has {} {}: give a number from 1 to {n}",
            occurrence.word,
            times(n)
        )
    })
}

/// The indices of the words that are the same as this one, whatever their case and the punctuation around them.
pub fn equal_to(word: usize, words: &Words) -> Vec<usize> {
    let plain = |i: usize| bare(&words.words[i]).to_lowercase();
    (0..words.words.len()).filter(|&i| plain(i) == plain(word)).collect()
}

/// A word without punctuation around it, or punctuation alone.
pub fn bare(word: &str) -> &str {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() { word } else { bare }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_text::Tokenizer;

    use super::*;

    fn words(sentence: &str) -> Words {
        let tokenizer = Tokenizer::byte();
        Words::of(&tokenizer.encode(sentence).unwrap(), &tokenizer)
    }

    #[test]
    fn a_word_is_found_by_its_number_among_equal_ones() {
        let twice = words("Ana sabía que él no Sabía.");
        let of = |asked| word_of(asked, &twice);
        assert_eq!([of("sabía").unwrap(), of("sabía#2").unwrap(), of("Sabía.").unwrap()], [1, 5, 5]);
        assert_eq!(equal_to(1, &twice), [1, 5]);
        let said = |asked, words: &Words| word_of(asked, words).unwrap_err().to_string();
        assert!(said("sabía#3", &twice).ends_with("has sabía 2 times: give a number from 1 to 2"));
        let end = "; did you mean sabía? Its words are Ana, sabía, que, él, no, Sabía.";
        assert_eq!(said("sabia", &twice), format!("--word is sabia, which is not in the sentence{end}"));
        assert!(said("x", &twice).contains("not in the sentence: its words are Ana"));
        assert_eq!(said("x", &words(" ")), "the sentence is empty: give at least one word");
        assert!(said(" ", &twice).starts_with("--word is empty"));
    }
}
