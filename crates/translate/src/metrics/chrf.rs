//! chrF (Popovic 2015).

use std::hash::Hash;
use std::iter::Sum;

use super::metric::{Metric, VERSION};
use super::ngrams::{matches, ngrams, total};
use super::words::{is_space, split};

/// The most orders of n-grams: six of characters and two of words.
const MAX_ORDERS: usize = 8;
/// Character n-grams from 1 to this.
const CHARACTER_ORDERS: usize = 6;

/// The F-score of character n-grams, for n from 1 to 6:
///
/// `chrF = 100 (1 + beta^2) P R / (beta^2 P + R)`
///
/// with P the mean precision and R the mean recall over the orders that both texts are long enough for.
/// It needs no words, so it is fair to languages that build long ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chrf {
    /// Word n-grams from 1 to this count too: 0 for chrF, at most 2, for chrF++ (Popovic 2017).
    pub word_orders: usize,
    /// How much more recall counts than precision.
    pub beta: f64,
    /// Whether upper and lower case are the same.
    pub lowercase: bool,
    /// Whether white space counts.
    pub whitespace: bool,
}

impl Default for Chrf {
    /// chrF2: cased, without white space, with beta 2.
    fn default() -> Self {
        Self { word_orders: 0, beta: 2.0, lowercase: false, whitespace: false }
    }
}

/// The counts of chrF, for each order: characters first, then words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChrfCounts {
    /// The n-grams of the hypothesis, where the reference has any.
    pub hypothesis: [u64; MAX_ORDERS],
    /// The n-grams of the reference.
    pub reference: [u64; MAX_ORDERS],
    /// The n-grams that both have.
    pub matches: [u64; MAX_ORDERS],
}

impl Sum for ChrfCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            for n in 0..MAX_ORDERS {
                sum.hypothesis[n] += counts.hypothesis[n];
                sum.reference[n] += counts.reference[n];
                sum.matches[n] += counts.matches[n];
            }
            sum
        })
    }
}

impl ChrfCounts {
    /// Counts the n-grams of both texts as order number `order`.
    fn count<I: Hash + Eq>(&mut self, order: usize, n: usize, hypothesis: &[I], reference: &[I]) {
        self.reference[order] = total(reference.len(), n);
        self.hypothesis[order] = match self.reference[order] {
            0 => 0,
            _ => total(hypothesis.len(), n),
        };
        self.matches[order] = matches(&ngrams(hypothesis, n), &ngrams(reference, n));
    }
}

impl Metric for Chrf {
    type Counts = ChrfCounts;

    fn name(&self) -> String {
        format!("chrF{}{}", self.beta, "+".repeat(self.word_orders))
    }

    fn signature(&self, references: usize) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let space = if self.whitespace { "yes" } else { "no" };
        let words = self.word_orders;
        format!(
            "nrefs:{references}|case:{case}|eff:yes|nc:{CHARACTER_ORDERS}|nw:{words}|space:{space}|version:{VERSION}"
        )
    }

    /// The counts with the reference that gives the best score.
    fn segment(&self, hypothesis: &str, references: &[&str]) -> ChrfCounts {
        let lower = |text: &str| if self.lowercase { text.to_lowercase() } else { text.into() };
        let hypothesis = lower(hypothesis);
        let mut best: Option<(f64, ChrfCounts)> = None;
        for reference in references {
            let counts = self.pair(&hypothesis, &lower(reference));
            let score = self.score(&counts);
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, counts));
            }
        }
        best.unwrap_or_default().1
    }

    fn score(&self, counts: &ChrfCounts) -> f64 {
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
        for n in 0..CHARACTER_ORDERS + self.word_orders {
            let [hypothesis, reference, matches] =
                [counts.hypothesis[n], counts.reference[n], counts.matches[n]].map(|count| count as f64);
            if hypothesis > 0.0 && reference > 0.0 {
                precision += matches / hypothesis;
                recall += matches / reference;
                orders += 1.0;
            }
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall, factor) = (precision / orders, recall / orders, self.beta * self.beta);
        100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))
    }
}

impl Chrf {
    /// The counts of a hypothesis and one reference.
    fn pair(&self, hypothesis: &str, reference: &str) -> ChrfCounts {
        let mut counts = ChrfCounts::default();
        let characters =
            |text: &str| -> Vec<char> { text.chars().filter(|&c| self.whitespace || !is_space(c)).collect() };
        let [a, b] = [hypothesis, reference].map(characters);
        for n in 1..=CHARACTER_ORDERS {
            counts.count(n - 1, n, &a, &b);
        }
        if self.word_orders > 0 {
            let [a, b] = [hypothesis, reference].map(words);
            for n in 1..=self.word_orders {
                counts.count(CHARACTER_ORDERS + n - 1, n, &a, &b);
            }
        }
        counts
    }
}

/// The words of a text; one punctuation mark at the end of a word, or else at its start, is a word.
fn words(text: &str) -> Vec<&str> {
    let mark = |c: char| c.is_ascii_punctuation();
    let mut words = Vec::new();
    for word in split(text) {
        let (inner, rest) = (word.strip_suffix(mark), word.strip_prefix(mark));
        match (inner, rest) {
            (Some(""), _) => words.push(word),
            (Some(inner), _) => words.extend([inner, &word[inner.len()..]]),
            (None, Some(rest)) => words.extend([&word[..word.len() - rest.len()], rest]),
            (None, None) => words.push(word),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_of_a_word_is_a_word() {
        assert_eq!(words("(hi) \"x , it's ...y"), ["(hi", ")", "\"", "x", ",", "it's", ".", "..y"]);
    }

    /// "ab" and "ac": one of two characters matches, no pair does.
    #[test]
    fn by_hand() {
        let chrf = Chrf::default();
        let counts = chrf.segment("ab", &["a c"]);
        assert_eq!((counts.matches[..2].to_vec(), counts.reference[..2].to_vec()), (vec![1, 0], vec![2, 1]));
        assert!((chrf.score(&counts) - 25.0).abs() < 1e-12);
        assert_eq!(Chrf { word_orders: 2, ..chrf }.name(), "chrF2++");
    }
}
