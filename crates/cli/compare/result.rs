//! The result of a comparison, printed by `--json` and described by `schema.json`.

use serde::Serialize;

use super::compared::Compared;
use super::functions::{Function, Own, Use, functions, own};
use super::runs::Runs;
use crate::terminal::width::clip;

/// Two models and one step of each.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Always `compare`.
    pub event: &'static str,
    /// The models.
    pub models: [Model; 2],
    /// The number of core functions that both ran.
    pub shared_functions: usize,
    /// The core functions that either ran, in the order of the step.
    pub functions: Vec<Function>,
    /// The comparison of the runs, if both are runs.
    pub runs: Option<Runs>,
}

/// One model of a comparison, with the totals of its step.
#[derive(Debug, Serialize)]
pub struct Model {
    /// The name on the command line.
    pub name: String,
    /// The kind of model: `digits`, `gpt` or `translate`.
    pub kind: &'static str,
    /// The folder of the run, unless the model is untrained.
    pub run: Option<String>,
    /// The data that the step trained on.
    pub data: String,
    /// A description of the batch.
    pub batch: String,
    /// The number of parameters.
    pub parameters: usize,
    /// The number of core functions that ran.
    pub functions: usize,
    /// Their FLOPs.
    pub flops: u64,
    /// Their time in seconds.
    pub seconds: f64,
    /// The share of the FLOPs in shared functions, 0 to 1.
    pub shared_flops_share: f64,
    /// The share of the time in shared functions, 0 to 1.
    pub shared_seconds_share: f64,
    /// The functions of its own crate.
    pub own: Vec<Own>,
    /// Remarks for the reader.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Compares two models.
    pub fn new(models: &[Compared; 2]) -> anyhow::Result<Self> {
        let functions = functions(models.each_ref().map(|model| &model.step.records[..]));
        Ok(Self {
            event: "compare",
            models: [0, 1].map(|side| Model::new(&models[side], side, &functions)),
            shared_functions: functions.iter().filter(|f| f.shared).count(),
            functions,
            runs: match (&models[0].run, &models[1].run) {
                (Some(a), Some(b)) => Some(Runs::new(models, [a, b])?),
                _ => None,
            },
        })
    }

    /// The names of both models, numbered if they are equal.
    pub fn labels(&self) -> [String; 2] {
        let [a, b] = &self.models;
        match a.name == b.name {
            true => [format!("{} (1)", a.name), format!("{} (2)", b.name)],
            false => [a.name.clone(), b.name.clone()],
        }
    }
}

/// Labels for text of this many columns: the middle of a long name is left out.
pub fn short_labels(labels: &[String; 2], columns: usize) -> [String; 2] {
    let [a, b] = labels.each_ref().map(|label| clip(label, (columns / 4).max(MIN_LABEL_COLUMNS)));
    match a == b && labels[0] != labels[1] {
        true => [format!("{a} (1)"), format!("{b} (2)")],
        false => [a, b],
    }
}

/// A name keeps at least this many columns.
const MIN_LABEL_COLUMNS: usize = 10;

impl Model {
    fn new(model: &Compared, side: usize, functions: &[Function]) -> Self {
        let step = &model.step;
        let ran = |shared_only: bool| {
            let chosen = functions.iter().filter(move |f| f.shared || !shared_only);
            chosen.filter_map(move |f| f.runs[side].as_ref())
        };
        let shared = |share: fn(&Use) -> f64| ran(true).map(share).sum::<f64>().min(1.0);
        Self {
            name: model.name.clone(),
            kind: model.kind.name(),
            run: model.run.as_ref().map(|run| run.path.display().to_string()),
            data: step.data.clone(),
            batch: step.batch.clone(),
            parameters: step.params.count(),
            functions: ran(false).count(),
            flops: ran(false).map(|r| r.flops).sum(),
            seconds: ran(false).map(|r| r.seconds).sum(),
            shared_flops_share: shared(|r| r.flops_share),
            shared_seconds_share: shared(|r| r.seconds_share),
            own: own(&step.records),
            notes: step.notes.clone(),
        }
    }
}
