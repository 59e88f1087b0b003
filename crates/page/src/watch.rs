//! The runs on the disk, each read again only when it has changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use m2g_core::settings::words;
use m2g_core::train::manage::is_training;
use m2g_core::train::run_folder::{BEST, CONFIG, LAST, METRICS};
use serde_json::{Value, json};

use crate::commands::Commands;
use crate::hub::{Hub, lock};
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
        let mut known = lock(&self.known);
        if let Some((_, summary)) = known.get(&run.path).filter(|(old, _)| *old == stamp) {
            return (summary.clone(), false);
        }
        drop(known);
        let mut summary = (commands.summary)(&run.path);
        summary["name"] = json!(run.name);
        in_words(&mut summary["settings"]);
        known = lock(&self.known);
        known.insert(run.path.clone(), (stamp, summary.clone()));
        (summary, true)
    }
}

/// Says each setting as `m2g runs list` does. One that is off stays null.
fn in_words(settings: &mut Value) {
    for value in settings.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if !value.is_null() {
            *value = json!(words::in_words(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_differ_are_said_differently() {
        let said = |floor: f64| {
            let mut settings =
                json!({"schedule": {"kind": "cosine", "floor": floor}, "epochs": 3, "target": null});
            in_words(&mut settings);
            settings
        };
        let want = json!({"schedule": "cosine (floor 0.1)", "epochs": "3", "target": null});
        assert_eq!(said(0.1), want);
        assert_ne!(said(0.1), said(0.5));
    }
}
