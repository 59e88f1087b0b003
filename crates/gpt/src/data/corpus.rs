//! Both parts of a text as tokens, by the name of the data.

use std::path::{Path, PathBuf};

use m2g_core::data::DataError;
use m2g_core::data::catalogue;
use sha2::{Digest, Sha256};

use super::encode::Job;
use super::source::Source;
use super::tokens::{TokenData, hex};
use super::{CorpusError, copy_task, own_text, prepared};
use crate::tokenizer::{Tokenizer, TokenizerKind};

/// The share of a text, at its end, that is there to validate: nanoGPT's.
const VAL_FRACTION: f64 = 0.1;

/// What a GPT is trained on.
#[derive(Debug)]
pub struct Corpus {
    /// The tokens to train on: the first nine tenths of the characters.
    pub train: TokenData,
    /// The tokens to validate with: the rest.
    pub val: TokenData,
    /// How the text became tokens.
    pub tokenizer: Tokenizer,
    /// Where the text is from, for people.
    pub source: String,
    /// A hash of the tokens and the tokenizer: the same for the same text, prepared or not.
    pub fingerprint: String,
    /// What was cleaned, a sentence for each thing.
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
        let mut hash = Sha256::new();
        for part in [&prepared::tokenizer_sha256(&tokenizer), train.sha256(), val.sha256()] {
            hash.update(part);
        }
        Self { fingerprint: hex(&hash.finalize()), train, val, tokenizer, source, reports }
    }

    /// Loads `own-text`, `copy-task`, a text file, a folder that `prepare` made, a folder of text
    /// files, or a dataset by its name in the catalogue. `tokenizer` is for text; a
    /// prepared folder has its own.
    ///
    /// # Errors
    /// [`CorpusError`] says what is wrong with the data, or with its name.
    pub fn load(data: &str, tokenizer: TokenizerKind) -> Result<Self, CorpusError> {
        match Text::of(data)? {
            Text::Prepared(folder) => prepared::open(folder),
            Text::Source(source) => Self::encode(&source, tokenizer, None),
        }
    }

    /// The same with the tokenizer of a model that is there already. A prepared folder
    /// has its own, which may be another.
    ///
    /// # Errors
    /// As [`Corpus::load`]; [`CorpusError::Tokenizer`] names characters that it lacks.
    pub fn load_for(data: &str, tokenizer: &Tokenizer) -> Result<Self, CorpusError> {
        match Text::of(data)? {
            Text::Prepared(folder) => prepared::open(folder),
            Text::Source(source) => Self::encode(&source, tokenizer.kind(), Some(tokenizer)),
        }
    }

    /// Encodes a text in memory. A text that does not fit belongs into a prepared folder.
    fn encode(source: &Source, kind: TokenizerKind, given: Option<&Tokenizer>) -> Result<Self, CorpusError> {
        let job = Job { source, kind, given, val_fraction: VAL_FRACTION };
        let memory = Path::new("memory");
        let encoded = job.run([(Vec::new(), memory), (Vec::new(), memory)], &mut |_| true)?;
        let (train, val) = (encoded.train.into_data(), encoded.val.into_data());
        Ok(Self::new(train, val, encoded.tokenizer, source.name.clone(), encoded.reports))
    }
}

/// What stands behind the name of some data.
enum Text<'a> {
    Prepared(&'a Path),
    Source(Source),
}

impl<'a> Text<'a> {
    fn of(data: &'a str) -> Result<Self, CorpusError> {
        let path = Path::new(data);
        Ok(if data == own_text::NAME {
            Self::Source(own_text::source())
        } else if data == copy_task::NAME {
            Self::Source(copy_task::source())
        } else if prepared::is_prepared(path) {
            Self::Prepared(path)
        } else {
            let mut source = Source::files(&text_files(path)?)?;
            source.name = data.into();
            Self::Source(source)
        })
    }
}

/// What to read for a name: a file or folder as it is, or the files of a dataset.
pub(super) fn text_files(name: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    match name.exists() {
        true => Ok(dataset_files(name).unwrap_or_else(|| vec![name.to_path_buf()])),
        false => dataset(&name.to_string_lossy()),
    }
}

/// The files of a dataset, checked, by its name.
fn dataset(name: &str) -> Result<Vec<PathBuf>, CorpusError> {
    let dataset = catalogue::named(name).map_err(|error| CorpusError::NotThere {
        data: name.into(),
        nearest: match error {
            DataError::Unknown { nearest, .. } => nearest,
            _ => None,
        },
    })?;
    let dir = catalogue::find(name, None)?;
    if dataset.files.iter().any(|file| file.name.contains("ubyte")) {
        return Err(CorpusError::file(&dir, format!("{name} is a dataset of images, not of text")));
    }
    let files = dataset_files_in(&dir, dataset).ok_or(DataError::NotHere { name: dataset.name })?;
    for (path, file) in files.iter().zip(dataset.files) {
        catalogue::check(path, file)?;
    }
    Ok(files)
}

/// The files of the dataset after which a folder is called, if they are all there:
/// what else lies beside them is not part of the text.
fn dataset_files(folder: &Path) -> Option<Vec<PathBuf>> {
    let dataset = catalogue::named(folder.file_name()?.to_str()?).ok()?;
    dataset_files_in(folder, dataset)
}

fn dataset_files_in(folder: &Path, dataset: &catalogue::Dataset) -> Option<Vec<PathBuf>> {
    dataset.files.iter().map(|file| catalogue::local(folder, file)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_text_is_always_there() {
        let corpus = Corpus::load("own-text", TokenizerKind::Char).unwrap();
        assert!(corpus.train.len() > 8 * corpus.val.len() && corpus.val.len() > 10_000);
        assert!(corpus.tokenizer.decode(&corpus.train.to_vec()[..30]).starts_with("==== README.md"));
        assert_eq!(corpus.source, "own-text");
    }

    #[test]
    fn a_file_and_its_folder_give_the_same() {
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
    fn names_that_are_nothing_are_refused() {
        let error = |name| Corpus::load(name, TokenizerKind::Char).unwrap_err().to_string();
        assert!(error("tiny-shakespear").contains("did you mean tiny-shakespeare?"));
        assert!(error("nowhere/x.txt").contains("called nowhere/x.txt"));
        assert!(error("mnist").contains("images"));
    }

    /// nanoGPT's figures, if the text is on this machine.
    #[test]
    fn tiny_shakespeare_is_known_by_name() {
        let load = |kind| match Corpus::load("tiny-shakespeare", kind) {
            Err(CorpusError::Dataset(DataError::NotHere { .. })) => None,
            loaded => Some(loaded.unwrap()),
        };
        let Some(corpus) = load(TokenizerKind::Char) else { return };
        assert_eq!([corpus.train.len(), corpus.val.len()], [1_003_854, 111_540]);
        assert_eq!((corpus.tokenizer.vocab_size(), &*corpus.source), (65, "tiny-shakespeare"));
        let corpus = load(TokenizerKind::Gpt2).unwrap();
        assert_eq!([corpus.train.len(), corpus.val.len()], [301_966, 36_059]);
    }
}
