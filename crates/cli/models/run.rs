//! A run on disk.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use m2g_core::Error;
use m2g_core::error::in_plain_words;
use m2g_core::train::run_folder::{self, LAST};
use m2g_core::train::{Session, SessionModel, State};
use serde_json::Value;

use crate::terminal::lines::note;

/// A run and the metadata of its last checkpoint.
pub struct SavedRun {
    /// The folder.
    pub path: PathBuf,
    /// The metadata.
    pub metadata: Value,
}

impl SavedRun {
    /// The training state at the last checkpoint.
    pub fn state(&self) -> anyhow::Result<State> {
        let file = self.path.join(LAST);
        serde_json::from_value(self.metadata["state"].clone()).map_err(|e| {
            let why = in_plain_words(&e.to_string());
            anyhow!("{} is not a usable checkpoint: its state cannot be read ({why})", file.display())
        })
    }
}

/// The model of a checkpoint, and its description.
pub fn load<M: SessionModel>(run: &Path, file: &str) -> Result<(M, M::Description), Error> {
    let loaded = Session::<M>::load(run, file)?;
    tell_of_missing_checksum(run, file)?;
    Ok(loaded)
}

/// Tells the user if a checkpoint has no checksum, so that damage to it would go unnoticed.
pub fn tell_of_missing_checksum(run: &Path, file: &str) -> Result<(), Error> {
    run_folder::note_on(&run.join(file))?.iter().for_each(|text| note(text));
    Ok(())
}

/// A note for a run whose data has changed since it was trained; compares fingerprints.
pub fn changed_data(trained_on: &str, current: &str) -> Option<String> {
    (trained_on != current)
        .then(|| "its data has changed since it was trained; the step uses the current data".into())
}

/// The error for a run whose data are no longer where they were; `instead` is what else helps.
pub fn data_is_gone(data: &str, instead: Option<&str>) -> anyhow::Error {
    let or_instead = instead.map_or(String::new(), |instead| format!(", or {instead}"));
    anyhow!("{data}, which the run was trained on, is gone: put it back{or_instead}")
}
