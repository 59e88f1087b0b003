//! The results file of an experiment: one line per training run. Finished runs are not repeated.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use m2g_core::atomic;
use serde_json::Value;

use super::trial::Trial;
use crate::flags::quoted;

/// The file's name in the folder of an experiment.
const FILE: &str = "results.jsonl";

/// The results so far.
#[derive(Debug)]
pub struct Results {
    /// The finished training runs.
    pub trials: Vec<Trial>,
    path: PathBuf,
    file: File,
}

impl Results {
    /// Opens the results in `folder`, or starts a new file. `head` identifies the experiment. Results
    /// of another experiment are an error or, with `overwrite`, replaced.
    pub fn open(folder: &Path, head: &Value, overwrite: bool) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let exists = path.exists();
        let found = if exists { read(&path) } else { Ok(None) };
        let trials = match found {
            Ok(Some((old, trials))) if old == *head => Some(trials),
            _ if overwrite || !exists => None,
            Ok(_) => bail!(
                "{} holds the results of another experiment, other settings or other data: replace them with \
                 --overwrite, or save elsewhere with --run NAME",
                quoted(folder)
            ),
            Err(error) => return Err(error),
        };
        if trials.is_none() {
            fs::create_dir_all(folder).map_err(|e| anyhow!("cannot create {}: {e}", folder.display()))?;
            atomic::write(&path, |file| writeln!(file, "{head}"))?;
        } else {
            remove_incomplete_line(&path)?;
        }
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|e| anyhow!("cannot open {}: {e}", path.display()))?;
        Ok(Self { trials: trials.unwrap_or_default(), path, file })
    }

    /// Adds a result and appends it to the file.
    pub fn add(&mut self, trial: Trial) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(&trial)?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|e| anyhow!("cannot write {}: {e}", self.path.display()))?;
        self.trials.push(trial);
        Ok(())
    }

    /// The result of a training run, if it is finished.
    pub fn get(&self, task: Option<&str>, arm: &str, seed: u64) -> Option<&Trial> {
        self.trials.iter().find(|t| t.task.as_deref() == task && t.arm == arm && t.seed == seed)
    }
}

/// The header line of a file, and its results. Ignores an incomplete last line, left by a killed
/// process.
fn read(path: &Path) -> anyhow::Result<Option<(Value, Vec<Trial>)>> {
    let text = fs::read_to_string(path).map_err(|e| anyhow!("cannot read {}: {e}", path.display()))?;
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let Some(Ok(head)) = lines.next().map(serde_json::from_str) else { return Ok(None) };
    let trials = lines.map(serde_json::from_str).collect::<Result<_, _>>();
    let trials =
        trials.map_err(|e| anyhow!("{} is damaged ({e}): start over with --overwrite", path.display()))?;
    Ok(Some((head, trials)))
}

/// Removes an incomplete last line.
fn remove_incomplete_line(path: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).map_err(|e| anyhow!("cannot read {}: {e}", path.display()))?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    if whole.len() < text.len() {
        atomic::write(path, |file| file.write_all(whole.as_bytes()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn trial(arm: &str) -> Trial {
        Trial {
            task: None,
            arm: arm.into(),
            seed: 1,
            measures: [("val_loss".to_string(), 0.1 + 0.2)].into(),
            curve: vec![(1, 1.0 / 3.0)],
            diverged: None,
            seconds: 1.5,
        }
    }

    #[test]
    fn results_survive_a_restart_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        let mut results = Results::open(&folder, &json!({"x": 1}), false).unwrap();
        results.add(trial("one")).unwrap();
        // As left by a process that was killed while writing.
        let path = folder.join(FILE);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"task\":nu");
        fs::write(&path, text).unwrap();
        let mut again = Results::open(&folder, &json!({"x": 1}), false).unwrap();
        assert_eq!(again.trials, [trial("one")]);
        again.add(trial("two")).unwrap();
        let again = Results::open(&folder, &json!({"x": 1}), false).unwrap();
        assert!(again.get(None, "two", 1).is_some() && again.get(None, "two", 2).is_none());
        let error = Results::open(&folder, &json!({"x": 2}), false).unwrap_err().to_string();
        assert!(error.contains("--overwrite") && error.contains("--run"), "{error}");
        assert!(Results::open(&folder, &json!({"x": 2}), true).unwrap().trials.is_empty());
    }
}
