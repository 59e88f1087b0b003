//! A GPT in memory: its gradients, and a step to inspect.

use std::path::Path;

use anyhow::bail;
use m2g_core::nn::Positions;
use m2g_core::train::Model;
use m2g_core::{Grads, Params, Tokens};
use m2g_gpt::data::Corpus;
use m2g_gpt::training::{Description, Training};
use m2g_gpt::{Config, Gpt, GptConfig, TokenBatch};
use m2g_text::Tokenizer;

use crate::inspect::axes::Letters;
use crate::inspect::input::{
    AttentionGroup, AttentionLayer, AttentionLayout, Input, Inspection, Prediction, Text,
};
use crate::inspect::positions::PositionSettings;
use crate::inspect::prompt;
use crate::inspect::step::{Layer, Step};
use crate::models::kind::OpenModel;

/// The number of likely next tokens to show.
const SHOWN_TOKENS: usize = 10;

/// A GPT built from unfused ops, so that every matrix can be inspected, and its description.
pub struct OpenGpt {
    gpt: Gpt<f32>,
    description: Description,
    /// Whether it has its initial weights.
    untrained: bool,
}

impl OpenGpt {
    /// The GPT that `m2g gpt train` starts with, but with GPT-2's tokenizer, so that it can read
    /// any text.
    pub fn untrained() -> anyhow::Result<Self> {
        let tokenizer = Tokenizer::gpt2();
        let config = Config { tokenizer: tokenizer.name(), ..Default::default() };
        let model = config.model(tokenizer.vocab_size());
        let gpt = unfused(Gpt::new(model.clone(), config.seed)?)?;
        let description = Description { config, model, tokenizer: Some(tokenizer), data: String::new() };
        Ok(Self { gpt, description, untrained: true })
    }

    /// The GPT in a checkpoint of a run.
    pub fn load(run: &Path, file: &str) -> anyhow::Result<Self> {
        let (gpt, description) = Training::load_unchecked(run, file)?;
        Ok(Self { gpt: unfused(gpt)?, description, untrained: false })
    }
}

/// The same model, built from unfused ops.
pub fn unfused(gpt: Gpt<f32>) -> anyhow::Result<Gpt<f32>> {
    let config = GptConfig { fused: false, ..gpt.config().clone() };
    let mut same = Gpt::zeros(config)?;
    *same.params_mut() = gpt.params().clone();
    Ok(same)
}

impl OpenModel for OpenGpt {
    fn params(&self) -> &Params<f32> {
        self.gpt.params()
    }

    fn gradients(&self) -> anyhow::Result<(Grads<f32>, f64)> {
        let description = &self.description;
        if description.data.is_empty() && !self.untrained {
            bail!("this model was imported and has no training data");
        }
        let corpus = Corpus::load_configured(&description.config, description.tokenizer.as_ref())?;
        if corpus.tokenizer != description.tokenizer {
            bail!("the vocabulary of {} has changed since the run was trained", description.config.data);
        }
        Ok(Training::first_gradients(&self.gpt, description, &corpus)?)
    }

    fn tied_parameter(&self) -> Option<(&'static str, &'static str)> {
        self.gpt.config().tie_weights.then_some(("wte.weight", "lm_head.weight"))
    }

    /// Runs one text through the model. With `backward`, each token but the first is predicted
    /// from those before it, so the model reads all but the last.
    fn inspect(&self, input: &Input) -> anyhow::Result<Inspection> {
        let config = self.gpt.config();
        let tokenizer = self.description.tokenizer.as_ref();
        let max_tokens = config.block_size + usize::from(input.backward);
        let ids = prompt::tokens(input.prompt.as_deref(), tokenizer, (config.vocab_size, max_tokens))?;
        if input.backward && ids.len() < 2 {
            bail!(
                "--backward predicts each token from those before it: give a --prompt of at least two tokens"
            );
        }
        let t = ids.len() - usize::from(input.backward);
        let layer = |i: usize| Layer {
            number: i,
            after: Some(if i == 0 { "embedded".into() } else { format!("h.{}", i - 1) }),
            last: Some(format!("h.{i}")),
        };
        let layers = (0..config.n_layer).map(layer).collect();
        let x = Tokens::new([1, t], &ids[..t])?;
        let step =
            Step::record(&self.gpt, input.backward, letters(config, 1, t), layers, |tape| {
                match input.backward {
                    false => self.gpt.forward(tape, &x).map(|_| None),
                    true => {
                        let y = Tokens::new([1, t], &ids[1..])?;
                        self.gpt.loss(tape, &TokenBatch { x, y }).map(Some)
                    }
                }
            })?;
        let ids = ids[..t].to_vec();
        let tokens: Vec<String> = ids.iter().map(|&id| prompt::readable(id, tokenizer)).collect();
        let layer = |number: usize| AttentionLayer {
            number,
            label: format!("h.{number}.attn"),
            title: format!("layer {number}"),
        };
        let group = AttentionGroup {
            name: "self-attention",
            layers: (0..config.n_layer).map(layer).collect(),
            mask: config.mask.clone(),
            queries: tokens.clone(),
            keys: tokens.clone(),
        };
        let attention = AttentionLayout { heads: config.n_head, groups: vec![group] };
        let prediction = next_tokens(&step, tokenizer);
        let text = Text { axis: "T", ids, tokens };
        Ok(Inspection { step, texts: vec![text], attention: Some(attention), prediction })
    }

    fn positions(&self) -> Option<PositionSettings> {
        let config = self.gpt.config();
        let learned = self.gpt.params().iter().find(|p| p.name == "wpe.weight").map(|p| p.value.clone());
        Some(PositionSettings {
            block_size: config.block_size,
            n_embd: config.n_embd,
            base: config.positions_base,
            added: learned.is_some() || config.positions == Positions::Sinusoidal,
            learned: learned.map(|table| ("wpe.weight", table)).into_iter().collect(),
        })
    }
}

/// The likeliest tokens after the last one: the softmax of the last row of the logits, `(1, T, V)`.
fn next_tokens(step: &Step, tokenizer: Option<&Tokenizer>) -> Option<Prediction> {
    let logits = step.tape.value(step.labelled("logits")?);
    let v = *logits.shape().last()?;
    let row = &logits.data()[logits.data().len().checked_sub(v)?..];
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f64> = row.iter().map(|&z| f64::from(z - largest).exp()).collect();
    let sum = exps.iter().sum::<f64>();
    let probabilities: Vec<f64> = exps.iter().map(|e| e / sum).collect();
    // A space is part of a token, and would be invisible.
    let name = |i: usize| prompt::readable(i as u32, tokenizer).replace(' ', "\u{2423}");
    Some(Prediction::likeliest("next token", &probabilities, SHOWN_TOKENS, name))
}

/// The axes of a GPT that reads B sequences of T tokens.
fn letters(config: &GptConfig, b: usize, t: usize) -> Letters {
    let (c, h) = (config.n_embd, config.n_head);
    Letters::new(
        &[
            ("B", b, "sequences"),
            ("T", t, "tokens"),
            ("C", c, "elements per token"),
            ("H", h, "heads"),
            ("D", c / h, "elements per head"),
            ("V", config.vocab_size, "tokens in the vocabulary"),
            ("block_size", config.block_size, "the longest sequence"),
            ("3 C", 3 * c, ""),
            ("4 C", 4 * c, ""),
        ],
        parameter_axes,
        |_| &[],
    )
}

fn parameter_axes(name: &str) -> &'static [&'static str] {
    match name {
        "wte.weight" | "lm_head.weight" => &["V", "C"],
        "wpe.weight" => &["block_size", "C"],
        _ if name.ends_with("attn.c_attn.weight") => &["3 C", "C"],
        _ if name.ends_with("attn.c_attn.bias") => &["3 C"],
        _ if name.ends_with("attn.c_proj.weight") => &["C", "C"],
        _ if name.ends_with("score.weight") => &["H", "D"],
        _ if name.ends_with("mlp.c_fc.weight") => &["4 C", "C"],
        _ if name.ends_with("mlp.c_fc.bias") => &["4 C"],
        _ if name.ends_with("mlp.c_proj.weight") => &["C", "4 C"],
        _ => &["C"],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::Tape;
    use m2g_core::nn::Score;

    use super::*;
    use crate::inspect::axes::{of_values, tuple};

    #[test]
    fn letters_are_right_even_where_sizes_coincide() {
        // T = H = D = 4, V = 3 C = 48, block_size = C.
        let config = Config {
            n_layer: 1,
            n_head: 4,
            n_embd: 16,
            block_size: 16,
            fused: false,
            score: Score::Cosine,
            tie_weights: false,
            ..Config::default()
        };
        let gpt = Gpt::<f32>::new(config.model(48), 1).unwrap();
        let mut tape = Tape::new();
        tape.trace.switch(true);
        gpt.forward(&mut tape, &Tokens::new([1, 4], vec![1, 2, 3, 4]).unwrap()).unwrap();
        let names = of_values(&letters(gpt.config(), 1, 4), &tape, gpt.params());
        let of = |label: &str| {
            let (var, _) = tape.trace.labels().iter().find(|(_, name)| name == label).unwrap();
            tuple(&names[var])
        };
        for (label, want) in [
            ("wte", "(B, T, C)"),
            ("wpe", "(1, T, C)"),
            ("embedded", "(B, T, C)"),
            ("h.0.attn.c_attn", "(B, T, 3 C)"),
            ("h.0.attn.q", "(B, H, T, D)"),
            ("h.0.attn.scores", "(B, H, T, T)"),
            ("h.0.attn.weights", "(B, H, T, T)"),
            ("h.0.attn.c_proj", "(B, T, C)"),
            ("h.0.mlp.gelu", "(B, T, 4 C)"),
            ("logits", "(B, T, V)"),
        ] {
            assert_eq!(of(label), want, "{label}");
        }
    }
}
