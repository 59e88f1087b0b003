//! The result of one training run of an experiment: an arm, a task, a seed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The result of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The task, if the experiment has several.
    pub task: Option<String>,
    /// The arm.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The measures by name; empty if training diverged.
    pub measures: BTreeMap<String, f64>,
    /// Step and value of the first measure at each evaluation.
    pub curve: Vec<(u64, f64)>,
    /// The error that says where training diverged, if it did.
    pub diverged: Option<String>,
    /// The training time in seconds.
    pub seconds: f64,
}
