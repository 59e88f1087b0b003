//! One step of a GPT with every value under its name, and what can be asked of it afterwards.

use m2g_core::inspect::{
    AttentionGroup, AttentionLayer, AttentionLayout, Inspection, Layer, Letters, Prediction, Step, Text,
};
use m2g_core::settings::SettingValue;
use m2g_core::train::Model;
use m2g_core::{Error, Tape, Tensor, Tokens, memory};
use m2g_text::Tokenizer;
use m2g_text::sampler::softmax;
use m2g_text::tokenizer::readable;

use crate::training::Description;
use crate::{Config, Gpt, GptConfig, TokenBatch};

/// The number of likely next tokens to show.
const SHOWN_TOKENS: usize = 10;

/// The default texts: the first that the tokenizer can encode. If there is none, the characters that it does not know
/// are dropped.
const SENTENCES: [&str; 2] =
    ["The pizza came out of the oven and it tasted good", "La pizza salió del horno y sabía bien"];

/// The tokens of a short sentence that the tokenizer knows, or as far as it knows its characters; without a tokenizer,
/// the first ids. At most `max_tokens`, from a vocabulary of size `v`.
pub fn default_tokens(tokenizer: Option<&Tokenizer>, v: usize, max_tokens: usize) -> Vec<u32> {
    let encode = |text: &str| tokenizer.and_then(|t| t.encode(text).ok()).filter(|ids| !ids.is_empty());
    let known = || SENTENCES[0].chars().filter(|c| encode(&c.to_string()).is_some()).collect::<String>();
    let mut ids = SENTENCES
        .iter()
        .find_map(|text| encode(text))
        .or_else(|| encode(&known()))
        .unwrap_or_else(|| (0..v.min(8) as u32).collect());
    ids.truncate(max_tokens);
    ids
}

/// The GPT that training starts with by default, but with GPT-2's tokenizer, so that it can read any text; and its
/// description.
///
/// # Errors
/// None: the default settings are valid.
pub fn untrained() -> Result<(Gpt<f32>, Description), Error> {
    let tokenizer = Tokenizer::gpt2();
    let config = Config { tokenizer: tokenizer.name(), ..Default::default() };
    let model = config.model(tokenizer.vocab_size());
    let gpt = Gpt::new(model.clone(), config.seed)?;
    Ok((gpt, Description { config, model, tokenizer: Some(tokenizer), data: String::new() }))
}

impl Gpt<f32> {
    /// The same weights under other settings, such as another score or mask.
    ///
    /// # Errors
    /// [`Error::Setting`] if the settings need other parameters, or are invalid.
    pub fn with_config(&self, config: GptConfig) -> Result<Self, Error> {
        let mut same = Self::zeros(config)?;
        let shapes = |gpt: &Self| {
            let params = gpt.params().iter();
            params.map(|p| (p.name.clone(), p.value.shape().to_vec())).collect::<Vec<_>>()
        };
        if shapes(self) != shapes(&same) {
            let rule = "it needs parameters that this model does not have";
            let value = same.config().score.to_text();
            return Err(Error::Setting { name: "score", value, rule });
        }
        *same.params_mut() = self.params().clone();
        Ok(same)
    }

    /// The same model, built from unfused ops, so that every matrix can be inspected.
    ///
    /// # Errors
    /// None: the settings are those of this model.
    pub fn unfused(&self) -> Result<Self, Error> {
        self.with_config(GptConfig { fused: false, ..self.config().clone() })
    }

    /// Runs tokens through the model, which must be [unfused](Gpt::unfused) for its attention to be visible. With
    /// `backward`, each token but the first is predicted from those before it, so the model reads all but the last.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are too many tokens, or too few to predict one of them; [`Error::Memory`] if there
    /// is no memory for all values.
    pub fn inspect(
        &self,
        tokenizer: Option<&Tokenizer>,
        ids: &[u32],
        backward: bool,
    ) -> Result<Inspection, Error> {
        let config = self.config();
        let Some(t) = ids.len().checked_sub(usize::from(backward)).filter(|&t| t > 0) else {
            let rule = "the model needs at least one token to read and, backward, one more to predict";
            return Err(Error::Setting { name: "the number of tokens", value: ids.len().to_string(), rule });
        };
        self.check_length(t)?;
        memory::check(config.inspected_elements(t, backward), "inspecting these tokens", "inspect fewer")?;
        let layer = |i: usize| Layer {
            number: i,
            after: Some(if i == 0 { "embedded".into() } else { format!("h.{}", i - 1) }),
            last: Some(format!("h.{i}")),
        };
        let layers = (0..config.n_layer).map(layer).collect();
        let x = Tokens::new([1, t], &ids[..t])?;
        let step =
            Step::record(self.params(), backward, letters(config, 1, t), layers, |tape| match backward {
                false => self.forward(tape, &x).map(|_| None),
                true => {
                    let y = Tokens::new([1, t], &ids[1..])?;
                    self.loss(tape, &TokenBatch { x, y }).map(Some)
                }
            })?;
        let ids = ids[..t].to_vec();
        let tokens: Vec<String> = ids.iter().map(|&id| readable(id, tokenizer)).collect();
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

    /// What the layers up to each block predict after each token: the final norm and the head, applied to the
    /// embedding and to the output of each block ("logit lens"). Label and logits, `(1, T, V)`.
    ///
    /// # Errors
    /// None for a step of this model.
    pub fn logit_lens(&self, step: &Step) -> Result<Vec<(String, Tensor<f32>)>, Error> {
        let blocks = (0..self.config().n_layer).map(|i| format!("h.{i}"));
        let labels = std::iter::once("embedded".to_string()).chain(blocks);
        let found = labels.filter_map(|label| Some((step.labelled(&label)?, label)));
        let lens = found.map(|(var, label)| {
            let mut tape = Tape::without_gradients();
            let x = tape.input(step.tape.value(var).clone()); // (1, T, C)
            let logits = self.head(&mut tape, x)?; // (1, T, C) -> (1, T, V)
            Ok((label, tape.value(logits).clone()))
        });
        lens.collect()
    }
}

/// The likeliest tokens after the last one: the softmax of the last row of the logits, `(1, T, V)`.
fn next_tokens(step: &Step, tokenizer: Option<&Tokenizer>) -> Option<Prediction> {
    let logits = step.tape.value(step.labelled("logits")?);
    let v = *logits.shape().last()?;
    let row = &logits.data()[logits.data().len().checked_sub(v)?..];
    // A space is part of a token, and would be invisible.
    let name = |i: usize| readable(i as u32, tokenizer).replace(' ', "\u{2423}");
    Some(Prediction::likeliest("next token", &softmax(row), SHOWN_TOKENS, name))
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
    use m2g_core::inspect::axes::{of_values, tuple};
    use m2g_core::nn::Score;
    use m2g_text::tales;

    use super::*;

    #[test]
    fn the_default_text_is_in_the_language_of_the_model() {
        let words = |text: &str| {
            let tokenizer = Tokenizer::word(text).unwrap();
            tokenizer.decode(&default_tokens(Some(&tokenizer), tokenizer.vocab_size(), 64))
        };
        let spanish = tales::named(tales::SPANISH).unwrap();
        assert_eq!(words(&spanish), SENTENCES[1]);
        assert_eq!(words(&SENTENCES.join(" ")), SENTENCES[0]);
        let letters = Tokenizer::char("to");
        assert_eq!(letters.decode(&default_tokens(Some(&letters), 2, 4)), "otot");
    }

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
        let of = |label: &str| tuple(&names[&tape.trace.labelled(label).unwrap()]);
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
