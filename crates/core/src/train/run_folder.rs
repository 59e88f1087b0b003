//! The folder of a run: its configuration, its metrics, its checkpoints.
//!
//! ```text
//! runs/NAME/config.toml          the complete configuration
//! runs/NAME/metrics.jsonl        one line per logged step and per evaluation
//! runs/NAME/last.safetensors     parameters, optimiser and state, to resume from
//! runs/NAME/best.safetensors     the parameters with the best score, to use
//! runs/NAME/lock                 locked by the process that trains or changes the run
//! runs/NAME/loss.png             the loss and other things, drawn by the command line; also as .svg
//! ```
//!
//! A folder appears only when it is complete, with the checkpoints of step 0, and every checkpoint
//! replaces the previous one in a single rename: the process may be killed at any moment. Nothing is
//! read to be changed, or changed, before the lock is held.

use std::cell::RefCell;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::metrics::{self, drop_after};
use super::state::State;
use crate::atomic::Lock;
use crate::checkpoint::{Checkpoint, OPTIMIZER, has_checksums, unusable};
use crate::error::in_plain_words;
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

/// What the command line draws into the folder, as `NAME.png` and `NAME.svg`, and of several runs as
/// `NAME-of-2-runs.png`.
pub const DRAWINGS: [&str; 6] = ["loss", "cost", "accuracy", "confusion", "mistakes", "weights"];

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

/// The lock of a run that exists: no other process changes the run until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    lock: Lock,
}

impl RunLock {
    /// Locks the run in a folder, and removes the incomplete files that killed processes left there.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is no run; [`Error::Busy`] if another process trains it;
    /// [`Error::Io`].
    pub fn take(path: &Path) -> Result<Self, Error> {
        check_is_run(path)?;
        let lock = lock(path)?;
        // Not earlier: only a process that may change runs clears up.
        if let Some(parent) = path.canonicalize().as_deref().unwrap_or(path).parent() {
            atomic::sweep(parent);
        }
        atomic::remove_leftover_files(path);
        Ok(Self { path: path.to_path_buf(), lock })
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the run has no progress to lose: no checkpoint and no metrics. Older versions, killed
    /// before their first checkpoint, left such runs.
    pub fn is_blank(&self) -> bool {
        let no_metrics = fs::metadata(self.path.join(METRICS)).map_or(true, |found| found.len() == 0);
        no_metrics && [LAST, BEST].iter().all(|file| self.path.join(file).symlink_metadata().is_err())
    }
}

/// The folder of a run, locked for this process.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    kind: String,
    config: Value,
    /// The new text of [`CONFIG`], until it is saved.
    new_toml: Option<String>,
    metrics: atomic::File,
    lock: Lock,
}

impl RunFolder {
    /// Creates the folder of a new run for this kind of model; `None` for [`Save::Nowhere`].
    /// `toml` and `config` hold the configuration, the first for people, the second for the
    /// checkpoints. `first` saves the first checkpoints: the folder appears with them, and locked.
    ///
    /// # Errors
    /// [`Error::RunExists`] if the folder exists and is not to be replaced, or is not a run; [`Error::Foreign`] if it
    /// holds other files as well; [`Error::Busy`] if another process trains it; [`Error::BeingWritten`] if another
    /// process creates it now; [`Error::Io`].
    pub fn create(
        save: Save<'_>,
        kind: &str,
        toml: &str,
        config: Value,
        first: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<Option<Self>, Error> {
        let (path, overwrite) = match save {
            Save::Nowhere => return Ok(None),
            Save::New(path) => (path, false),
            Save::Replace(path) => (path, true),
        };
        // Held until the new run is in its place.
        let old_lock = RefCell::new(None::<Lock>);
        let may_replace = || {
            // A link that leads nowhere is taken too.
            if path.symlink_metadata().is_err() {
                return Ok(());
            }
            // Other programs have a file of this name too, but not one of the others beside it.
            let beside = [METRICS, LAST, BEST, LOCK];
            let is_run = path.join(CONFIG).is_file() && beside.iter().any(|file| path.join(file).is_file());
            if !overwrite || !is_run {
                return Err(Error::RunExists { path: path.to_path_buf(), is_run });
            }
            check_content(path)?;
            let mut old_lock = old_lock.borrow_mut();
            if old_lock.is_none() {
                *old_lock = Some(lock(path)?);
            }
            Ok(())
        };
        let fill = |new: &Path| {
            atomic::write(&new.join(CONFIG), |f| f.write_all(toml.as_bytes()))?;
            let mut folder = Self::open_files(new, kind, config.clone(), lock(new)?)?;
            first(&mut folder)?;
            Ok::<_, Error>(Some(folder))
        };
        let close = |folder: &mut Option<Self>| {
            *folder = None;
            *old_lock.borrow_mut() = None;
        };
        match atomic::folder_with_open_files(path, may_replace, fill, close)? {
            Some(folder) => Ok(Some(Self { path: path.to_path_buf(), ..folder })),
            None => Self::open_files(path, kind, config, lock(path)?).map(Some),
        }
    }

    /// Opens the folder of a run to resume it from its last checkpoint and its state, from which `restore` makes
    /// what is trained. Once that has not refused them, drops metrics that are newer than the checkpoint: they will
    /// be written again.
    ///
    /// # Errors
    /// [`Error::NeverSaved`] if it has no checkpoint; [`Error::Checkpoint`] if the checkpoint is
    /// damaged or of another kind of model; those of `restore`; [`Error::Io`].
    pub fn resume<T: Float, R>(
        run: RunLock,
        kind: &str,
        restore: impl FnOnce(Checkpoint<T>, &State) -> Result<R, Error>,
    ) -> Result<(Self, State, R), Error> {
        let RunLock { path, lock } = run;
        let checkpoint = load(&path, LAST, kind)?;
        let last = path.join(LAST);
        let state: State = serde_json::from_value(checkpoint.metadata["state"].clone()).map_err(|e| {
            unusable(&last, &format!("its state cannot be read ({})", in_plain_words(&e.to_string())))
        })?;
        if !state.is_possible() {
            let why =
                "its state is not one that training leaves: it was changed, or another version wrote it";
            return Err(unusable(&last, why));
        }
        let config = checkpoint.metadata["config"].clone();
        let restored = restore(checkpoint, &state)?;
        drop_after(&path.join(METRICS), state.step, !state.evaluation_is_due)?;
        let run = Self::open_files(&path, kind, config, lock)?;
        Ok((run, state, restored))
    }

    fn open_files(path: &Path, kind: &str, config: Value, lock: Lock) -> Result<Self, Error> {
        let metrics = path.join(METRICS);
        Ok(Self {
            path: path.to_path_buf(),
            kind: kind.to_string(),
            config,
            new_toml: None,
            metrics: atomic::File::append(&metrics).map_err(Error::io("open", &metrics))?,
            lock,
        })
    }

    /// Whether the lock keeps other processes out: `false` on a file system without locks.
    pub fn is_locked(&self) -> bool {
        self.lock.works()
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes the settings: [`CONFIG`] and the checkpoints have these from the next save on.
    pub fn set_config(&mut self, toml: String, config: Value) {
        (self.new_toml, self.config) = (Some(toml), config);
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

    /// Writes the checkpoints: first the best parameters, if they are new, then the last ones. The
    /// metrics up to here are on the disk before them.
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
        self.metrics.sync_all().map_err(Error::io("write", self.path.join(METRICS)))?;
        if let Some(best) = new_best {
            Checkpoint::new(metadata.clone(), best).save(&self.path.join(BEST))?;
        }
        let mut last = Checkpoint::new(metadata, params);
        for (name, tensor) in optimizer.state(params) {
            last.tensors.insert(format!("{OPTIMIZER}{name}"), tensor);
        }
        if let Some(toml) = &self.new_toml {
            atomic::write(&self.path.join(CONFIG), |f| f.write_all(toml.as_bytes()))?;
        }
        // At the end: the same command does all of it again for a run that is killed before this.
        last.save(&self.path.join(LAST))?;
        self.new_toml = None;
        Ok(())
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
        None => Err(no_kind(run, file)),
    }
}

fn no_kind(run: &Path, file: &str) -> Error {
    unusable(&run.join(file), "it does not say which kind of model it holds")
}

/// Checks that a folder holds a run. If a process was killed while it replaced the run, and left no
/// folder of this name, moves the old one back.
pub(super) fn check_is_run(path: &Path) -> Result<(), Error> {
    atomic::restore(path);
    match fs::metadata(path.join(CONFIG)) {
        Ok(config) if config.is_file() => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Error::io("read", path)(error)),
        _ => Err(Error::NoRun(path.to_path_buf())),
    }
}

/// Checks that a folder holds nothing but a run, or what is left of one, if anything: nothing else is ever deleted.
///
/// # Errors
/// [`Error::Foreign`] if it holds another file or a folder; [`Error::NoRun`] if it holds nothing that only runs have;
/// [`Error::Io`].
pub fn check_content(run: &Path) -> Result<(), Error> {
    let is_drawing = |name: &str| {
        let stem = [".png", ".svg"].iter().find_map(|ending| name.strip_suffix(ending));
        let (drawing, of) = stem.map_or(("", ""), |stem| stem.split_once("-of-").unwrap_or((stem, "2-runs")));
        let number = of.strip_suffix("-runs").is_some_and(|number| number.parse::<usize>().is_ok());
        DRAWINGS.contains(&drawing) && number
    };
    let own = [CONFIG, METRICS, LAST, BEST, LOCK];
    atomic::check_own(run, "a run", |name| own.contains(&name) || is_drawing(name))?;
    let entries = fs::read_dir(run).map_err(Error::io("read", run))?;
    let names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_of_a_run = |name: &String| own.contains(&&**name) || name.starts_with(atomic::PREFIX);
    match names.is_empty() || names.iter().any(is_of_a_run) {
        true => Ok(()),
        false => Err(Error::NoRun(run.to_path_buf())),
    }
}

/// The metadata of a checkpoint of any kind of model.
fn any_metadata(run: &Path, file: &str) -> Result<Value, Error> {
    check_is_run(run)?;
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
    let found = any_metadata(run, file)?;
    match found["kind"].as_str() {
        Some(same) if same == kind => Ok(found),
        Some(other) => {
            Err(Error::OtherKind { run: run.to_path_buf(), found: other.into(), wanted: kind.into() })
        }
        None => Err(no_kind(run, file)),
    }
}

/// A remark on a checkpoint of an older version: it may be damaged, and nobody would notice.
///
/// # Errors
/// As [`Checkpoint::load_metadata`].
pub fn note_on(path: &Path) -> Result<Option<String>, Error> {
    let unchecked = "was written by an older version, without a checksum: damage to it cannot be detected";
    Ok((!has_checksums(path)?).then(|| format!("{} {unchecked}", path.display())))
}

/// Reads the evaluations of a run, one JSON value per line of the metrics.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::TooLarge`] if it is absurdly large.
pub fn metrics(run: &Path) -> Result<Vec<Value>, Error> {
    metrics::evaluations(&run.join(METRICS))
}

/// Reads the logged steps of a run, as [`metrics()`]. Runs of older versions have none.
///
/// # Errors
/// As [`metrics()`].
pub fn logged_steps(run: &Path) -> Result<Vec<Value>, Error> {
    metrics::logged_steps(&run.join(METRICS))
}

/// Locks the run for this process, until the lock is dropped.
///
/// # Errors
/// [`Error::Busy`] if another process trains the run.
pub(super) fn lock(run: &Path) -> Result<Lock, Error> {
    let path = run.join(LOCK);
    let lock = Lock::take(&path).map_err(Error::io("open", &path))?;
    lock.ok_or_else(|| Error::Busy(run.to_path_buf()))
}
