//! A corpus: the training and the validation split of a text as tokens.

use std::path::Path;

use m2g_text::prepare::{Encode, Encoded, TokenizerChoice};
use m2g_text::source::{DocumentSeparator, PIPED, STANDARD_INPUT};
use m2g_text::token_file::{
    self, NanoGptFolder, PreparedText, fingerprint, fingerprint_of_ids, is_nanogpt, is_prepared,
};
use m2g_text::{Documents, Source, TextError, TokenData, Tokenizer, TokenizerKind};

use super::{copy_task, own_text};
use crate::Config;

/// The share of the text in the validation split, as in nanoGPT.
const VAL_FRACTION: f64 = 0.1;

/// What a GPT is trained on.
#[derive(Debug)]
pub struct Corpus {
    /// The training split: the first nine tenths of the characters.
    pub train: TokenData,
    /// The validation split: the rest.
    pub val: TokenData,
    /// The tokenizer of both; `None` for token ids without text.
    pub tokenizer: Option<Tokenizer>,
    /// V, the number of tokens: ids are below it.
    pub vocab_size: usize,
    /// Where the text comes from, for messages.
    pub source: String,
    /// A hash of the tokens and the tokenizer. The same text has the same fingerprint,
    /// prepared or not.
    pub fingerprint: String,
    /// One sentence for each kind of change that cleaning made.
    pub reports: Vec<String>,
}

impl Corpus {
    /// A corpus of these parts.
    pub fn new(
        train: TokenData,
        val: TokenData,
        tokenizer: Tokenizer,
        source: String,
        reports: Vec<String>,
    ) -> Self {
        let fingerprint = fingerprint(&tokenizer, &[&train, &val]);
        let (vocab_size, tokenizer) = (tokenizer.vocab_size(), Some(tokenizer));
        Self { fingerprint, train, val, tokenizer, vocab_size, source, reports }
    }

    /// Loads `tales`, `tales-es`, `own-sources`, `copy-task`, a text file, a folder of text files, a prepared
    /// folder, a folder of nanoGPT's, a dataset of the catalogue, or `-`, standard input. `kind` is the
    /// tokenizer for plain text; a prepared folder has its own.
    ///
    /// # Errors
    /// [`TextError`] if there is no such data, or it cannot be used.
    pub fn load(data: &str, kind: TokenizerKind) -> Result<Self, TextError> {
        Self::load_with(data, TokenizerChoice::New(kind), &Documents::default(), 0)
    }

    /// Loads the data of a configuration, with the tokenizer of an existing model if given. A prepared folder keeps
    /// its own tokenizer, which may differ.
    ///
    /// # Errors
    /// As [`Corpus::load`]; [`TextError::Tokenizer`] if the text has characters that the given tokenizer lacks;
    /// [`TextError::Core`] if the configuration names no tokenizer.
    pub fn load_configured(config: &Config, tokenizer: Option<&Tokenizer>) -> Result<Self, TextError> {
        let choice = match tokenizer {
            Some(tokenizer) => TokenizerChoice::Existing(tokenizer),
            None => TokenizerChoice::New(config.tokenizer_kind()?),
        };
        Self::load_with(&config.data, choice, &config.documents(), config.vocab_size)
    }

    /// A folder of token ids for a model without a tokenizer, which knows `vocab_size` tokens.
    ///
    /// # Errors
    /// [`TextError`] if it is no such folder, or has other ids.
    pub fn load_ids(folder: &str, vocab_size: usize) -> Result<Self, TextError> {
        Self::load_with(folder, TokenizerChoice::New(TokenizerKind::Char), &Documents::default(), vocab_size)
    }

    fn load_with(
        data: &str,
        tokenizer: TokenizerChoice<'_>,
        documents: &Documents,
        vocab_size: usize,
    ) -> Result<Self, TextError> {
        let path = Path::new(data);
        if is_nanogpt(path) {
            return Self::load_nanogpt(data, tokenizer, vocab_size);
        }
        if vocab_size > 0 {
            let why = "it is not a folder with train.bin and val.bin, and only token ids without a tokenizer \
                       need it: leave vocab_size out";
            return Err(TextError::Text { source_name: data.into(), why: why.into() });
        }
        let source = match data {
            own_text::NAME | own_text::OLD_NAME => own_text::source(data),
            copy_task::NAME => copy_task::source(),
            _ if is_prepared(path) => {
                let PreparedText { train, val, tokenizer, mut meta } = token_file::open(path)?;
                let separates =
                    matches!(documents.separator, DocumentSeparator::Text(_) | DocumentSeparator::Files);
                if separates || documents.special_tokens {
                    let why = "document_separator and special_tokens change nothing: the folder was prepared with \
                               its own";
                    meta.reports.push(why.into());
                }
                return Ok(Self::new(train, val, tokenizer, data.into(), meta.reports));
            }
            STANDARD_INPUT if !path.exists() => {
                let why =
                    format!("the text was piped in and is gone: set data to a file with it, or to {PIPED}");
                return Err(TextError::Text { source_name: data.into(), why });
            }
            _ => Source::named(path)?,
        };
        let Encoded { tokenizer, train, val, reports, .. } =
            Encode { source: &source, documents, tokenizer, val_fraction: VAL_FRACTION }.in_memory()?;
        Ok(Self::new(train, val, tokenizer, source.name, reports))
    }

    /// Loads a folder of nanoGPT's. Its tokens are those of its `meta.pkl`; without one, those of the
    /// given tokenizer, if that needs no text to be made; otherwise ids below `vocab_size`. A larger
    /// `vocab_size` gives the model rows that no token uses, as nanoGPT's 50,304 for GPT-2's tokens.
    fn load_nanogpt(data: &str, choice: TokenizerChoice<'_>, vocab_size: usize) -> Result<Self, TextError> {
        let folder = NanoGptFolder::open(Path::new(data))?;
        let mut reports = Vec::new();
        let meta_size = folder.meta.as_ref().map_or(0, |meta| meta.vocab_size);
        let own = folder.meta.as_ref().map(|meta| &meta.tokenizer);
        let tokenizer = match (own, choice) {
            (Some(Ok(tokenizer)), _) => Some(tokenizer.clone()),
            (_, TokenizerChoice::Existing(tokenizer)) => Some(tokenizer.clone()),
            (_, TokenizerChoice::New(TokenizerKind::Gpt2)) => Some(Tokenizer::gpt2()),
            (_, TokenizerChoice::New(TokenizerKind::Byte)) => Some(Tokenizer::byte()),
            (Some(Err(why)), _) => {
                reports.push(format!("{why}: the tokens are ids without text"));
                None
            }
            (None, _) => None,
        };
        let size = match &tokenizer {
            Some(tokenizer) => tokenizer.vocab_size(),
            None => meta_size.max(vocab_size),
        };
        if size == 0 {
            let why = "it has token ids but no tokenizer (no meta.pkl): set vocab_size to the number of tokens, or \
                       set tokenizer to gpt2 if they are GPT-2's";
            return Err(TextError::file(Path::new(data), why));
        }
        let [train, val] = folder.tokens(size)?;
        Ok(match tokenizer {
            Some(tokenizer) => {
                let corpus = Self::new(train, val, tokenizer, data.into(), reports);
                Self { vocab_size: size.max(vocab_size).max(meta_size), ..corpus }
            }
            None => {
                let fingerprint = fingerprint_of_ids(size, &[&train, &val]);
                Self {
                    fingerprint,
                    train,
                    val,
                    tokenizer: None,
                    vocab_size: size,
                    source: data.into(),
                    reports,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::data::DataError;
    use m2g_text::prepare::{Prepare, prepare};

    use super::*;

    #[test]
    fn own_sources_are_built_in_under_both_names() {
        let corpus = Corpus::load("own-sources", TokenizerKind::Char).unwrap();
        let old = Corpus::load("own-text", TokenizerKind::Char).unwrap();
        assert_eq!(corpus.fingerprint, old.fingerprint);
        assert!(corpus.train.len() > 8 * corpus.val.len() && corpus.val.len() > 10_000);
        assert!(
            corpus
                .tokenizer
                .unwrap()
                .decode(&corpus.train.to_vec().unwrap()[..30])
                .starts_with("==== README.md")
        );
        assert_eq!([corpus.source, old.source], ["own-sources", "own-text"]);
    }

    #[test]
    fn a_file_and_its_folder_have_the_same_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "\u{feff}some text\r\n".repeat(20)).unwrap();
        let [a, b] = [&file, dir.path()]
            .map(|p: &Path| Corpus::load(p.to_str().unwrap(), TokenizerKind::Byte).unwrap());
        assert_eq!(a.fingerprint, b.fingerprint);
        assert_eq!(a.reports.len(), 2, "{:?}", a.reports);
        let c = Corpus::load(file.to_str().unwrap(), TokenizerKind::Char).unwrap();
        assert_ne!(a.fingerprint, c.fingerprint);
    }

    #[test]
    fn a_prepared_folder_gives_the_corpus_of_its_text() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "some text\n".repeat(20)).unwrap();
        for kind in [TokenizerKind::Char, TokenizerKind::Bpe(270)] {
            let out = dir.path().join(kind.to_string());
            let inputs = vec![file.clone()];
            let settings = Prepare {
                inputs,
                documents: Documents::default(),
                tokenizer: TokenizerChoice::New(kind),
                out: out.clone(),
                overwrite: false,
                val_fraction: 0.1,
            };
            prepare(&settings, &mut |_| true).unwrap();
            let folder = Corpus::load(out.to_str().unwrap(), TokenizerKind::Byte).unwrap();
            let text = Corpus::load(file.to_str().unwrap(), kind).unwrap();
            let ids = |corpus: &Corpus| [&corpus.train, &corpus.val].map(|split| split.to_vec().unwrap());
            assert!(ids(&folder) == ids(&text));
            assert!(folder.tokenizer == text.tokenizer && folder.fingerprint == text.fingerprint);
        }
    }

    #[test]
    fn the_files_of_a_folder_are_documents() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.txt", "b.txt", "c.txt"] {
            std::fs::write(dir.path().join(name), "some text\n\nmore text\n".repeat(9)).unwrap();
        }
        let load = |tokenizer: &str, separator: &str| {
            let config = Config {
                data: dir.path().display().to_string(),
                tokenizer: tokenizer.into(),
                document_separator: separator.parse().unwrap(),
                ..Config::default()
            };
            let corpus = Corpus::load_configured(&config, None).unwrap();
            // A run finds the same tokens again with its own tokenizer.
            let again = Corpus::load_configured(&config, corpus.tokenizer.as_ref()).unwrap();
            assert_eq!(again.fingerprint, corpus.fingerprint);
            let ids = [corpus.train.to_vec().unwrap(), corpus.val.to_vec().unwrap()].concat();
            let end = corpus.tokenizer.and_then(|tokenizer| tokenizer.end_of_text());
            ids.iter().filter(|&&id| Some(id) == end).count()
        };
        assert_eq!([load("gpt2", "auto"), load("bpe:270", "auto"), load("char", "auto")], [2, 2, 0]);
        assert_eq!([load("gpt2", "none"), load("bpe:270", "none"), load("char", "files")], [0, 0, 2]);
        assert_eq!([load("gpt2", r"\n\n"), load("byte", r"\n\n")], [29, 29]);
        // A run from before documents had ends.
        let old: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(old.documents(), Documents::ONE);
    }

    #[test]
    fn unknown_names_are_rejected() {
        let error = |name| Corpus::load(name, TokenizerKind::Char).unwrap_err().to_string();
        assert!(error("tiny-shakespear").contains("did you mean tiny-shakespeare?"));
        assert!(error("nowhere/x.txt").contains("called \"nowhere/x.txt\""));
        assert!(error("mnist").contains("images"));
    }

    /// nanoGPT's figures, if the dataset is on this machine.
    #[test]
    fn tiny_shakespeare_has_nanogpts_number_of_tokens() {
        let load = |kind| match Corpus::load("tiny-shakespeare", kind) {
            Err(TextError::Dataset(DataError::NotHere { .. })) => None,
            loaded => Some(loaded.unwrap()),
        };
        let Some(corpus) = load(TokenizerKind::Char) else { return };
        assert_eq!([corpus.train.len(), corpus.val.len()], [1_003_854, 111_540]);
        assert_eq!((corpus.vocab_size, &*corpus.source), (65, "tiny-shakespeare"));
        let corpus = load(TokenizerKind::Gpt2).unwrap();
        assert_eq!([corpus.train.len(), corpus.val.len()], [301_966, 36_059]);
    }
}
