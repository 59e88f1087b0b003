//! The result of one training run of an experiment, an arm, a task, a seed, and what determines it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The result of a training run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The task, if the experiment has several.
    pub task: Option<String>,
    /// The arm.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The measures by name; empty if training diverged.
    pub measures: BTreeMap<String, f64>,
    /// Step and value of the first measure, or of one that is taken during training instead, at each evaluation.
    pub curve: Vec<(u64, f64)>,
    /// The training time in seconds at each evaluation of the curve; empty in results of older versions.
    #[serde(default)]
    pub times: Vec<f64>,
    /// The error that says where training diverged, if it did.
    pub diverged: Option<String>,
    /// The training time in seconds.
    pub seconds: f64,
}

/// What determines the result of a training run with one program. The times are also the machine's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// The kind of model.
    pub model: String,
    /// The complete settings, with the seed and without the place of the data.
    pub settings: Value,
    /// The fingerprint of the data.
    pub data: String,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The result.
    #[serde(flatten)]
    pub trial: Trial,
    /// What determines it.
    #[serde(flatten)]
    pub key: Key,
    /// The measures that were wanted. The curve shows the first, or what stands for it.
    pub wanted: Vec<String>,
}

impl Record {
    /// Whether it holds all measures, and the curve of the first.
    pub fn has(&self, measures: &[&str]) -> bool {
        let wanted = |measure: &&str| self.wanted.iter().any(|known| known == measure);
        measures.iter().all(wanted) && measures.first() == self.wanted.first().map(String::as_str).as_ref()
    }
}
