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
    /// The text that was read, if the model reads text.
    pub text: Option<Text>,
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
    /// The ids of the tokens.
    pub ids: Vec<u32>,
    /// The tokens in readable form; they name the rows of matrices over time.
    pub tokens: Vec<String>,
}

/// The layers and heads of the attention.
pub struct AttentionLayout {
    /// The number of layers.
    pub layers: usize,
    /// The number of heads per layer.
    pub heads: usize,
    /// The keys that a query can see.
    pub mask: Mask,
}
