//! The stages of a training step.

use m2g_core::trace::{Phase, Record};
use serde::Serialize;

use super::source::Part;

/// A stage of a step, in order. The loss is the last op of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Fetching the examples.
    Batch,
    /// The forward pass up to the inputs of the loss.
    Forward,
    /// The loss.
    Loss,
    /// The backward pass.
    Backward,
    /// Gradient clipping.
    Clip,
    /// The parameter update.
    Update,
}

impl Stage {
    /// The name of the stage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Forward => "forward",
            Self::Loss => "loss",
            Self::Backward => "backward",
            Self::Clip => "clip",
            Self::Update => "update",
        }
    }

    /// The part of the recorded type that ran.
    pub fn part(self, record: &Record) -> Part {
        match (self, record.name.split_once("::")) {
            (_, Some((_, method))) => Part::Method(method),
            (Self::Batch, _) => Part::Batches,
            (Self::Update, _) => Part::Update,
            (Self::Backward, _) => Part::Backward,
            (Self::Forward | Self::Loss, _) if record.to.is_some() => Part::Forward,
            _ => Part::Routine,
        }
    }
}

/// The records with their stages, without the evaluation after the step.
pub fn staged(records: &[Record]) -> Vec<(Stage, &Record)> {
    let next = records.iter().skip(1).map(|r| Some(r.phase)).chain([None]);
    let stage = |(record, next): (&Record, Option<Phase>)| match record.phase {
        Phase::Batch => Some(Stage::Batch),
        Phase::Forward if next == Some(Phase::Backward) => Some(Stage::Loss),
        Phase::Forward => Some(Stage::Forward),
        Phase::Backward => Some(Stage::Backward),
        Phase::Clip => Some(Stage::Clip),
        Phase::Update => Some(Stage::Update),
        Phase::Evaluate => None,
    };
    records.iter().zip(next).filter_map(|pair| Some((stage(pair)?, pair.0))).collect()
}
