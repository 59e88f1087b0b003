//! An inspected step: every op with its shapes and costs, every value under its name.
//!
//! A [`Step`] is recorded from a model's forward pass, and keeps all values. What a person sees of it is read
//! from its trace, so nothing here knows a model: a model names its layers, its letters and its attention.
//!
//! | file | holds |
//! | --- | --- |
//! | `step` | [`Step`]: the recorded step and its values |
//! | `axes` | [`Letters`], and the names of the axes of every value |
//! | `statistics` | [`Statistics`] of a value |
//! | `inspection` | [`Inspection`]: a step with the texts, the attention and the answer of its model |
//! | `json` | all of it as JSON |

pub mod axes;
mod inspection;
mod json;
mod statistics;
mod step;

pub use axes::{Letter, Letters};
pub use inspection::{AttentionGroup, AttentionLayer, AttentionLayout, Inspection, Prediction, Text};
pub use json::{HeadMatrix, MATRICES, attention_layers, direction, heads, nested};
pub use statistics::Statistics;
pub use step::{Layer, Step};
