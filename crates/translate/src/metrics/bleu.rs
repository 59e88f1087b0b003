//! BLEU (Papineni et al. 2002).

use std::iter::Sum;

use rustc_hash::FxHashMap;

use super::metric::{Metric, VERSION};
use super::ngrams::{matches, ngrams, total};
use super::words::Tokenization;

/// The longest n-grams that count.
pub const MAX_ORDER: usize = 4;

/// The share of n-grams of the hypotheses that the references have too: the geometric mean of the
/// precisions `p_n` for n from 1 to 4, times a penalty for hypotheses that are shorter than the
/// references:
///
/// `BLEU = 100 BP exp(1/4 sum_n ln p_n)`, `BP = min(1, exp(1 - r / h))`
///
/// with r and h the numbers of words of the references and of the hypotheses. Of several references, the
/// one closest in length counts, and an n-gram may match in any of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bleu {
    /// Whether upper and lower case are the same.
    pub lowercase: bool,
    /// How a sentence becomes words.
    pub tokenize: Tokenization,
    /// The precision of an order without a match.
    pub smoothing: Smoothing,
    /// Whether only the orders count that the hypothesis is long enough for: for single sentences.
    pub effective_order: bool,
}

/// The precision of an order without a match (Chen and Cherry 2014).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Smoothing {
    /// 0, so that the score is 0.
    None,
    /// This number of matches instead of 0.
    Floor(f64),
    /// Adds this to the matches and the totals of all orders but the first.
    AddK(f64),
    /// 1/2 of a match, and half of that for each further order without one.
    #[default]
    Exp,
}

/// The counts of BLEU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BleuCounts {
    /// The n-grams that the reference has too, for n from 1.
    pub matches: [u64; MAX_ORDER],
    /// The n-grams of the hypothesis.
    pub totals: [u64; MAX_ORDER],
    /// h: words of the hypothesis.
    pub hypothesis_words: u64,
    /// r: words of the reference.
    pub reference_words: u64,
}

impl Sum for BleuCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            for n in 0..MAX_ORDER {
                sum.matches[n] += counts.matches[n];
                sum.totals[n] += counts.totals[n];
            }
            sum.hypothesis_words += counts.hypothesis_words;
            sum.reference_words += counts.reference_words;
            sum
        })
    }
}

/// BLEU and its factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BleuScore {
    /// The score, from 0 to 100.
    pub score: f64,
    /// `p_n` in percent.
    pub precisions: [f64; MAX_ORDER],
    /// BP.
    pub brevity_penalty: f64,
    /// What it was computed from.
    pub counts: BleuCounts,
}

impl Bleu {
    /// The score and its factors.
    pub fn explain(&self, counts: &BleuCounts) -> BleuScore {
        let (h, r) = (counts.hypothesis_words as f64, counts.reference_words as f64);
        let brevity_penalty = match counts.hypothesis_words {
            0 if r > 0.0 => 0.0,
            _ if h < r => (1.0 - r / h).exp(),
            _ => 1.0,
        };
        let mut precisions = [0.0; MAX_ORDER];
        let result = |score, precisions| BleuScore { score, precisions, brevity_penalty, counts: *counts };
        if counts.matches == [0; MAX_ORDER] {
            return result(0.0, precisions);
        }
        let mut orders = MAX_ORDER;
        let mut halved = 1.0;
        for (n, precision) in precisions.iter_mut().enumerate() {
            let added = match self.smoothing {
                Smoothing::AddK(k) if n > 0 => k,
                _ => 0.0,
            };
            let (matches, total) = (counts.matches[n] as f64 + added, counts.totals[n] as f64 + added);
            if total == 0.0 {
                break;
            }
            if self.effective_order {
                orders = n + 1;
            }
            *precision = match self.smoothing {
                _ if matches > 0.0 => 100.0 * matches / total,
                Smoothing::Exp => {
                    halved *= 2.0;
                    100.0 / (halved * total)
                }
                Smoothing::Floor(floor) => 100.0 * floor / total,
                Smoothing::None | Smoothing::AddK(_) => 0.0,
            };
        }
        // The logarithm of 0 is minus infinity, whose exponential is 0.
        let logs: f64 = precisions[..orders].iter().map(|p| p.ln()).sum();
        result(brevity_penalty * (logs / orders as f64).exp(), precisions)
    }
}

impl Metric for Bleu {
    type Counts = BleuCounts;

    fn name(&self) -> String {
        "BLEU".into()
    }

    fn signature(&self, references: usize) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let effective = if self.effective_order { "yes" } else { "no" };
        let smoothing = match self.smoothing {
            Smoothing::None => "none".into(),
            Smoothing::Floor(floor) => format!("floor[{floor:.2}]"),
            Smoothing::AddK(k) => format!("add-k[{k:.2}]"),
            Smoothing::Exp => "exp".to_string(),
        };
        let tokenize = self.tokenize.name();
        format!(
            "nrefs:{references}|case:{case}|eff:{effective}|tok:{tokenize}|smooth:{smoothing}|version:{VERSION}"
        )
    }

    fn segment(&self, hypothesis: &str, references: &[&str]) -> BleuCounts {
        let words = |text: &str| match self.lowercase {
            true => self.tokenize.words(&text.to_lowercase()),
            false => self.tokenize.words(text),
        };
        let hypothesis = words(hypothesis);
        let references: Vec<Vec<String>> = references.iter().map(|text| words(text)).collect();
        let mut counts = BleuCounts { hypothesis_words: hypothesis.len() as u64, ..Default::default() };
        let distance = |words: &&Vec<String>| (words.len().abs_diff(hypothesis.len()), words.len());
        counts.reference_words = references.iter().min_by_key(distance).map_or(0, |words| words.len() as u64);
        for n in 1..=MAX_ORDER {
            // An n-gram may match as often as in the reference that has it most often.
            let mut most = FxHashMap::default();
            for (ngram, count) in references.iter().flat_map(|words| ngrams(words, n)) {
                let largest: &mut u64 = most.entry(ngram).or_default();
                *largest = count.max(*largest);
            }
            counts.matches[n - 1] = matches(&ngrams(&hypothesis, n), &most);
            counts.totals[n - 1] = total(hypothesis.len(), n);
        }
        counts
    }

    fn score(&self, counts: &BleuCounts) -> f64 {
        self.explain(counts).score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four of five words match, three of four pairs, two of three triples, one of two quadruples.
    #[test]
    fn by_hand() {
        let bleu = Bleu::default();
        let counts = bleu.segment("a b c d x", &["a b c d e f"]);
        assert_eq!((counts.matches, counts.totals), ([4, 3, 2, 1], [5, 4, 3, 2]));
        let want = 100.0 * (1.0 - 6.0_f64 / 5.0).exp() * (0.8 * 0.75 * (2.0 / 3.0) * 0.5_f64).powf(0.25);
        assert!((bleu.score(&counts) - want).abs() < 1e-12);
    }

    #[test]
    fn the_closest_reference_counts_and_the_shorter_of_two() {
        let words = |references: &[&str]| Bleu::default().segment("a b c d", references).reference_words;
        assert_eq!(words(&["a b c d e f g", "a b c"]), 3);
        assert_eq!(words(&["a b c d e", "a b c"]), 3);
        assert_eq!(words(&["a b", "a b c d e"]), 5);
        let counts = Bleu::default().segment("a a a", &["a", "a a b"]);
        assert_eq!(counts.matches[..2], [2, 1]);
    }
}
