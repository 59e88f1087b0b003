//! A run on disk.

use std::path::PathBuf;

use anyhow::anyhow;
use m2g_core::train::State;
use m2g_core::train::run::LAST;
use serde_json::Value;

/// A run and the metadata of its last checkpoint.
pub struct SavedRun {
    /// The folder.
    pub path: PathBuf,
    /// The metadata.
    pub metadata: Value,
}

impl SavedRun {
    /// The state of its training.
    pub fn state(&self) -> anyhow::Result<State> {
        let file = self.path.join(LAST);
        serde_json::from_value(self.metadata["state"].clone()).map_err(|e| {
            anyhow!("{} is not a usable checkpoint: its state cannot be read ({e})", file.display())
        })
    }
}

/// A note for the case that the data of a run has changed since it was trained.
pub fn changed_data(then: &str, now: &str) -> Option<String> {
    (then != now).then(|| "its data has changed since it was trained; the step uses the current data".into())
}
