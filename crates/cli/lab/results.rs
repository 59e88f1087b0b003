//! The results of an experiment: one line per training run, kept under its settings, seed and data. So more arms, other
//! seeds, other settings or another data set never collide, and what is finished is not repeated. The program and the
//! machine do not count: after an update `--overwrite` measures again, and times belong to the machine that took them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use m2g_core::atomic::{self, Lock};
use m2g_core::train::run_folder::LOCK;
use m2g_core::{Error, bounded};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::old_results;
use super::trial::{Key, Record, Trial};
#[cfg(feature = "page")]
use crate::{flags::RUNS, runs::name::EXPERIMENTS};

/// The file's name in the folder of an experiment.
const FILE: &str = "results.jsonl";
/// The version of the file, in its first line.
const FORMAT: u64 = 2;

/// The results so far. No other process adds to them.
#[derive(Debug)]
pub struct Results {
    records: Vec<Record>,
    path: PathBuf,
    file: atomic::File,
    lock: Lock,
}

impl Results {
    /// Opens the results in `folder`, or starts a new file, and locks them. Results of an older
    /// version are converted. A file that cannot be read is an error or, with `overwrite`, replaced.
    pub fn open(folder: &Path, overwrite: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).map_err(|e| anyhow!("cannot create {}: {e}", folder.display()))?;
        let lock = Lock::take(&folder.join(LOCK)).map_err(Error::io("lock", folder))?;
        let lock = lock.ok_or_else(|| {
            anyhow!(
                "another process is running the experiment in {}: wait until it ends, or save elsewhere \
                 with --run NAME",
                folder.display()
            )
        })?;
        atomic::remove_leftover_files(folder);
        let path = folder.join(FILE);
        let found = if path.exists() { read(&path) } else { Ok(Found::Nothing) };
        let records = match found {
            Ok(Found::Current(records)) => {
                remove_incomplete_line(&path)?;
                records
            }
            Ok(Found::Older(records)) => {
                write(&path, &records)?;
                records
            }
            Err(error) if !overwrite => return Err(error),
            Ok(Found::Nothing) | Err(_) => {
                write(&path, &[])?;
                Vec::new()
            }
        };
        let file = append(&path)?;
        Ok(Self { records, path, file, lock })
    }

    /// Whether the lock keeps other processes out: `false` on a file system without locks.
    pub fn is_locked(&self) -> bool {
        self.lock.works()
    }

    /// Adds a result and appends it to the file.
    pub fn add(&mut self, record: Record) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(&record)?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|e| anyhow!("cannot write {}: {e}", self.path.display()))?;
        self.records.push(record);
        Ok(())
    }

    /// Removes the results of these training runs, also from the file.
    pub fn forget(&mut self, keys: &[&Key]) -> anyhow::Result<()> {
        self.records.retain(|record| !keys.contains(&&record.key));
        write(&self.path, &self.records)?;
        self.file = append(&self.path)?;
        Ok(())
    }

    /// The latest result of a training run, if it is finished and has these measures.
    pub fn get(&self, key: &Key, measures: &[&str]) -> Option<&Trial> {
        let found = self.records.iter().rev().find(|record| record.key == *key && record.has(measures));
        found.map(|record| &record.trial)
    }
}

/// The finished training runs of an experiment in its usual folder; none if it has not run.
#[cfg(feature = "page")]
pub fn finished(experiment: &str) -> Vec<Record> {
    let path = Path::new(RUNS).join(EXPERIMENTS).join(experiment).join(FILE);
    match read(&path) {
        Ok(Found::Current(records) | Found::Older(records)) => records,
        Ok(Found::Nothing) | Err(_) => Vec::new(),
    }
}

/// The largest results file in bytes: about a million trials.
const MAX_RESULTS_BYTES: u64 = 256 << 20;

/// The content of a results file.
enum Found {
    /// There is no complete line.
    Nothing,
    /// Results of this version.
    Current(Vec<Record>),
    /// Results of an older version, converted.
    Older(Vec<Record>),
}

/// Opens a file to add to it.
fn append(path: &Path) -> anyhow::Result<atomic::File> {
    atomic::File::append(path).map_err(|e| anyhow!("cannot open {}: {e}", path.display()))
}

/// Reads a file. Ignores an incomplete last line, left by a killed process.
fn read(path: &Path) -> anyhow::Result<Found> {
    let bytes = bounded::read(path, MAX_RESULTS_BYTES, "a file of results")?;
    let mut lines = whole_lines(&bytes).split_inclusive(|byte| *byte == b'\n').zip(1..);
    let Some((head, _)) = lines.next() else { return Ok(Found::Nothing) };
    let head: Value = parse(path, head, 1)?;
    match head["format"].as_u64() {
        Some(FORMAT) => {
            let records = lines.map(|(line, number)| parse(path, line, number));
            Ok(Found::Current(records.collect::<Result<_, _>>()?))
        }
        None if head["experiment"].is_object() => {
            let trials = lines.map(|(line, number)| parse(path, line, number));
            Ok(Found::Older(old_results::convert(&head, trials.collect::<Result<_, _>>()?)))
        }
        _ => bail!(
            "{} is not a file of results that this version reads: replace it with --overwrite, or save \
             elsewhere with --run NAME",
            path.display()
        ),
    }
}

/// The bytes up to the last line break: what is written after it is incomplete.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)]
}

/// The content of a line.
fn parse<T: DeserializeOwned>(path: &Path, line: &[u8], number: usize) -> anyhow::Result<T> {
    serde_json::from_slice(line.trim_ascii_end()).map_err(|error| {
        // The parser counts the lines of this line alone.
        let message = error.to_string();
        let why = message.split(" at line ").next().unwrap_or_default();
        anyhow!(
            "{} is damaged in line {number}, column {} ({why}): start over with --overwrite, or save elsewhere \
             with --run NAME",
            path.display(),
            error.column()
        )
    })
}

/// Writes a file with these results.
fn write(path: &Path, records: &[Record]) -> anyhow::Result<()> {
    let lines = records.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(atomic::write(path, |file| {
        writeln!(file, "{}", json!({"event": "results", "format": FORMAT}))?;
        lines.iter().try_for_each(|line| writeln!(file, "{line}"))
    })?)
}

/// Removes an incomplete last line.
fn remove_incomplete_line(path: &Path) -> anyhow::Result<()> {
    let bytes = bounded::read(path, MAX_RESULTS_BYTES, "a file of results")?;
    let whole = whole_lines(&bytes);
    if whole.len() < bytes.len() {
        atomic::write(path, |file| file.write_all(whole))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(arm: &str, settings: Value) -> Record {
        let trial = Trial {
            arm: arm.into(),
            seed: 1,
            measures: [("val_loss".to_string(), 0.1 + 0.2)].into(),
            curve: vec![(1, 1.0 / 3.0)],
            times: vec![0.1],
            seconds: 1.5,
            ..Trial::default()
        };
        let key = Key { model: "gpt".into(), settings, data: "abc".into() };
        Record { trial, key, wanted: vec!["val_loss".into(), "train_loss".into()] }
    }

    #[test]
    fn results_survive_a_restart_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        let [one, two] = [record("one", json!({"lr": 0.1})), record("two", json!({"lr": 0.3}))];
        Results::open(&folder, false).unwrap().add(one.clone()).unwrap();
        // As left by a process that was killed while writing, inside a letter.
        let path = folder.join(FILE);
        let mut text = fs::read(&path).unwrap();
        text.extend(b"{\"arm\":\"\xc3");
        fs::write(&path, text).unwrap();
        let mut again = Results::open(&folder, false).unwrap();
        assert_eq!(again.records, std::slice::from_ref(&one));
        again.add(two.clone()).unwrap();
        drop(again);
        let again = Results::open(&folder, false).unwrap();
        assert_eq!(again.get(&two.key, &["val_loss"]), Some(&two.trial));
    }

    #[test]
    fn results_are_found_by_their_settings_and_not_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let mut results = Results::open(dir.path(), false).unwrap();
        let one = record("arm", json!({"lr": 0.1}));
        results.add(one.clone()).unwrap();
        let other = record("arm", json!({"lr": 0.2}));
        assert!(results.get(&other.key, &["val_loss"]).is_none(), "an arm of the same name");
        let other_data = Key { data: "abd".into(), ..one.key.clone() };
        assert!(results.get(&other_data, &["val_loss"]).is_none());
        assert!(results.get(&one.key, &["val_loss", "generation_loss"]).is_none(), "never measured");
        assert!(results.get(&one.key, &["train_loss"]).is_none(), "its curve shows another measure");
        // A later result of the same training run counts.
        let mut later = one.clone();
        later.trial.seconds = 9.0;
        results.add(later).unwrap();
        assert_eq!(results.get(&one.key, &["val_loss"]).unwrap().seconds, 9.0);
    }

    #[test]
    fn forgotten_results_are_gone_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two, three] = [1, 2, 3].map(|lr| record("arm", json!({"lr": lr})));
        let mut results = Results::open(dir.path(), false).unwrap();
        results.add(one.clone()).unwrap();
        results.add(two.clone()).unwrap();
        results.forget(&[&one.key, &three.key]).unwrap();
        results.add(three.clone()).unwrap();
        drop(results);
        assert_eq!(Results::open(dir.path(), false).unwrap().records, [two, three]);
    }

    #[test]
    fn damage_is_located_by_the_line_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut results = Results::open(dir.path(), false).unwrap();
        results.add(record("one", json!({"lr": 0.1}))).unwrap();
        drop(results);
        let good = fs::read(&path).unwrap();
        for (line, column) in [(&b"{\"arm\":\n"[..], 7), (b"\"\xc3\x28\"\n", 2), (b"\n", 0)] {
            fs::write(&path, [&good, line, b"{}\n"].concat()).unwrap();
            let error = Results::open(dir.path(), false).unwrap_err().to_string();
            assert!(error.contains(&format!("is damaged in line 3, column {column} (")), "{error}");
            assert!(error.contains("--overwrite") && !error.contains("at line"), "{error}");
        }
    }

    #[test]
    fn strange_files_are_replaced_only_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for text in
            ["no JSON\n", "\n\n", "{\"format\": 99}\n", "{\"event\":\"results\",\"format\":2}\n{\"arm\":1}\n"]
        {
            fs::write(&path, text).unwrap();
            let error = Results::open(dir.path(), false).unwrap_err().to_string();
            assert!(error.contains("--overwrite") && error.contains("--run"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert!(Results::open(dir.path(), true).unwrap().records.is_empty());
        }
        fs::write(&path, "").unwrap();
        assert!(Results::open(dir.path(), false).unwrap().records.is_empty());
    }
}
