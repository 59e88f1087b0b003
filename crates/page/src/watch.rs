//! The runs on the disk, each read again only when it has changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use m2g_core::train::manage::is_training;
use m2g_core::train::run_folder::{BEST, CONFIG, LAST, METRICS};
use serde_json::{Value, json};

use crate::commands::Commands;
use crate::hub::Hub;
use crate::models::Listed;

/// What a run looks like from outside: it is read again only if this has changed.
#[derive(Debug, Clone, PartialEq)]
struct Stamp {
    files: [Option<(SystemTime, u64)>; 4],
    training: bool,
}

impl Stamp {
    fn of(run: &Path) -> Self {
        let file = |name: &str| {
            let found = run.join(name).metadata().ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Self { files: [CONFIG, LAST, BEST, METRICS].map(file), training: is_training(run) }
    }
}

/// What is known of the runs.
#[derive(Debug, Default)]
pub struct Watch {
    /// The open streams.
    pub hub: Hub,
    known: Mutex<HashMap<PathBuf, (Stamp, Value)>>,
    /// Whether a thread looks at the folders.
    pub looking: AtomicBool,
}

impl Watch {
    /// The summary of a run under its name on the page, and whether it has changed.
    pub fn summary(&self, commands: &Commands, run: &Listed) -> (Value, bool) {
        let stamp = Stamp::of(&run.path);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, summary)) = known.get(&run.path).filter(|(old, _)| *old == stamp) {
            return (summary.clone(), false);
        }
        drop(known);
        let mut summary = (commands.summary)(&run.path);
        summary["name"] = json!(run.name);
        known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(run.path.clone(), (stamp, summary.clone()));
        (summary, true)
    }
}
