//! `metrics.jsonl`: a line of JSON per logged step and per evaluation.
//!
//! A killed process may leave an incomplete last line, which is skipped. The file is read line by line: a
//! long training logs more than anybody needs in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, atomic};

/// The largest file in bytes: tens of millions of lines.
const MAX_BYTES: u64 = 4 << 30;

/// The longest line in bytes. What is longer is read as several lines, which are no JSON.
const MAX_LINE_BYTES: u64 = 1 << 16;

/// The most bytes of the lines that are kept in memory, where a line takes about ten times as much.
const MAX_KEPT_BYTES: u64 = 64 << 20;

/// What a short line counts at least, because its value takes memory too.
const MIN_LINE_BYTES: u64 = 128;

/// Reads the evaluations.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::TooLarge`].
pub fn evaluations(path: &Path) -> Result<Vec<Value>, Error> {
    read(path, "the evaluations of a run", is_evaluation)
}

/// Reads the logged steps.
///
/// # Errors
/// As [`evaluations`].
pub fn logged_steps(path: &Path) -> Result<Vec<Value>, Error> {
    read(path, "the logged steps of a run", |line| !is_evaluation(line))
}

/// Whether a line of the metrics is an evaluation, rather than a logged step.
fn is_evaluation(line: &Value) -> bool {
    line.get("train_loss").is_some()
}

fn read(path: &Path, what: &'static str, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>, Error> {
    let (mut kept, mut bytes) = (Vec::new(), 0);
    for_each_line(path, |line| {
        if let Some(value) = serde_json::from_slice(line).ok().filter(&wanted) {
            bytes += MIN_LINE_BYTES.max(line.len() as u64);
            if bytes > MAX_KEPT_BYTES {
                return Err(Error::TooLarge { path: path.to_path_buf(), what, most: MAX_KEPT_BYTES });
            }
            kept.push(value);
        }
        Ok(())
    })?;
    Ok(kept)
}

/// Calls `take` with each line, its end included.
fn for_each_line(path: &Path, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let found = std::fs::metadata(path).map_err(Error::io("read", path))?;
    // A pipe would wait for a writer.
    if !found.is_file() {
        return Err(Error::io("read", path)(io::Error::other("it is not a file")));
    }
    let length = found.len();
    let file = File::open(path).map_err(Error::io("read", path))?;
    let (mut file, mut line, mut read) = (BufReader::new(file), Vec::new(), 0);
    loop {
        // It may grow.
        if length.max(read) > MAX_BYTES {
            let (path, what) = (path.to_path_buf(), "the metrics of a run");
            return Err(Error::TooLarge { path, what, most: MAX_BYTES });
        }
        line.clear();
        let mut part = file.by_ref().take(MAX_LINE_BYTES);
        match part.read_until(b'\n', &mut line).map_err(Error::io("read", path))? {
            0 => return Ok(()),
            bytes => read += bytes as u64,
        }
        take(&line)?;
    }
}

/// Removes incomplete lines, and lines that were written after this step; unless it was `evaluated`, its evaluation
/// too.
///
/// # Errors
/// [`Error::Io`] if the file can be neither read nor written; [`Error::TooLarge`].
pub fn drop_after(path: &Path, step: u64, evaluated: bool) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Line {
        step: u64,
        /// Only evaluations have it.
        evaluation: Option<u64>,
    }
    let is_kept =
        |line: Line| line.step < step || line.step == step && (evaluated || line.evaluation.is_none());
    let keep = |line: &[u8]| {
        let value: Result<Line, _> = serde_json::from_slice(line);
        line.ends_with(b"\n") && value.is_ok_and(is_kept)
    };
    let mut all_kept = true;
    match for_each_line(path, |line| {
        all_kept &= keep(line);
        Ok(())
    }) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read?,
    }
    if all_kept {
        return Ok(());
    }
    atomic::write(path, |new| {
        for_each_line(path, |line| match keep(line) {
            true => new.write_all(line).map_err(Error::io("write", path)),
            false => Ok(()),
        })
        .map_err(io::Error::other)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn incomplete_and_later_lines_are_dropped() {
        let whole = "{\"step\":1}\n{\"step\":2,\"train_loss\":3.5}\n";
        let later = "{\"step\":3}\n{\"no\":1}\nnonsense\n{\"step\":2";
        let (_dir, path) = written(&[whole, later].concat());
        assert_eq!((evaluations(&path).unwrap().len(), logged_steps(&path).unwrap().len()), (1, 3));
        drop_after(&path, 2, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        let before = path.metadata().unwrap().modified().unwrap();
        drop_after(&path, 2, true).unwrap();
        assert_eq!(path.metadata().unwrap().modified().unwrap(), before, "nothing to drop, nothing written");
        // An evaluation that was finished after the checkpoint in which it is still due.
        fs::write(&path, "{\"step\":2}\n{\"evaluation\":1,\"step\":2,\"train_loss\":3.5}\n").unwrap();
        drop_after(&path, 2, false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":2}\n");
        fs::remove_file(&path).unwrap();
        drop_after(&path, 2, true).unwrap();
        assert!(evaluations(&path).unwrap_err().to_string().contains("metrics.jsonl"));
    }

    #[test]
    fn absurd_files_are_refused_and_long_ones_read() {
        // More logged steps than anybody looks at, beside one evaluation.
        let lines = (MAX_KEPT_BYTES / MIN_LINE_BYTES) as usize + 1;
        let steps = "{\"step\":1}\n".repeat(lines);
        let (_dir, path) = written(&[&steps, "{\"step\":1,\"train_loss\":2}\n"].concat());
        let error = logged_steps(&path).unwrap_err().to_string();
        assert!(
            error.contains("metrics.jsonl has more than 64 MiB, the most that the logged steps"),
            "{error}"
        );
        assert_eq!(evaluations(&path).unwrap().len(), 1);
        drop_after(&path, 1, true).unwrap();
        // A line that does not end.
        let endless = [b"{\"step\":1}\n{\"step\":1, \"x\": \"".as_slice(), &[b'x'; 1 << 20]].concat();
        fs::write(&path, endless).unwrap();
        assert_eq!(logged_steps(&path).unwrap().len(), 1);
        drop_after(&path, 1, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":1}\n");
        // 5 GiB without a byte on the disk.
        File::create(&path).unwrap().set_len(5 << 30).unwrap();
        let error = drop_after(&path, 1, true).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl has more than 4096 MiB"), "{error}");
    }
}
