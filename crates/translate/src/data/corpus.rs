//! A corpus: all splits of a data set as tokens, by the name of the data.

use std::collections::BTreeSet;
use std::path::Path;

use m2g_core::error::{did_you_mean, nearest};
use m2g_core::rng::{Streams, permutation};
use m2g_text::token_file::fingerprint_of_sha256;
use m2g_text::{TextError, Tokenizer};

use super::folder::{PreparedPairs, is_prepared, open};
use super::pairs::{Pairs, check_not_empty};
use super::text::{TextPair, TextSplits, read_tsv};
use super::vocabulary::{Specials, specials, tokenizer_for};
use super::{grammar, multi30k, toys, vocabulary};
use crate::Config;

/// The most validation pairs that are held out of data without a validation split.
const VAL_PAIRS: usize = 1000;
/// At most every tenth pair is held out.
const ONE_IN: usize = 10;

/// What a translation model is trained on.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The pairs to train on.
    pub train: Pairs,
    /// The pairs by which the best model is chosen.
    pub val: Pairs,
    /// Pairs to look at once, by name.
    pub tests: Vec<(String, Pairs)>,
    /// The tokenizer of both languages.
    pub tokenizer: Tokenizer,
    /// Where the pairs come from, for messages.
    pub source: String,
    /// A hash of the tokens and the tokenizer.
    pub fingerprint: String,
    /// One sentence for each kind of change: what was cleaned, what was dropped.
    pub reports: Vec<String>,
}

impl Corpus {
    /// Loads the data of a configuration, with the tokenizer of an existing model if given: a toy, the
    /// grammar, two languages of Multi30k, a prepared folder, or a file with tabs.
    ///
    /// # Errors
    /// [`TextError`] if there is no such data, or it cannot be used.
    pub fn load(config: &Config, tokenizer: Option<&Tokenizer>) -> Result<Self, TextError> {
        let (data, path) = (&config.data[..], Path::new(&config.data));
        if let Some(splits) = named(data) {
            return Self::encode(splits?, config, tokenizer);
        }
        if is_prepared(path) {
            let PreparedPairs { train, val, tokenizer: own, meta } = open(path)?;
            if tokenizer.is_some_and(|tokenizer| *tokenizer != own) {
                let why = "it was prepared with another vocabulary than that of the model: prepare it with the \
                           tokenizer of the run";
                return Err(TextError::file(path, why));
            }
            let mut reports = meta.reports;
            let mut keep = |name: &str, pairs: Pairs| {
                let (pairs, dropped) = pairs.up_to(config.max_length);
                reports.extend(dropped.reports(name, config.max_length));
                pairs
            };
            let (train, val) = (keep("training", train), keep("validation", val));
            return Self::new((train, val, Vec::new()), own, data.into(), reports);
        }
        if path.is_file() {
            let (pairs, mut reports) = read_tsv(path)?;
            let HeldOut { train, val, report } = hold_out(pairs);
            reports.extend(report);
            let splits = TextSplits { name: data.into(), train, val, tests: Vec::new(), reports };
            return Self::encode(splits, config, tokenizer);
        }
        let why = match path.is_dir() {
            true => "it is a folder, but not one that prepare made".into(),
            false => {
                let pairs: Vec<String> = multi30k::names().collect();
                let built_in = [grammar::NAME].into_iter().chain(toys::NAMES);
                let nearest = nearest(data, built_in.chain(pairs.iter().map(String::as_str)));
                format!(
                    "there is no such file or folder{}, and the built-in data are {}, {}, and {}-de-en and other \
                     pairs of de, en, fr",
                    did_you_mean(nearest),
                    grammar::NAME,
                    toys::NAMES.join(", "),
                    multi30k::NAME
                )
            }
        };
        Err(TextError::Text { source_name: data.into(), why })
    }

    fn encode(splits: TextSplits, config: &Config, known: Option<&Tokenizer>) -> Result<Self, TextError> {
        let tokenizer = match known {
            Some(tokenizer) => tokenizer.clone(),
            None => tokenizer_for(&config.tokenizer, &config.data, &splits.train)?,
        };
        let TextSplits { name, train, val, tests, mut reports } = splits;
        let made = known.is_none().then_some(&tokenizer);
        let smaller = made.and_then(|made| vocabulary::report(&config.tokenizer, &config.data, made));
        // Takes the text of a split, which is not needed any more.
        let mut encode = |split: &str, pairs: Vec<TextPair>| {
            let tokenizer = (&tokenizer, known.is_none());
            Pairs::encode_split((&name, split), &pairs, tokenizer, config.max_length, &mut reports)
        };
        let (train, val) = (encode("training", train)?, encode("validation", val)?);
        let tests = tests.into_iter().map(|(name, pairs)| Ok((name.clone(), encode(&name, pairs)?)));
        let tests = tests.collect::<Result<_, TextError>>()?;
        let mut corpus = Self::new((train, val, tests), tokenizer, name, reports)?;
        corpus.reports.extend(smaller);
        Ok(corpus)
    }

    /// A corpus of these parts.
    ///
    /// # Errors
    /// [`TextError`] if there are no training or no validation pairs, or the tokenizer lacks special tokens.
    fn new(
        (train, val, tests): (Pairs, Pairs, Vec<(String, Pairs)>),
        tokenizer: Tokenizer,
        source: String,
        reports: Vec<String>,
    ) -> Result<Self, TextError> {
        specials(&tokenizer)?;
        check_not_empty(&source, (&train, &val), &reports)?;
        let parts = [train.sha256(), val.sha256()];
        let fingerprint = fingerprint_of_sha256(&tokenizer, parts.iter().flatten().map(String::as_str));
        Ok(Self { train, val, tests, tokenizer, source, fingerprint, reports })
    }

    /// The special tokens of the tokenizer.
    pub fn specials(&self) -> Specials {
        Specials::of(&self.tokenizer).expect("the tokenizer was checked")
    }
}

/// Whether data of this name is built in or downloaded, so that no file or folder is meant.
pub fn is_built_in(name: &str) -> bool {
    name == grammar::NAME || toys::NAMES.contains(&name) || multi30k::languages(name).is_some()
}

/// The data of this name, if it [is built in](is_built_in).
fn named(name: &str) -> Option<Result<TextSplits, TextError>> {
    if let Some(splits) = multi30k::splits(name) {
        return Some(splits);
    }
    let splits = if name == grammar::NAME { Some(grammar::splits()) } else { toys::splits(name) };
    splits.map(Ok)
}

/// Training pairs, and validation pairs that were held out of them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The pairs to train on.
    pub train: Vec<TextPair>,
    /// The pairs by which the best model is chosen.
    pub val: Vec<TextPair>,
    /// A sentence, if some were drawn that the training pairs have too.
    pub report: Option<String>,
}

/// Training and validation pairs: of the pairs with text on both sides a tenth, but at most 1000, is held
/// out at random, the same in every run. A validation pair that is among the training pairs too is dropped, unless
/// all are.
pub fn hold_out(mut pairs: Vec<TextPair>) -> HeldOut {
    let usable = pairs.iter().filter(|pair| !pair.lacks_text()).count();
    let held_out = (usable / ONE_IN).clamp(usize::from(usable > 1), VAL_PAIRS);
    let order = permutation(&mut Streams::new(1).stream("validation", 0), pairs.len() as u32);
    let drawn = order.iter().map(|&i| i as usize).filter(|&i| !pairs[i].lacks_text()).take(held_out);
    let mut is_val = vec![false; pairs.len()];
    drawn.for_each(|i| is_val[i] = true);
    let mut is_val = is_val.into_iter();
    let mut val: Vec<TextPair> = pairs.extract_if(.., |_| is_val.next() == Some(true)).collect();
    let drawn: BTreeSet<&TextPair> = val.iter().collect();
    let known: BTreeSet<&TextPair> = pairs.iter().filter(|pair| drawn.contains(pair)).collect();
    let (all, n) = (val.len(), val.iter().filter(|pair| known.contains(pair)).count());
    let report = match n {
        0 => None,
        n if n == all => Some(
            "all validation pairs are training pairs too, so validation measures what was memorised: prepare \
             the text with other validation pairs"
                .into(),
        ),
        n => {
            val.retain(|pair| !known.contains(pair));
            let why = match n {
                1 => "was dropped: it is a training pair",
                _ => "were dropped: they are training pairs",
            };
            Some(format!("{n} of the {all} validation pairs {why} too"))
        }
    };
    HeldOut { train: pairs, val, report }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn config(data: &str, tokenizer: &str) -> Config {
        Config { data: data.into(), tokenizer: tokenizer.into(), ..Config::default() }
    }

    #[test]
    fn built_in_data_is_loaded_by_name() {
        let corpus = Corpus::load(&config("dates", "auto"), None).unwrap();
        assert_eq!((corpus.train.len(), corpus.val.len(), corpus.tests[0].1.len()), (20_000, 500, 1_000));
        assert!(corpus.tokenizer.vocab_size() < 50 && corpus.reports.is_empty());
        let again = Corpus::load(&config("dates", "auto"), Some(&corpus.tokenizer)).unwrap();
        assert_eq!(again.fingerprint, corpus.fingerprint);
        let copy = Corpus::load(&config("copy", "auto"), None).unwrap();
        assert_ne!(copy.fingerprint, corpus.fingerprint);
        assert_eq!(copy.tokenizer.vocab_size(), 16 + 3, "the letters and the special tokens");
        assert!(["dates", "grammar", "multi30k-en-fr"].into_iter().all(is_built_in) && !is_built_in("a.tsv"));
        let error = Corpus::load(&config("datse", "auto"), None).unwrap_err().to_string();
        assert!(
            error.starts_with("datse: there is no such file or folder (did you mean dates?)")
                && error.contains("grammar, copy"),
            "{error}"
        );
        let error = Corpus::load(&config("mutli30k-en-de", "auto"), None).unwrap_err().to_string();
        assert!(error.contains("did you mean multi30k-en-de?"), "{error}");
    }

    #[test]
    fn a_file_is_split_and_its_faults_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tsv");
        let lines: String = (0..50).map(|i| format!("número {i}\tnumber {i}\n")).collect();
        fs::write(&path, lines + "\tempty\n" + &"x".repeat(300) + "\tlong\n").unwrap();
        let config = config(path.to_str().unwrap(), "byte");
        let corpus = Corpus::load(&config, None).unwrap();
        assert_eq!(corpus.train.len() + corpus.val.len(), 50);
        assert!((4..=5).contains(&corpus.val.len()));
        assert_eq!(corpus.reports.len(), 2, "{:?}", corpus.reports);
        fs::write(&path, "\tempty\na\t\n").unwrap();
        let error = Corpus::load(&config, None).unwrap_err().to_string();
        assert!(error.contains("a.tsv: it has no training pairs left: 2 of the"), "{error}");
        let lines: String = (0..50).map(|i| format!("número n{i}\tnumber n{i}\n")).collect();
        fs::write(&path, lines).unwrap();
        let error = Corpus::load(&Config { tokenizer: "word".into(), ..config.clone() }, None).unwrap_err();
        assert!(error.to_string().contains("a.tsv: its validation pairs, a tenth of all"), "{error}");
        fs::write(&path, "\ta\nuno\tone\n\tb\ndos\ttwo\nc\t\n").unwrap();
        let corpus = Corpus::load(&config, None).unwrap();
        assert_eq!((corpus.train.len(), corpus.val.len()), (1, 1), "drawn from what can be used");
        fs::write(&path, "").unwrap();
        assert!(Corpus::load(&config, None).unwrap_err().to_string().contains("no training pairs"));
        let error = Corpus::load(&Config { data: dir.path().display().to_string(), ..config }, None);
        assert!(error.unwrap_err().to_string().contains("not one that prepare made"));
    }

    #[test]
    fn validation_pairs_are_no_training_pairs() {
        let line = |i: usize| TextPair { source: format!("número {i}"), target: format!("number {i}") };
        let HeldOut { train, val, report } = hold_out((0..100).map(line).collect());
        assert_eq!((train.len(), val.len(), report), (90, 10, None));
        // Of 400 lines, a hundred are there three times.
        let lines: Vec<TextPair> =
            (0..100).flat_map(|i| [line(i), line(i), line(i)]).chain((100..400).map(line)).collect();
        let HeldOut { train, val, report } = hold_out(lines);
        assert_eq!(train.len(), 540, "what is trained on is the same");
        assert!(!val.is_empty() && val.iter().all(|pair| !train.contains(pair)));
        let dropped = 60 - val.len();
        let want = format!("{dropped} of the 60 validation pairs were dropped: they are training pairs too");
        assert!(dropped > 1 && report == Some(want), "{report:?}");
        // Nothing else could be measured.
        let HeldOut { train, val, report } = hold_out(vec![line(1); 40]);
        assert_eq!((train.len(), val.len()), (36, 4));
        assert!(report.unwrap().starts_with("all validation pairs are training pairs too"));
    }
}
