//! A run on disk.

use std::path::PathBuf;

use anyhow::anyhow;
use m2g_core::train::State;
use m2g_core::train::run_folder::LAST;
use serde_json::Value;

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
            anyhow!("{} is not a usable checkpoint: its state cannot be read ({e})", file.display())
        })
    }
}

/// A note for a run whose data has changed since it was trained; compares fingerprints.
pub fn changed_data(trained_on: &str, current: &str) -> Option<String> {
    (trained_on != current)
        .then(|| "its data has changed since it was trained; the step uses the current data".into())
}
