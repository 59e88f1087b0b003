//! An inspected step: what was read, where the attention is, and what the model answers.

use serde_json::{Value, json};

use super::step::Step;
use crate::Mask;

/// An inspected step, with the data that only some models have.
#[derive(Debug)]
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
#[derive(Debug, Clone)]
pub struct Prediction {
    /// What is predicted, such as `next token`.
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

    /// The answers as JSON.
    pub fn json(&self) -> Value {
        let ranked = self.ranked.iter().map(|(name, p)| json!({"name": name, "probability": p}));
        json!({"what": self.what, "truth": self.truth, "ranked": ranked.collect::<Vec<_>>()})
    }
}

/// A text as the model reads it.
#[derive(Debug, Clone)]
pub struct Text {
    /// The letter of its axis.
    pub axis: &'static str,
    /// The ids of the tokens.
    pub ids: Vec<u32>,
    /// The tokens in readable form; they name the rows of matrices over time.
    pub tokens: Vec<String>,
}

/// The attention of a model.
#[derive(Debug, Clone)]
pub struct AttentionLayout {
    /// The number of heads per layer.
    pub heads: usize,
    /// The attention layers, in groups of the same kind.
    pub groups: Vec<AttentionGroup>,
}

/// Attention layers in which the same tokens attend to the same tokens.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
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
