//! Text to a folder of tokens, which appears when it is whole.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use m2g_core::atomic::sync_folder;

use super::CorpusError;
use super::corpus::text_files;
use super::encode::{Encoded, Job, Progress};
use super::prepared::{META, Meta, TOKENIZER, TRAIN, VAL, is_prepared, tokenizer_sha256};
use super::source::Source;
use super::tokens::{TokenWriter, Width};
use crate::tokenizer::TokenizerKind;

/// What to prepare, and where.
#[derive(Debug, Clone)]
pub struct Prepare {
    /// Files and folders of text, or names of datasets, read one after the other.
    pub inputs: Vec<PathBuf>,
    /// How text becomes tokens.
    pub tokenizer: TokenizerKind,
    /// The folder to make.
    pub out: PathBuf,
    /// Whether a prepared folder of that name is replaced.
    pub overwrite: bool,
    /// The share of the characters, at the end of the text, that is there to validate.
    pub val_fraction: f64,
}

/// Makes the folder: `train.bin`, `val.bin`, `tokenizer.json`, `meta.json`. Texts may
/// be larger than memory. `watch` is told how far it is, and says whether to go on.
///
/// # Errors
/// [`CorpusError`] if a text cannot be read or is none, if it is too short, or if the
/// folder exists or cannot be written; then nothing is left behind.
pub fn prepare(what: &Prepare, watch: &mut dyn FnMut(Progress) -> bool) -> Result<Meta, CorpusError> {
    let out = std::path::absolute(&what.out).map_err(CorpusError::io("find", &what.out))?;
    let Some(parent) = out.parent() else {
        return Err(CorpusError::file(&out, "it is no folder that could be made"));
    };
    may_be_replaced(&what.out, what.overwrite)?;
    let files = what.inputs.iter().map(|input| text_files(input)).collect::<Result<Vec<_>, _>>()?;
    let source = Source::files(&files.concat())?;
    let beside = parent.ancestors().find(|folder| folder.is_dir()).unwrap_or(parent);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    // Removed again with all that is in it, unless it is renamed.
    let new = builder.tempdir_in(beside).map_err(CorpusError::io("make a folder in", beside))?;

    let meta = fill(new.path(), what, &source, watch)?;

    fs::create_dir_all(parent).map_err(CorpusError::io("create", parent))?;
    may_be_replaced(&what.out, what.overwrite)?;
    let old = builder.tempdir_in(beside).map_err(CorpusError::io("make a folder in", beside))?;
    if out.exists() {
        fs::rename(&out, old.path().join("old")).map_err(CorpusError::io("replace", &what.out))?;
    }
    if let Err(error) = fs::rename(new.path(), &out) {
        // What was there comes back.
        let _ = fs::rename(old.path().join("old"), &out);
        return Err(CorpusError::io("write", &what.out)(error));
    }
    let _renamed = new.keep();
    sync_folder(parent).map_err(CorpusError::io("write", parent))?;
    Ok(meta)
}

/// Writes the four files.
fn fill(
    folder: &Path,
    what: &Prepare,
    source: &Source,
    watch: &mut dyn FnMut(Progress) -> bool,
) -> Result<Meta, CorpusError> {
    let [train_path, val_path] = [TRAIN, VAL].map(|name| folder.join(name));
    let create = |path: &Path| -> Result<_, CorpusError> {
        Ok(BufWriter::with_capacity(1 << 16, File::create(path).map_err(CorpusError::io("create", path))?))
    };
    let job = Job { source, kind: what.tokenizer, given: None, val_fraction: what.val_fraction };
    let sinks = [(create(&train_path)?, train_path.as_path()), (create(&val_path)?, val_path.as_path())];
    let Encoded { tokenizer, train, val, characters, bytes, reports } = job.run(sinks, watch)?;
    let meta = Meta {
        format: 1,
        tokenizer: tokenizer.kind().to_string(),
        vocab_size: tokenizer.vocab_size(),
        dtype: Width::of(tokenizer.vocab_size()),
        train_tokens: train.tokens,
        val_tokens: val.tokens,
        characters,
        bytes,
        val_fraction: what.val_fraction,
        sources: source.names(),
        reports,
        train_sha256: finish(train, &train_path)?,
        val_sha256: finish(val, &val_path)?,
        tokenizer_sha256: tokenizer_sha256(&tokenizer),
    };
    for (name, json) in
        [(TOKENIZER, serde_json::to_string(&tokenizer)), (META, serde_json::to_string_pretty(&meta))]
    {
        let path = folder.join(name);
        json.map_err(std::io::Error::from)
            .and_then(|json| {
                let mut file = File::create(&path)?;
                writeln!(file, "{json}")?;
                file.sync_all()
            })
            .map_err(CorpusError::io("write", &path))?;
    }
    sync_folder(folder).map_err(CorpusError::io("write", folder))?;
    Ok(meta)
}

/// Brings all tokens to the disk, and returns their hash.
fn finish(writer: TokenWriter<BufWriter<File>>, path: &Path) -> Result<String, CorpusError> {
    let (out, sha256) = writer.finish();
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(CorpusError::io("write", path))?;
    Ok(sha256)
}

/// Checks that nothing is lost if a new folder takes this name.
fn may_be_replaced(out: &Path, overwrite: bool) -> Result<(), CorpusError> {
    let is_empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if !out.exists() || (out.is_dir() && is_empty()) {
        return Ok(());
    }
    match (is_prepared(out), overwrite) {
        (true, true) => Ok(()),
        (true, false) => Err(CorpusError::Exists(out.to_path_buf())),
        (false, _) => {
            let why = "it exists and is no prepared folder, which --overwrite could replace: choose another with --out";
            Err(CorpusError::file(out, why))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Corpus;
    use super::*;

    fn job(dir: &Path, tokenizer: TokenizerKind) -> Prepare {
        let input = dir.join("input.txt");
        fs::write(&input, "It was the best of times, it was the worst of times.\n".repeat(50)).unwrap();
        Prepare {
            inputs: vec![input],
            tokenizer,
            out: dir.join("a/out"),
            overwrite: false,
            val_fraction: 0.1,
        }
    }

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_prepared_is_what_the_text_gives() {
        for kind in [TokenizerKind::Char, TokenizerKind::Gpt2, TokenizerKind::Bpe(270)] {
            let dir = tempfile::tempdir().unwrap();
            let job = job(dir.path(), kind);
            let meta = prepare(&job, &mut |_| true).unwrap();
            assert_eq!(entries(&job.out), [META, TOKENIZER, TRAIN, VAL]);
            assert_eq!(entries(dir.path()), ["a", "input.txt"]);
            let folder = Corpus::load(job.out.to_str().unwrap(), TokenizerKind::Byte).unwrap();
            let text = Corpus::load(job.inputs[0].to_str().unwrap(), kind).unwrap();
            assert!(folder.train.to_vec() == text.train.to_vec() && folder.val.to_vec() == text.val.to_vec());
            assert!(folder.tokenizer == text.tokenizer && folder.fingerprint == text.fingerprint);
            assert_eq!(meta.train_tokens, text.train.len() as u64);
            assert_eq!(fs::read(job.out.join(TRAIN)).unwrap().len(), 2 * text.train.len());
        }
    }

    #[test]
    fn nothing_is_replaced_unasked_and_nothing_half_made_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(dir.path(), TokenizerKind::Char);
        prepare(&job, &mut |_| true).unwrap();
        let before = fs::read(job.out.join(META)).unwrap();
        assert!(prepare(&job, &mut |_| true).unwrap_err().to_string().contains("--overwrite"));
        (job.overwrite, job.tokenizer) = (true, TokenizerKind::Byte);
        assert!(matches!(prepare(&job, &mut |p| p.doing == "reading"), Err(CorpusError::Stopped)));
        assert_eq!(fs::read(job.out.join(META)).unwrap(), before);
        assert_eq!(entries(&dir.path().join("a")), ["out"]);
        assert_eq!(prepare(&job, &mut |_| true).unwrap().vocab_size, 256);
        assert_eq!(entries(&dir.path().join("a")), ["out"]);

        // A folder of something else is never replaced; an empty one may be there.
        job.out = dir.path().join("a");
        assert!(prepare(&job, &mut |_| true).unwrap_err().to_string().contains("no prepared folder"));
        job.out = dir.path().join("empty");
        fs::create_dir(&job.out).unwrap();
        prepare(&job, &mut |_| true).unwrap();
        assert_eq!(entries(dir.path()), ["a", "empty", "input.txt"]);
    }

    #[test]
    fn files_that_disagree_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(dir.path(), TokenizerKind::Char);
        prepare(&job, &mut |_| true).unwrap();
        let good = job.out.clone();
        (job.out, job.tokenizer) = (dir.path().join("other"), TokenizerKind::Byte);
        prepare(&job, &mut |_| true).unwrap();
        let train = fs::read(good.join(TRAIN)).unwrap();
        let mut flipped = train.clone();
        flipped[10] ^= 1;
        let meta = fs::read_to_string(good.join(META)).unwrap();
        for (name, content, why) in [
            (TOKENIZER, fs::read(job.out.join(TOKENIZER)).unwrap(), "not the tokenizer (256 tokens)"),
            (TOKENIZER, b"{}".to_vec(), "damaged"),
            (META, fs::read(job.out.join(META)).unwrap(), "not the tokenizer"),
            (META, meta.replace("\"format\": 1", "\"format\": 2").into_bytes(), "format is 2"),
            (META, meta.replace("u16", "u32").into_bytes(), "bytes"),
            (META, b"[".to_vec(), "damaged"),
            (TRAIN, train[..train.len() - 1].to_vec(), "bytes"),
            (TRAIN, fs::read(job.out.join(TRAIN)).unwrap(), "token number"),
            (TRAIN, flipped, ""),
            (VAL, train.clone(), "bytes"),
        ] {
            let path = good.join(name);
            let old = fs::read(&path).unwrap();
            fs::write(&path, content).unwrap();
            let error = Corpus::load(good.to_str().unwrap(), TokenizerKind::Char).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(good.to_str().unwrap()), "{name} {why}: {error}");
            fs::remove_file(&path).unwrap();
            let error = Corpus::load(good.to_str().unwrap(), TokenizerKind::Char).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            fs::write(&path, old).unwrap();
        }
        Corpus::load(good.to_str().unwrap(), TokenizerKind::Char).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_takes_nothing_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(dir.path(), TokenizerKind::Char);
        job.out = "/proc/nothing/here".into();
        assert!(prepare(&job, &mut |_| true).unwrap_err().to_string().contains("/proc"));
        job.out = dir.path().join("input.txt/below");
        let error = prepare(&job, &mut |_| true).unwrap_err().to_string();
        assert!(error.contains("input.txt"), "{error}");
        assert_eq!(entries(dir.path()), ["input.txt"]);
    }
}
