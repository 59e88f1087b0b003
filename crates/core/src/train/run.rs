//! The folder of a run: what was asked for, how it went, what came out.
//!
//! ```text
//! runs/NAME/config.toml          the complete configuration
//! runs/NAME/metrics.jsonl        a line for each evaluation
//! runs/NAME/last.safetensors     parameters, optimiser and state: to go on
//! runs/NAME/best.safetensors     the parameters with the best score: to use
//! ```
//!
//! A folder appears only when it is whole, and every checkpoint replaces the one
//! before in one rename: the process may be killed at any moment.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::State;
use crate::checkpoint::{Checkpoint, unusable};
use crate::optim::Optimizer;
use crate::{Error, Float, Params, atomic};

/// The version of the checkpoints' metadata.
const FORMAT: u64 = 1;

/// A run that this process trains, and no other.
#[derive(Debug)]
pub struct RunFolder<T: Float> {
    path: PathBuf,
    kind: String,
    config: Value,
    /// The best parameters, while they are not yet on the disk.
    best: Option<Params<T>>,
    metrics: File,
    _lock: File,
}

/// The file with the configuration.
pub const CONFIG: &str = "config.toml";
/// The file with the metrics.
pub const METRICS: &str = "metrics.jsonl";
/// The checkpoint to go on from.
pub const LAST: &str = "last.safetensors";
/// The checkpoint with the best score.
pub const BEST: &str = "best.safetensors";
/// Held while a process trains.
const LOCK: &str = "lock";

impl<T: Float> RunFolder<T> {
    /// Makes the folder of a new run of a model of this kind. `toml` and `config`
    /// are its configuration, for people and for the checkpoints.
    ///
    /// # Errors
    /// [`Error::RunExists`] if there is one and `overwrite` is false; [`Error::Io`].
    pub fn create(
        path: &Path,
        kind: &str,
        toml: &str,
        config: Value,
        overwrite: bool,
    ) -> Result<Self, Error> {
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
        Self::open_files(path, kind, config)
    }

    /// Opens a run to go on with it: its folder, its checkpoint and its state.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is none; [`Error::Checkpoint`] if its checkpoint
    /// cannot be used or is of another kind of model; [`Error::Busy`] if another
    /// process trains it.
    pub fn resume(path: &Path, kind: &str) -> Result<(Self, Checkpoint<T>, State), Error> {
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
            best: None,
            metrics: OpenOptions::new()
                .append(true)
                .create(true)
                .open(&metrics)
                .map_err(Error::io("open", &metrics))?,
            _lock: lock(path)?,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line to the metrics.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn append_metrics(&mut self, record: &impl Serialize) -> Result<(), Error> {
        let mut line = json!(record).to_string();
        line.push('\n');
        self.metrics.write_all(line.as_bytes()).map_err(Error::io("write", self.path.join(METRICS)))
    }

    /// Remembers these parameters as the best; the next [`RunFolder::save`] writes them.
    pub fn keep_best(&mut self, params: &Params<T>) {
        self.best = Some(params.clone());
    }

    /// Writes the checkpoints: the best, if it is new, then the last.
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be written; the files before stay.
    pub fn save(
        &mut self,
        params: &Params<T>,
        optimizer: &dyn Optimizer<T>,
        state: &State,
    ) -> Result<(), Error> {
        let metadata = json!({
            "format": FORMAT, "kind": self.kind, "config": self.config,
            "optimizer": optimizer.name(), "state": state,
        });
        if let Some(best) = &self.best {
            Checkpoint::new(metadata.clone(), best).save(&self.path.join(BEST))?;
            self.best = None;
        }
        let mut last = Checkpoint::new(metadata, params);
        for (name, tensor) in optimizer.state(params) {
            last.tensors.insert(format!("optimizer.{name}"), tensor);
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

/// Which kind of model a run holds.
///
/// # Errors
/// As [`RunFolder::resume`].
pub fn kind(run: &Path, file: &str) -> Result<String, Error> {
    match any_metadata(run, file)?["kind"].as_str() {
        Some(kind) => Ok(kind.to_string()),
        None => Err(unusable(&run.join(file), "it does not say which kind of model it holds")),
    }
}

/// What a checkpoint says of itself, whatever it holds.
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

/// Reads what a checkpoint of a run says of itself, without its tensors.
///
/// # Errors
/// As [`RunFolder::resume`].
pub fn metadata(run: &Path, file: &str, kind: &str) -> Result<Value, Error> {
    let (found, path) = (any_metadata(run, file)?, run.join(file));
    if found["kind"] != kind {
        return Err(unusable(&path, &format!("it holds a model of kind {}, not \"{kind}\"", found["kind"])));
    }
    match found["format"].as_u64() {
        Some(FORMAT) => Ok(found),
        _ => Err(unusable(&path, &format!("its format is {}, this m2g reads {FORMAT}", found["format"]))),
    }
}

/// Reads the metrics of a run, one JSON value a line. A last line without its end,
/// which a killed process leaves, does not count.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn metrics(run: &Path) -> Result<Vec<Value>, Error> {
    let path = run.join(METRICS);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    Ok(text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Removes the lines that were written after the checkpoint: they will come again.
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

/// Takes the run for this process.
fn lock(run: &Path) -> Result<File, Error> {
    let path = run.join(LOCK);
    let file = File::create(&path).map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(run.to_path_buf())),
        // A file system without locks: go on without.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}
