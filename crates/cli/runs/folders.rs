//! The folders in runs/, and the run that someone meant by a name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use m2g_core::error::nearest;
use m2g_core::train::run_folder::CONFIG;

use super::name::EXPERIMENTS;
use crate::flags::RUNS;

/// The folders in runs/, without hidden ones and the results of experiments.
pub fn folders() -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new(RUNS);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|e| anyhow!("cannot read {RUNS}: {e}"))?;
    let folders = entries.flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let experiments = name == EXPERIMENTS && !entry.path().join(CONFIG).exists();
        entry.path().is_dir() && !name.starts_with('.') && !experiments
    });
    Ok(folders.map(|entry| entry.path()).collect())
}

/// The run in runs/ that someone may have meant by a path there, or one of these models.
pub fn meant<'a>(path: &Path, models: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let name = path.strip_prefix(RUNS).ok()?.to_str()?;
    let folders = folders().unwrap_or_default();
    let mut known: Vec<&str> = models.into_iter().collect();
    known.extend(folders.iter().filter_map(|folder| folder.file_name()?.to_str()));
    // A folder of this very name holds no run.
    known.retain(|known| *known != name);
    nearest(name, known).map(String::from)
}
