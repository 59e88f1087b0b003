//! What other commands of the program answer.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// What other commands of the program answer, as their `--json` prints it.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    /// The folders of all runs in runs/.
    pub folders: fn() -> anyhow::Result<Vec<PathBuf>>,
    /// The folder of a new run of this kind or, if it is good, with this name.
    pub new_run: fn(&str, Option<&str>) -> anyhow::Result<PathBuf>,
    /// What `m2g runs list` says of a run.
    pub summary: fn(&Path) -> Value,
    /// What `m2g compare` says of two models or runs.
    pub compare: fn(&str, &str) -> anyhow::Result<Value>,
    /// The function that starts at a line of a source file or, with `true`, the lines around a line, and the
    /// function that it is in.
    pub source: fn(&str, usize, bool) -> Option<Value>,
    /// What `m2g translate ask` says of a word.
    pub ask: fn(&Path, &str, &str) -> anyhow::Result<Value>,
    /// The measured results of the experiments of `m2g lab` with this name.
    pub lab: fn(&str) -> Vec<Value>,
}
