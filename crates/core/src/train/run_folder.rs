//! The folder of a run: its configuration, its metrics, its checkpoints.
//!
//! ```text
//! runs/NAME/config.toml          the complete configuration
//! runs/NAME/metrics.jsonl        one line per logged step and per evaluation
//! runs/NAME/last.safetensors     parameters, optimiser and state, to resume from
//! runs/NAME/best.safetensors     the parameters with the best score, to use
//! ```
//!
//! A folder appears only when it is complete, and every checkpoint replaces the previous
//! one in a single rename: the process may be killed at any moment.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::state::State;
use crate::checkpoint::{Checkpoint, OPTIMIZER, has_checksums, unusable};
use crate::optim::Optimizer;
use crate::{Error, Float, Params, atomic};

/// The file with the configuration.
pub const CONFIG: &str = "config.toml";
/// The file with the metrics.
pub const METRICS: &str = "metrics.jsonl";
/// The checkpoint to resume from.
pub const LAST: &str = "last.safetensors";
/// The checkpoint with the best score.
pub const BEST: &str = "best.safetensors";
/// Locked while a process trains the run.
pub const LOCK: &str = "lock";

/// Where a new run is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Save<'a> {
    /// Nowhere: the run exists only in memory.
    Nowhere,
    /// In a new folder.
    New(&'a Path),
    /// In this folder; a run that is already there is replaced.
    Replace(&'a Path),
}

impl<'a> Save<'a> {
    /// [`Save::Replace`] with `overwrite`, else [`Save::New`].
    pub fn at(path: &'a Path, overwrite: bool) -> Self {
        if overwrite { Self::Replace(path) } else { Self::New(path) }
    }
}

/// The folder of a run, locked for this process.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    kind: String,
    config: Value,
    metrics: File,
    _lock: File,
}

impl RunFolder {
    /// Creates the folder of a new run for this kind of model; `None` for [`Save::Nowhere`].
    /// `toml` and `config` hold the configuration, the first for people, the second for the
    /// checkpoints.
    ///
    /// # Errors
    /// [`Error::RunExists`] if the folder exists and is not to be replaced, or is not a
    /// run; [`Error::Busy`] if another process trains it; [`Error::Io`].
    pub fn create(save: Save<'_>, kind: &str, toml: &str, config: Value) -> Result<Option<Self>, Error> {
        let (path, overwrite) = match save {
            Save::Nowhere => return Ok(None),
            Save::New(path) => (path, false),
            Save::Replace(path) => (path, true),
        };
        if path.exists() {
            let is_run = path.join(CONFIG).is_file();
            if !overwrite || !is_run {
                return Err(Error::RunExists { path: path.to_path_buf(), is_run });
            }
            lock(path)?;
        }
        atomic::folder(path, |new| {
            atomic::write(&new.join(CONFIG), |f| f.write_all(toml.as_bytes()))?;
            for name in [METRICS, LOCK] {
                File::create(new.join(name)).map_err(Error::io("create", path.join(name)))?;
            }
            Ok(())
        })?;
        Self::open_files(path, kind, config).map(Some)
    }

    /// Opens the folder of a run to resume it, with its last checkpoint and its state.
    /// Drops metrics that are newer than the checkpoint: they will be written again.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is no run; [`Error::NeverSaved`] if it has no checkpoint;
    /// [`Error::Checkpoint`] if the checkpoint is damaged or of another kind of model;
    /// [`Error::Busy`] if another process trains the run.
    pub fn resume<T: Float>(path: &Path, kind: &str) -> Result<(Self, Checkpoint<T>, State), Error> {
        let checkpoint = load(path, LAST, kind)?;
        let last = path.join(LAST);
        let state: State = serde_json::from_value(checkpoint.metadata["state"].clone())
            .map_err(|e| unusable(&last, &format!("its state cannot be read ({e})")))?;
        drop_metrics_after(&path.join(METRICS), state.step)?;
        let run = Self::open_files(path, kind, checkpoint.metadata["config"].clone())?;
        Ok((run, checkpoint, state))
    }

    fn open_files(path: &Path, kind: &str, config: Value) -> Result<Self, Error> {
        let metrics = path.join(METRICS);
        Ok(Self {
            path: path.to_path_buf(),
            kind: kind.to_string(),
            config,
            metrics: OpenOptions::new()
                .append(true)
                .create(true)
                .open(&metrics)
                .map_err(Error::io("open", &metrics))?,
            _lock: lock(path)?,
        })
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line to the metrics.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn append_metrics(&mut self, record: &impl Serialize) -> Result<(), Error> {
        let mut line = json!(record).to_string();
        line.push('\n');
        self.metrics.write_all(line.as_bytes()).map_err(Error::io("write", self.path.join(METRICS)))
    }

    /// Writes the checkpoints: first the best parameters, if they are new, then the last ones.
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be written; the previous file then stays.
    pub fn save<T: Float>(
        &mut self,
        params: &Params<T>,
        new_best: Option<&Params<T>>,
        optimizer: &dyn Optimizer<T>,
        state: &State,
    ) -> Result<(), Error> {
        let metadata = json!({
            "kind": self.kind, "config": self.config,
            "optimizer": optimizer.name(), "state": state,
        });
        if let Some(best) = new_best {
            Checkpoint::new(metadata.clone(), best).save(&self.path.join(BEST))?;
        }
        let mut last = Checkpoint::new(metadata, params);
        for (name, tensor) in optimizer.state(params) {
            last.tensors.insert(format!("{OPTIMIZER}{name}"), tensor);
        }
        last.save(&self.path.join(LAST))
    }
}

/// Reads a checkpoint of a run: [`LAST`] or [`BEST`].
///
/// # Errors
/// As [`RunFolder::resume`].
pub fn load<T: Float>(run: &Path, file: &str, kind: &str) -> Result<Checkpoint<T>, Error> {
    metadata(run, file, kind)?;
    Checkpoint::load(&run.join(file))
}

/// The kind of model that a run holds.
///
/// # Errors
/// As [`RunFolder::resume`].
pub fn kind(run: &Path, file: &str) -> Result<String, Error> {
    match any_metadata(run, file)?["kind"].as_str() {
        Some(kind) => Ok(kind.to_string()),
        None => Err(unusable(&run.join(file), "it does not say which kind of model it holds")),
    }
}

/// The metadata of a checkpoint of any kind of model.
fn any_metadata(run: &Path, file: &str) -> Result<Value, Error> {
    if !run.join(CONFIG).is_file() {
        return Err(Error::NoRun(run.to_path_buf()));
    }
    let path = run.join(file);
    if !path.exists() {
        return Err(Error::NeverSaved { run: run.to_path_buf(), file: file.to_string() });
    }
    Checkpoint::<f32>::load_metadata(&path)
}

/// Reads the metadata of a checkpoint of a run, without its tensors.
///
/// # Errors
/// As [`RunFolder::resume`].
pub fn metadata(run: &Path, file: &str, kind: &str) -> Result<Value, Error> {
    let (found, path) = (any_metadata(run, file)?, run.join(file));
    if found["kind"] != kind {
        return Err(unusable(&path, &format!("it holds a model of kind {}, not \"{kind}\"", found["kind"])));
    }
    Ok(found)
}

/// A remark on a checkpoint of an older version: it may be damaged, and nobody would notice.
///
/// # Errors
/// As [`Checkpoint::load_metadata`].
pub fn note_on(path: &Path) -> Result<Option<String>, Error> {
    let unchecked = "was written by an older version, without a checksum: damage to it cannot be detected";
    Ok((!has_checksums(path)?).then(|| format!("{} {unchecked}", path.display())))
}

/// Reads the evaluations of a run, one JSON value per line of the metrics. Skips an incomplete last
/// line, which a killed process may leave.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn metrics(run: &Path) -> Result<Vec<Value>, Error> {
    Ok(read_metrics(run)?.into_iter().filter(is_evaluation).collect())
}

/// Reads the logged steps of a run, as [`metrics`]. Runs of older versions have none.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn logged_steps(run: &Path) -> Result<Vec<Value>, Error> {
    Ok(read_metrics(run)?.into_iter().filter(|line| !is_evaluation(line)).collect())
}

/// Whether a line of the metrics is an evaluation, rather than a logged step.
fn is_evaluation(line: &Value) -> bool {
    line.get("train_loss").is_some()
}

fn read_metrics(run: &Path) -> Result<Vec<Value>, Error> {
    let path = run.join(METRICS);
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Removes incomplete lines, and lines that were written after this step.
fn drop_metrics_after(path: &Path, step: u64) -> Result<(), Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io("read", path)(e)),
    };
    let keep = |line: &&str| {
        let value: Result<Value, _> = serde_json::from_str(line);
        line.ends_with('\n') && value.is_ok_and(|v| v["step"].as_u64().is_some_and(|s| s <= step))
    };
    let kept: String = text.split_inclusive('\n').filter(keep).collect();
    if kept.len() == text.len() {
        return Ok(());
    }
    atomic::write(path, |f| f.write_all(kept.as_bytes()))
}

/// Locks the run for this process, until the file is dropped.
///
/// # Errors
/// [`Error::Busy`] if another process trains the run.
pub(super) fn lock(run: &Path) -> Result<File, Error> {
    let path = run.join(LOCK);
    let file = File::create(&path).map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(run.to_path_buf())),
        // The file system has no locks: train without one.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}
