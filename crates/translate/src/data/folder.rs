//! A prepared folder: the tokens of pairs, their tokenizer, and a description of both.
//!
//! ```text
//! pairs.json                           the description, by which the others are checked
//! tokenizer.json                       the tokenizer of both languages
//! train.source.bin  train.target.bin   tokens, each sentence with its end token
//! val.source.bin    val.target.bin
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};

use m2g_core::{Error, atomic};
use m2g_text::prepare::check_replaceable;
use m2g_text::token_file::{TokenWriter, Width, read_json, tokenizer_sha256};
use m2g_text::{TextError, TokenData, Tokenizer};
use serde::{Deserialize, Serialize};

use super::pairs::{Pairs, Sentences, check_not_empty};
use super::text::TextPair;
use super::vocabulary::{self, specials, tokenizer_for};

/// The description of the other files.
pub const META: &str = "pairs.json";
const TOKENIZER: &str = "tokenizer.json";
const FILES: [&str; 4] = ["train.source.bin", "train.target.bin", "val.source.bin", "val.target.bin"];
/// Tokens that are written at a time.
const TOKENS_PER_WRITE: usize = 1 << 16;
/// The version of this format.
const FORMAT: u32 = 1;

/// The contents of `pairs.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairsMeta {
    /// The version of this format: 1.
    pub format: u32,
    /// V, the number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// How a token is stored.
    pub dtype: Width,
    /// Training pairs.
    pub train_pairs: usize,
    /// Validation pairs.
    pub val_pairs: usize,
    /// The files of the text.
    pub sources: Vec<String>,
    /// One sentence for each kind of change: what was cleaned, what was dropped.
    pub reports: Vec<String>,
    /// SHA-256 of the files with tokens: training source and target, validation source and target.
    pub sha256: [String; 4],
    /// SHA-256 of the tokenizer.
    pub tokenizer_sha256: String,
}

/// The settings of [`prepare`].
#[derive(Debug, Clone)]
pub struct Prepare<'a> {
    /// The pairs to train on.
    pub train: &'a [TextPair],
    /// The validation pairs.
    pub val: &'a [TextPair],
    /// Where they come from.
    pub sources: Vec<String>,
    /// What was cleaned.
    pub reports: Vec<String>,
    /// The name of the tokenizer to learn, or that of an existing model.
    pub tokenizer: Result<&'a Tokenizer, &'a str>,
    /// Longer pairs are dropped.
    pub max_length: usize,
    /// The folder to create.
    pub out: PathBuf,
    /// Whether to replace an existing prepared folder.
    pub overwrite: bool,
}

/// Whether a folder is a prepared folder of pairs, complete or not.
pub fn is_prepared(folder: &Path) -> bool {
    folder.join(META).is_file()
}

/// Creates a prepared folder, completely or not at all.
///
/// # Errors
/// [`TextError`] if no pairs are left, or the folder exists or cannot be written.
pub fn prepare(settings: &Prepare<'_>) -> Result<PairsMeta, TextError> {
    let out = &settings.out;
    let own = [&[META, TOKENIZER][..], &FILES].concat();
    let may_replace = || check_replaceable(out, is_prepared, settings.overwrite, &own);
    may_replace()?;
    let tokenizer = match settings.tokenizer {
        Ok(tokenizer) => tokenizer.clone(),
        Err(name) => tokenizer_for(name, "", settings.train)?,
    };
    let source = settings.sources.join(", ");
    let mut reports = settings.reports.clone();
    let learned = settings.tokenizer.is_err();
    let mut encode = |split: &str, pairs: &[TextPair]| {
        let max_length = settings.max_length;
        Pairs::encode_split((&source, split), pairs, (&tokenizer, learned), max_length, &mut reports)
    };
    let (train, val) = (encode("training", settings.train)?, encode("validation", settings.val)?);
    check_not_empty(&source, (&train, &val), &reports)?;
    reports.extend(settings.tokenizer.err().and_then(|name| vocabulary::report(name, "", &tokenizer)));
    let vocab_size = tokenizer.vocab_size();
    let dtype = Width::of(vocab_size);
    let json = |value: serde_json::Result<String>| value.map_err(|e| Error::Other(Box::new(e)));
    let tokenizer_json = json(serde_json::to_string(&tokenizer))?;
    atomic::folder(out, may_replace, |new| {
        let mut sha256: [String; 4] = Default::default();
        let sides = [&train.source, &train.target, &val.source, &val.target];
        for ((name, sentences), sha256) in FILES.iter().zip(sides).zip(&mut sha256) {
            atomic::write(&new.join(name), |file| {
                let mut writer = TokenWriter::new(file, dtype);
                sentences.ids().chunks(TOKENS_PER_WRITE).try_for_each(|ids| writer.write(ids))?;
                *sha256 = writer.finish().1;
                Ok(())
            })?;
        }
        let meta = PairsMeta {
            format: FORMAT,
            vocab_size,
            dtype,
            train_pairs: train.len(),
            val_pairs: val.len(),
            sources: settings.sources.clone(),
            reports,
            sha256,
            tokenizer_sha256: tokenizer_sha256(&tokenizer),
        };
        let meta_json = json(serde_json::to_string_pretty(&meta))?;
        for (name, text) in [(TOKENIZER, tokenizer_json), (META, meta_json)] {
            atomic::write(&new.join(name), |file| writeln!(file, "{text}"))?;
        }
        Ok(meta)
    })
}

/// The contents of a prepared folder.
#[derive(Debug)]
pub(super) struct PreparedPairs {
    pub train: Pairs,
    pub val: Pairs,
    pub tokenizer: Tokenizer,
    pub meta: PairsMeta,
}

/// Opens a prepared folder and checks its files against each other.
///
/// # Errors
/// [`TextError`] if a file is missing, is damaged or does not belong to the others.
pub(super) fn open(folder: &Path) -> Result<PreparedPairs, TextError> {
    let again = |name: &str, why: String| {
        TextError::file(&folder.join(name), format!("{why}: prepare the pairs again"))
    };
    let meta: PairsMeta = read_json(folder, META, MAX_JSON_BYTES)?;
    if meta.format != FORMAT {
        return Err(again(
            META,
            format!("its format is {}, but this program reads format {FORMAT}", meta.format),
        ));
    }
    let tokenizer: Tokenizer = read_json(folder, TOKENIZER, MAX_JSON_BYTES)?;
    if tokenizer_sha256(&tokenizer) != meta.tokenizer_sha256 {
        return Err(again(TOKENIZER, format!("it is not the tokenizer that {META} describes")));
    }
    let end = specials(&tokenizer)?.end;
    let mut sentences = Vec::new();
    for (name, sha256) in FILES.iter().zip(&meta.sha256) {
        let data = TokenData::open(&folder.join(name), meta.dtype, tokenizer.vocab_size())?;
        if data.sha256() != sha256 {
            return Err(again(name, format!("it is not the file that {META} describes (wrong SHA-256)")));
        }
        sentences.push(Sentences::split(data.to_vec()?, end));
    }
    let lengths: Vec<usize> = sentences.iter().map(Sentences::len).collect();
    let (t, v) = (meta.train_pairs, meta.val_pairs);
    if lengths != [t, t, v, v] {
        return Err(again(
            META,
            format!("it describes {t} and {v} pairs, but the files have {lengths:?} sentences"),
        ));
    }
    let mut sides = sentences.into_iter();
    let mut pairs =
        || Pairs { source: sides.next().unwrap_or_default(), target: sides.next().unwrap_or_default() };
    let (train, val) = (pairs(), pairs());
    Ok(PreparedPairs { train, val, tokenizer, meta })
}

/// The largest `pairs.json` or `tokenizer.json` in bytes.
const MAX_JSON_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::super::corpus::Corpus;
    use super::*;
    use crate::Config;

    fn pairs(n: usize) -> Vec<TextPair> {
        let pair = |i| TextPair { source: format!("sentence {i}"), target: format!("Satz {i}") };
        (0..n).map(pair).collect()
    }

    fn settings<'a>(train: &'a [TextPair], val: &'a [TextPair], out: PathBuf) -> Prepare<'a> {
        Prepare {
            train,
            val,
            sources: vec!["a.tsv".into()],
            reports: Vec::new(),
            tokenizer: Err("bpe:280"),
            max_length: 100,
            out,
            overwrite: false,
        }
    }

    #[test]
    fn a_folder_holds_the_pairs() {
        let dir = tempfile::tempdir().unwrap();
        let (train, val, out) = (pairs(30), pairs(3), dir.path().join("out"));
        let meta = prepare(&settings(&train, &val, out.clone())).unwrap();
        assert_eq!((meta.train_pairs, meta.val_pairs, meta.vocab_size), (30, 3, 280));
        let config = Config { data: out.display().to_string(), ..Config::default() };
        let corpus = Corpus::load(&config, None).unwrap();
        let decode = |ids: &[u32]| corpus.tokenizer.decode_without_special(ids);
        assert_eq!(decode(corpus.train.source.get(29)), "sentence 29");
        assert_eq!(decode(corpus.val.target.get(2)), "Satz 2");
        assert!(prepare(&settings(&train, &val, out.clone())).unwrap_err().to_string().contains("overwrite"));
        let again = Prepare { overwrite: true, ..settings(&train, &val, out) };
        assert_eq!(prepare(&again).unwrap(), meta);
        let notes = again.out.join("notes.md");
        fs::write(&notes, "mine").unwrap();
        let refused = prepare(&again).unwrap_err().to_string();
        assert!(refused.contains("holds notes.md, which is no part of a prepared folder"), "{refused}");
        fs::remove_file(&notes).unwrap();
        // A vocabulary of words that the validation pairs do not keep to.
        let foreign = [TextPair::from(["sentence x", "Satz"])];
        for tokenizer in ["word", "char"] {
            let out = dir.path().join(tokenizer);
            let words = Prepare { tokenizer: Err(tokenizer), ..settings(&train, &foreign, out) };
            let error = prepare(&words).unwrap_err().to_string();
            assert!(
                error.contains("have \"x\", which the training pairs lack: choose"),
                "{tokenizer}: {error}"
            );
        }
        let other = settings(&train, &val, dir.path().to_path_buf());
        assert!(prepare(&other).unwrap_err().to_string().contains("never replaced"));
        // Another vocabulary than the model's.
        let byte = tokenizer_for("byte", "", &train).unwrap();
        assert!(Corpus::load(&config, Some(&byte)).unwrap_err().to_string().contains("another vocabulary"));
        // Shorter pairs only.
        let short = Config { max_length: 2, ..config };
        assert!(Corpus::load(&short, None).unwrap_err().to_string().contains("no training pairs left"));
    }

    #[test]
    fn files_that_do_not_belong_together_are_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let (train, val, out) = (pairs(30), pairs(3), dir.path().join("out"));
        let meta = prepare(&settings(&train, &val, out.clone())).unwrap();
        let json = serde_json::to_string(&meta).unwrap();
        let tokens = fs::read(out.join(FILES[0])).unwrap();
        for (name, content, why) in [
            (META, json.replace("\"format\":1", "\"format\":2"), "format is 2"),
            (META, json.replace("\"train_pairs\":30", "\"train_pairs\":31"), "describes 31"),
            (META, "[".into(), "damaged"),
            (TOKENIZER, r#"{"kind":"byte"}"#.into(), "not the tokenizer"),
            (FILES[0], String::from_utf8_lossy(&tokens[..tokens.len() - 1]).into_owned(), ""),
            (FILES[3], "a\0".into(), "wrong SHA-256"),
        ] {
            let path = out.join(name);
            let old = fs::read(&path).unwrap();
            fs::write(&path, content).unwrap();
            let error = open(&out).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(name), "{name} {why}: {error}");
            fs::remove_file(&path).unwrap();
            assert!(open(&out).unwrap_err().to_string().contains(name));
            fs::write(&path, old).unwrap();
        }
        open(&out).unwrap();
    }
}
