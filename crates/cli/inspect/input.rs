//! The input and the result of an inspection.

use std::path::PathBuf;

use clap::Args;
use m2g_core::Mask;

use super::step::Step;

/// The input of the step.
#[derive(Args)]
pub struct Input {
    /// The text that a GPT or a translation model reads [default: a short sentence].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "image")]
    pub prompt: Option<String>,
    /// The picture that a digit network reads, PNG or JPEG [default: the first test image].
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// The digit in the picture; --backward needs it.
    #[arg(long, value_name = "DIGIT", requires = "image")]
    pub label: Option<usize>,
    /// Also run backward, from the loss to every gradient.
    #[arg(long)]
    pub backward: bool,
}

/// An inspected step, with the data that only some models have.
pub struct Inspection {
    /// The step with all values.
    pub step: Step,
    /// The texts that were read: none, one, or source and target.
    pub texts: Vec<Text>,
    /// The layout of the attention, if the model has attention.
    pub attention: Option<AttentionLayout>,
    /// The answer of the model.
    pub prediction: Option<Prediction>,
}

/// The answer of a model: what it could say, with probabilities.
pub struct Prediction {
    /// What is predicted: `digit`, or `next token`.
    pub what: &'static str,
    /// The likeliest answers with their probabilities, the likeliest first.
    pub ranked: Vec<(String, f64)>,
    /// The right answer, if it is known.
    pub truth: Option<String>,
}

impl Prediction {
    /// The `n` likeliest of these probabilities. `name` names the answer with an index.
    pub fn likeliest(
        what: &'static str,
        probabilities: &[f64],
        n: usize,
        name: impl Fn(usize) -> String,
    ) -> Self {
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let ranked = order.into_iter().take(n).map(|i| (name(i), probabilities[i])).collect();
        Self { what, ranked, truth: None }
    }
}

/// A text as the model reads it.
pub struct Text {
    /// The letter of its axis.
    pub axis: &'static str,
    /// The ids of the tokens.
    pub ids: Vec<u32>,
    /// The tokens in readable form; they name the rows of matrices over time.
    pub tokens: Vec<String>,
}

/// The attention of a model.
pub struct AttentionLayout {
    /// The number of heads per layer.
    pub heads: usize,
    /// The attention layers, in groups of the same kind.
    pub groups: Vec<AttentionGroup>,
}

/// Attention layers in which the same tokens attend to the same tokens.
pub struct AttentionGroup {
    /// What it is: `self-attention`, `cross-attention`.
    pub name: &'static str,
    /// The layers.
    pub layers: Vec<AttentionLayer>,
    /// The keys that a query can see.
    pub mask: Mask,
    /// The tokens that attend, a row each.
    pub queries: Vec<String>,
    /// The tokens that they attend to, a column each.
    pub keys: Vec<String>,
}

/// An attention layer.
pub struct AttentionLayer {
    /// The number of its block.
    pub number: usize,
    /// What the labels of its matrices begin with: `h.0.attn`.
    pub label: String,
    /// Its title in drawings: `layer 0`.
    pub title: String,
}

impl AttentionGroup {
    /// The layers of one block, or all.
    pub fn layers_of(&self, block: Option<usize>) -> impl Iterator<Item = &AttentionLayer> {
        self.layers.iter().filter(move |layer| block.is_none_or(|block| layer.number == block))
    }
}
