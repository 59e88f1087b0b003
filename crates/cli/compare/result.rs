//! All that is compared: what `--json` writes, and `schema.json` describes.

use serde::Serialize;

use super::runs::Runs;
use super::side::Side;
use super::step::{Function, Own, Use, functions, own};

/// Two models, and one step of each.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Always `compare`.
    pub event: &'static str,
    /// Both models.
    pub models: [Model; 2],
    /// How many core functions both ran.
    pub shared_functions: usize,
    /// Every core function that either ran, in the order of the step.
    pub functions: Vec<Function>,
    /// What is compared of two runs; none unless both are runs.
    pub runs: Option<Runs>,
}

/// One model of a comparison, and its step as a whole.
#[derive(Debug, Serialize)]
pub struct Model {
    /// What was asked for.
    pub name: String,
    /// `digits` or `gpt`.
    pub kind: &'static str,
    /// The folder of the run, if it is one.
    pub run: Option<String>,
    /// The data of the step.
    pub data: String,
    /// What a batch is.
    pub batch: String,
    /// How many parameters it has.
    pub parameters: usize,
    /// How many core functions it ran.
    pub functions: usize,
    /// FLOPs of them.
    pub flops: u64,
    /// Seconds of them.
    pub seconds: f64,
    /// The share of the FLOPs that went through shared functions, 0 to 1.
    pub shared_flops_share: f64,
    /// The share of the time, 0 to 1.
    pub shared_seconds_share: f64,
    /// What it ran of its own crate.
    pub own: Vec<Own>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Compares two sides.
    pub fn new(sides: &[Side; 2]) -> anyhow::Result<Self> {
        let functions = functions([&sides[0].records, &sides[1].records]);
        Ok(Self {
            event: "compare",
            models: [0, 1].map(|side| Model::new(&sides[side], side, &functions)),
            shared_functions: functions.iter().filter(|f| f.shared).count(),
            functions,
            runs: match (&sides[0].run, &sides[1].run) {
                (Some(a), Some(b)) => Some(Runs::new(sides, [a, b])?),
                _ => None,
            },
        })
    }

    /// The names of both, told apart if they are the same.
    pub fn labels(&self) -> [String; 2] {
        let [a, b] = &self.models;
        match a.name == b.name {
            true => [format!("{} (1)", a.name), format!("{} (2)", b.name)],
            false => [a.name.clone(), b.name.clone()],
        }
    }
}

impl Model {
    fn new(its: &Side, side: usize, functions: &[Function]) -> Self {
        let ran = |shared_only: bool| {
            let chosen = functions.iter().filter(move |f| f.shared || !shared_only);
            chosen.filter_map(move |f| f.runs[side].as_ref())
        };
        let shared = |share: fn(&Use) -> f64| ran(true).map(share).sum::<f64>().min(1.0);
        Self {
            name: its.name.clone(),
            kind: its.kind,
            run: its.run.as_ref().map(|run| run.path.display().to_string()),
            data: its.data.clone(),
            batch: its.batch.clone(),
            parameters: its.params.count(),
            functions: ran(false).count(),
            flops: ran(false).map(|r| r.flops).sum(),
            seconds: ran(false).map(|r| r.seconds).sum(),
            shared_flops_share: shared(|r| r.flops_share),
            shared_seconds_share: shared(|r| r.seconds_share),
            own: own(&its.records),
            notes: its.notes.clone(),
        }
    }
}
