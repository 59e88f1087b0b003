//! Writes the tokens of a text to a folder, which appears only when it is complete.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use m2g_core::Error;
use m2g_core::atomic::{self, File};

use super::encode::{Encode, Encoded, Progress, TokenizerChoice};
use crate::error::TextError;
use crate::source::{Documents, Source, with_thousands_separators};
use crate::token_file::{
    META, Meta, TOKENIZER, TRAIN, TokenWriter, VAL, Width, is_prepared, tokenizer_sha256,
};

/// The settings of [`prepare()`].
#[derive(Debug, Clone)]
pub struct Prepare<'a> {
    /// Files and folders of text, names of datasets, and `-` for standard input, in this order.
    pub inputs: Vec<PathBuf>,
    /// Where documents end.
    pub documents: Documents,
    /// How text becomes tokens.
    pub tokenizer: TokenizerChoice<'a>,
    /// The folder to create.
    pub out: PathBuf,
    /// Whether to replace an existing prepared folder.
    pub overwrite: bool,
    /// The share of the characters, at the end of the text, in the validation split.
    pub val_fraction: f64,
}

/// Creates the folder: `train.bin`, `val.bin`, `tokenizer.json`, `meta.json`. The text may be
/// larger than memory, if the tokenizer finds places to cut it. `watch` receives the progress, and returns whether
/// to continue.
///
/// # Errors
/// [`TextError`] if an input cannot be read or is not text, if the text is too short, or if
/// the folder exists or cannot be written. Then nothing is left behind.
pub fn prepare(settings: &Prepare<'_>, watch: &mut dyn FnMut(Progress) -> bool) -> Result<Meta, TextError> {
    let sources = settings.inputs.iter().map(|input| Source::named(input)).collect::<Result<Vec<_>, _>>()?;
    let source = Source::concat(sources);
    let (out, overwrite) = (&settings.out, settings.overwrite);
    let may_replace = || check_replaceable(out, is_prepared, overwrite, &[META, TOKENIZER, TRAIN, VAL]);
    atomic::folder(out, may_replace, |new| write_files(new, settings, &source, watch))
}

/// Encodes the text and writes the four files.
fn write_files(
    folder: &Path,
    settings: &Prepare<'_>,
    source: &Source,
    watch: &mut dyn FnMut(Progress) -> bool,
) -> Result<Meta, TextError> {
    let [train_path, val_path] = [TRAIN, VAL].map(|name| folder.join(name));
    let create = |path: &Path| -> Result<_, TextError> {
        Ok(BufWriter::with_capacity(1 << 16, File::create_new(path).map_err(Error::io("create", path))?))
    };
    let Prepare { documents, tokenizer, val_fraction, .. } = settings;
    let encode = Encode { source, documents, tokenizer: *tokenizer, val_fraction: *val_fraction };
    let sinks = [(create(&train_path)?, train_path.as_path()), (create(&val_path)?, val_path.as_path())];
    let Encoded { tokenizer, train, val, characters, bytes, mut reports } =
        encode.write(sinks, None, watch)?;
    let dtype = Width::of(tokenizer.vocab_size());
    if dtype == Width::U32 {
        reports.push(format!(
            "{TRAIN} and {VAL} hold ids of 32 bits, for {} tokens, but nanoGPT reads 16 bits: for nanoGPT, use a \
             vocabulary of at most 65,536 tokens",
            with_thousands_separators(tokenizer.vocab_size() as u64)
        ));
    }
    let meta = Meta {
        format: 1,
        tokenizer: tokenizer.name(),
        vocab_size: tokenizer.vocab_size(),
        dtype,
        train_tokens: train.tokens(),
        val_tokens: val.tokens(),
        characters,
        bytes,
        val_fraction: settings.val_fraction,
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
        let json = json.map_err(std::io::Error::from).map_err(Error::io("write", &path))?;
        atomic::write(&path, |file| writeln!(file, "{json}"))?;
    }
    Ok(meta)
}

/// Flushes all tokens to the disk and returns their hash.
fn finish(writer: TokenWriter<BufWriter<File>>, path: &Path) -> Result<String, TextError> {
    let (out, sha256) = writer.finish();
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("write", path))?;
    Ok(sha256)
}

/// Checks that `out` does not exist, is empty, or may be overwritten because it is a prepared folder, of these `files`
/// alone.
///
/// # Errors
/// [`TextError::Exists`] without `overwrite`; [`TextError::File`] if it is another folder; [`Error::Foreign`] if it
/// holds another file too.
pub fn check_replaceable(
    out: &Path,
    is_prepared: impl Fn(&Path) -> bool,
    overwrite: bool,
    files: &[&str],
) -> Result<(), TextError> {
    let is_empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    // A link that leads nowhere is taken too.
    if out.symlink_metadata().is_err() || (out.is_dir() && is_empty()) {
        return Ok(());
    }
    match (is_prepared(out), overwrite) {
        (true, true) => Ok(atomic::check_own(out, "a prepared folder", |name| files.contains(&name))?),
        (true, false) => Err(TextError::Exists(out.to_path_buf())),
        (false, _) => {
            let why =
                "it exists and is not a prepared folder, so it is never replaced: choose another folder";
            Err(TextError::file(out, why))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::token_file::{fingerprint, open};
    use crate::tokenizer::TokenizerKind;

    fn job(dir: &Path, kind: TokenizerKind) -> Prepare<'static> {
        let input = dir.join("input.txt");
        fs::write(&input, "It was the best of times, it was the worst of times.\n".repeat(50)).unwrap();
        Prepare {
            inputs: vec![input],
            documents: Documents::default(),
            tokenizer: TokenizerChoice::New(kind),
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
    fn a_prepared_folder_holds_the_tokens_of_the_text() {
        for kind in [TokenizerKind::Char, TokenizerKind::Gpt2, TokenizerKind::Bpe(270)] {
            let dir = tempfile::tempdir().unwrap();
            let job = job(dir.path(), kind);
            let meta = prepare(&job, &mut |_| true).unwrap();
            assert_eq!(entries(&job.out), [META, TOKENIZER, TRAIN, VAL]);
            assert_eq!(entries(dir.path()), ["a", "input.txt"]);
            let folder = open(&job.out).unwrap();
            let source = Source::files(&job.inputs).unwrap();
            let tokenizer = TokenizerChoice::New(kind);
            let documents = &Documents::default();
            let text =
                Encode { source: &source, documents, tokenizer, val_fraction: 0.1 }.in_memory().unwrap();
            for (folder, text) in [(&folder.train, &text.train), (&folder.val, &text.val)] {
                assert!(folder.to_vec().unwrap() == text.to_vec().unwrap());
            }
            assert_eq!(
                fingerprint(&folder.tokenizer, &[&folder.train, &folder.val]),
                fingerprint(&text.tokenizer, &[&text.train, &text.val])
            );
            assert!(folder.tokenizer == text.tokenizer && folder.meta == meta);
            assert_eq!(meta.train_tokens, text.train.len() as u64);
            assert_eq!(fs::read(job.out.join(TRAIN)).unwrap().len(), 2 * text.train.len());
        }
    }

    #[test]
    fn ids_that_nanogpt_cannot_read_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let job = job(dir.path(), TokenizerKind::Word);
        for (words, reported) in [(70_000, true), (60_000, false)] {
            let letter = |i: u32| char::from_u32(0x4e00 + i).unwrap();
            let text: Vec<String> =
                (0..words).map(|i| [letter(i / 300), letter(i % 300)].iter().collect()).collect();
            fs::write(&job.inputs[0], text.join(" ")).unwrap();
            let meta = prepare(&Prepare { overwrite: true, ..job.clone() }, &mut |_| true).unwrap();
            assert_eq!((meta.dtype == Width::U32, !meta.reports.is_empty()), (reported, reported));
            assert!(!reported || meta.reports[0].contains("nanoGPT reads 16 bits"), "{:?}", meta.reports);
        }
    }

    #[test]
    fn nothing_is_replaced_without_overwrite_and_no_partial_folder_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(dir.path(), TokenizerKind::Char);
        prepare(&job, &mut |_| true).unwrap();
        let before = fs::read(job.out.join(META)).unwrap();
        assert!(prepare(&job, &mut |_| true).unwrap_err().to_string().contains("overwrite"));
        (job.overwrite, job.tokenizer) = (true, TokenizerChoice::New(TokenizerKind::Byte));
        assert!(matches!(prepare(&job, &mut |p| p.doing == "reading"), Err(TextError::Stopped)));
        assert_eq!(fs::read(job.out.join(META)).unwrap(), before);
        assert_eq!(entries(&dir.path().join("a")), ["out"]);
        assert_eq!(prepare(&job, &mut |_| true).unwrap().vocab_size, 256);
        assert_eq!(entries(&dir.path().join("a")), ["out"]);

        // Neither is one with another file, nor any other folder, except an empty one.
        let notes = job.out.join("notes.md");
        fs::write(&notes, "mine").unwrap();
        let refused = prepare(&job, &mut |_| true).unwrap_err().to_string();
        assert!(refused.contains("holds notes.md, which is no part of a prepared folder"), "{refused}");
        assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
        job.out = dir.path().join("a");
        assert!(prepare(&job, &mut |_| true).unwrap_err().to_string().contains("not a prepared folder"));
        job.out = dir.path().join("empty");
        fs::create_dir(&job.out).unwrap();
        prepare(&job, &mut |_| true).unwrap();
        assert_eq!(entries(dir.path()), ["a", "empty", "input.txt"]);
    }

    #[test]
    fn files_that_do_not_belong_together_are_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let mut job = job(dir.path(), TokenizerKind::Char);
        prepare(&job, &mut |_| true).unwrap();
        let good = job.out.clone();
        (job.out, job.tokenizer) = (dir.path().join("other"), TokenizerChoice::New(TokenizerKind::Byte));
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
            let error = open(&good).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(good.to_str().unwrap()), "{name} {why}: {error}");
            fs::remove_file(&path).unwrap();
            let error = open(&good).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            fs::write(&path, old).unwrap();
        }
        open(&good).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failed_write_leaves_nothing_behind() {
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
