//! BLEU and chrF against sacreBLEU 2.6.0: `tests/bleu` holds sentences and the scores of the Python
//! package. `make_random.py` wrote the random ones.
#![allow(clippy::unwrap_used)]

use std::fs;

use m2g_translate::metrics::{Bleu, Chrf, Metric, MetricError, Smoothing, Tokenization, paired_bootstrap};
use proptest::prelude::*;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bleu");
/// The largest difference to the Python package.
const TOLERANCE: f64 = 1e-9;

fn read(name: &str) -> String {
    fs::read_to_string(format!("{FOLDER}/{name}")).unwrap()
}

/// The lines of a file, or those in the JSON.
fn lines(value: &Value) -> Vec<String> {
    match value.as_str() {
        Some(name) => read(name).lines().map(String::from).collect(),
        None => serde_json::from_value(value.clone()).unwrap(),
    }
}

fn references(case: &Value) -> Vec<Vec<String>> {
    case["refs"].as_array().unwrap().iter().map(lines).collect()
}

fn bleu(options: &Value) -> Bleu {
    let is = |name: &str| options[name].as_bool().unwrap_or(false);
    let value = options["smooth_value"].as_f64();
    Bleu {
        lowercase: is("lowercase"),
        effective_order: is("effective_order"),
        tokenize: match options["tokenize"].as_str() {
            Some("none") => Tokenization::None,
            _ => Tokenization::V13a,
        },
        smoothing: match options["smooth_method"].as_str() {
            Some("none") => Smoothing::None,
            Some("floor") => Smoothing::Floor(value.unwrap()),
            Some("add-k") => Smoothing::AddK(value.unwrap()),
            _ => Smoothing::Exp,
        },
    }
}

fn chrf(options: &Value) -> Chrf {
    let is = |name: &str| options[name].as_bool().unwrap_or(false);
    Chrf {
        word_orders: options["word_order"].as_u64().unwrap_or(0) as usize,
        beta: options["beta"].as_f64().unwrap_or(2.0),
        lowercase: is("lowercase"),
        whitespace: is("whitespace"),
    }
}

#[track_caller]
fn close(got: f64, want: &Value, what: &Value) {
    let want = want.as_f64().unwrap();
    assert!((got - want).abs() <= TOLERANCE, "{what}: {got}, but sacreBLEU says {want}");
}

#[test]
fn scores_of_real_use() {
    let expected: Value = serde_json::from_str(&read("expected.json")).unwrap();
    let cases = expected["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 29);
    for case in cases {
        let (hypotheses, references, what) = (lines(&case["hyp"]), references(case), &case["name"]);
        let signature = match case["metric"].as_str().unwrap() {
            "chrf" => {
                let chrf = chrf(&case["options"]);
                let counts = chrf.corpus(&hypotheses, &references).unwrap();
                close(chrf.score(&counts), &case["score"], what);
                chrf.signature(references.len())
            }
            _ => {
                let bleu = bleu(&case["options"]);
                let got = bleu.explain(&bleu.corpus(&hypotheses, &references).unwrap());
                close(got.score, &case["score"], what);
                close(got.brevity_penalty, &case["bp"], what);
                close(got.counts.hypothesis_words as f64, &case["sys_len"], what);
                close(got.counts.reference_words as f64, &case["ref_len"], what);
                // The Python package adds k to the counts that it reports.
                let k = |n| if n > 0 && matches!(bleu.smoothing, Smoothing::AddK(_)) { 1 } else { 0 };
                for n in 0..4 {
                    close(got.precisions[n], &case["precisions"][n], what);
                    close((got.counts.matches[n] + k(n)) as f64, &case["counts"][n], what);
                    close((got.counts.totals[n] + k(n)) as f64, &case["totals"][n], what);
                }
                bleu.signature(references.len())
            }
        };
        assert_eq!(Value::from(signature), case["signature"], "{what}");
    }
}

#[test]
fn scores_of_random_corpora() {
    let cases: Vec<Value> = serde_json::from_str(&read("random.json")).unwrap();
    for case in &cases {
        let (hypotheses, references) = (lines(&case["hyp"]), references(case));
        let (bleu, chrf) = (bleu(&case["bleu"]), chrf(&case["chrf"]));
        let score = bleu.score(&bleu.corpus(&hypotheses, &references).unwrap());
        close(score, &case["bleu_score"], case);
        close(chrf.score(&chrf.corpus(&hypotheses, &references).unwrap()), &case["chrf_score"], case);
        let signature = |metric: String| metric.replace("nrefs:1", &format!("nrefs:{}", references.len()));
        assert_eq!(case["signatures"][0], signature(bleu.signature(1)), "{case}");
        assert_eq!(case["signatures"][1], signature(chrf.signature(1)), "{case}");
        assert_eq!(case["chrf_name"], chrf.name());
    }
}

#[test]
fn corpora_that_do_not_fit_are_refused() {
    let bleu = Bleu::default();
    assert_eq!(bleu.corpus::<&str>(&[], &[vec![]]), Err(MetricError::Empty));
    assert_eq!(bleu.corpus(&["a"], &[]), Err(MetricError::Empty));
    let error = bleu.corpus(&["a", "b"], &[vec!["a", "b"], vec!["a"]]).unwrap_err().to_string();
    assert!(error.starts_with("there are 2 translations, but 1 references"), "{error}");
}

proptest! {
    #[test]
    fn a_perfect_translation_scores_100(words in "[a-zé]{1,6}( [a-z,.0-9]{1,5}){3,12}") {
        let lines = [words.clone(), words];
        let bleu = Bleu::default();
        let score = bleu.score(&bleu.corpus(&lines, &[lines.to_vec()]).unwrap());
        prop_assert!((score - 100.0).abs() < 1e-9, "{}", score);
        let chrf = Chrf::default();
        prop_assert!((chrf.score(&chrf.corpus(&lines, &[lines.to_vec()]).unwrap()) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn scores_are_percentages(a in "\\PC{0,40}", b in "\\PC{0,40}") {
        for lowercase in [false, true] {
            let (bleu, chrf) = (Bleu { lowercase, ..Bleu::default() }, Chrf { lowercase, ..Chrf::default() });
            for score in [bleu.score(&bleu.segment(&a, &[&b])), chrf.score(&chrf.segment(&a, &[&b]))] {
                prop_assert!((0.0..=100.0 + 1e-9).contains(&score), "{}", score);
            }
        }
    }

    /// A swapped pair of systems gives the negative difference and interval.
    #[test]
    fn the_interval_of_a_difference_is_antisymmetric(texts in prop::collection::vec("[ab] [ab] [ab] [ab] c", 3..9)) {
        let bleu = Bleu::default();
        let references: Vec<String> = texts.iter().map(|_| "a b a b c".into()).collect();
        let system = bleu.segments(&texts, std::slice::from_ref(&references)).unwrap();
        let baseline = bleu.segments(&references, std::slice::from_ref(&references)).unwrap();
        let there = paired_bootstrap(&bleu, &system, &baseline, 40, 3);
        let back = paired_bootstrap(&bleu, &baseline, &system, 40, 3);
        prop_assert_eq!((there.low, there.high, there.p), (-back.high, -back.low, back.p));
    }
}
