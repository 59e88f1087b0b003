//! BLEU of one sentence, as the metrics of the translate crate compute it.

use std::collections::BTreeMap;

use m2g_exercises::Input;
use m2g_translate::metrics::{Bleu, Metric, Tokenization};

use crate::exercise::{Exercise, Mistake, sources};

pub const EXERCISE: Exercise = Exercise {
    name: "bleu",
    sources: sources!("34_bleu"),
    inputs: &["hypothesis", "reference"],
    outputs: &["BLEU"],
    cases: |_| {
        let case = |hypothesis: &[usize], reference: &[usize]| {
            vec![hypothesis.to_vec().into(), reference.to_vec().into()]
        };
        vec![
            case(&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]),
            case(&[1, 2, 3, 4, 9, 6, 7], &[1, 2, 3, 4, 5]),
            // A word, and a pair of words, that both have twice.
            case(&[1, 2, 3, 4, 1, 2, 5], &[1, 2, 3, 4, 1, 2, 6]),
            // Too short, with a word more often than in the reference.
            case(&[1, 2, 3, 4, 4, 1, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ]
    },
    reference: |input| {
        let words = |ids: Vec<usize>| ids.iter().map(|id| format!("w{id}")).collect::<Vec<_>>().join(" ");
        let (hypothesis, reference) = (words(input.ids()), words(input.ids()));
        let bleu = Bleu { tokenize: Tokenization::None, ..Bleu::default() };
        Ok(bleu.score(&bleu.segment(&hypothesis, &[&reference])).into())
    },
    gradient: None,
    groups: &[],
    mistakes: &[
        Mistake {
            name: "no_clipping",
            answer: |input| {
                let found = Counts::of(input, Counting::Unlimited);
                (100.0 * found.brevity * found.geometric()).into()
            },
        },
        Mistake {
            name: "once",
            answer: |input| {
                let found = Counts::of(input, Counting::Once);
                (100.0 * found.brevity * found.geometric()).into()
            },
        },
        Mistake {
            name: "no_brevity",
            answer: |input| (100.0 * Counts::of(input, Counting::Clipped).geometric()).into(),
        },
        Mistake {
            name: "arithmetic",
            answer: |input| {
                let found = Counts::of(input, Counting::Clipped);
                (100.0 * found.brevity * found.precisions.iter().sum::<f64>() / 4.0).into()
            },
        },
        Mistake {
            name: "share",
            answer: |input| {
                let found = Counts::of(input, Counting::Clipped);
                (found.brevity * found.geometric()).into()
            },
        },
    ],
};

/// How often an n-gram that the reference has may count.
#[derive(Clone, Copy, PartialEq)]
enum Counting {
    /// As often as the reference has it.
    Clipped,
    /// As often as the hypothesis has it.
    Unlimited,
    /// At most once.
    Once,
}

struct Counts {
    precisions: [f64; 4],
    brevity: f64,
}

impl Counts {
    /// The precisions and the brevity penalty.
    fn of(input: &mut Input, counting: Counting) -> Self {
        let (hypothesis, reference) = (input.ids(), input.ids());
        let precision = |n: usize| {
            let mut left: BTreeMap<&[usize], usize> = BTreeMap::new();
            for gram in reference.windows(n) {
                let count = left.entry(gram).or_default();
                *count = if counting == Counting::Once { 1 } else { *count + 1 };
            }
            let matches = hypothesis.windows(n).filter(|gram| {
                let found = left.get_mut(gram).filter(|count| **count > 0);
                found.map(|count| *count -= usize::from(counting != Counting::Unlimited)).is_some()
            });
            matches.count() as f64 / hypothesis.windows(n).count() as f64
        };
        let precisions = [1, 2, 3, 4].map(precision);
        let (h, r) = (hypothesis.len() as f64, reference.len() as f64);
        Self { precisions, brevity: if h > r { 1.0 } else { (1.0 - r / h).exp() } }
    }

    fn geometric(&self) -> f64 {
        self.precisions.iter().product::<f64>().powf(0.25)
    }
}
