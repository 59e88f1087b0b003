//! A translation model in memory: its gradients, and a step to inspect.

use std::path::Path;

use anyhow::bail;
use m2g_core::nn::Positions;
use m2g_core::train::Model;
use m2g_core::{Error, Grads, Mask, Params};
use m2g_translate::data::{Corpus, PIZZA, Pairs, TextPair, batch};
use m2g_translate::decode::{Options, Translator};
use m2g_translate::training::{Description, Training};
use m2g_translate::{Config, Sharing, Transformer, TransformerConfig};

use crate::inspect::axes::Letters;
use crate::inspect::input::{
    AttentionGroup, AttentionLayer, AttentionLayout, Input, Inspection, Prediction, Text,
};
use crate::inspect::positions::PositionSettings;
use crate::inspect::prompt;
use crate::inspect::step::{Layer, Step};
use crate::models::kind::OpenModel;

/// A model built from unfused ops, so that every matrix can be inspected, and its description.
pub struct OpenTransformer {
    model: Transformer<f32>,
    description: Description,
}

impl OpenTransformer {
    /// The model that `m2g translate train` starts with.
    pub fn untrained() -> anyhow::Result<Self> {
        let config = Config::default();
        let corpus = Corpus::load(&config, None).map_err(Error::from)?;
        let (tokenizer, data) = (corpus.tokenizer, corpus.fingerprint);
        let model = config.model(tokenizer.vocab_size());
        let transformer = Transformer::new(model.clone(), config.seed)?.unfused()?;
        Ok(Self { model: transformer, description: Description { config, model, tokenizer, data } })
    }

    /// The model in a checkpoint of a run.
    pub fn load(run: &Path, file: &str) -> anyhow::Result<Self> {
        let (model, description) = Training::load_unchecked(run, file)?;
        Ok(Self { model: model.unfused()?, description })
    }
}

impl OpenModel for OpenTransformer {
    fn params(&self) -> &Params<f32> {
        self.model.params()
    }

    fn gradients(&self) -> anyhow::Result<(Grads<f32>, f64)> {
        let Description { config, tokenizer, .. } = &self.description;
        let corpus = Corpus::load(config, Some(tokenizer)).map_err(Error::from)?;
        Ok(Training::first_gradients(&self.model, &self.description, &corpus)?)
    }

    fn tied_parameter(&self) -> Option<(&'static str, &'static str)> {
        match self.model.config().sharing {
            Sharing::ThreeWay => Some(("embedding.weight", "output.weight")),
            Sharing::TwoWay => Some(("target_embedding.weight", "output.weight")),
            Sharing::None => None,
        }
    }

    /// Runs one sentence through the model, with its best translation as the target.
    fn inspect(&self, input: &Input) -> anyhow::Result<Inspection> {
        let tokenizer = &self.description.tokenizer;
        if input.prompt.as_deref().is_some_and(|prompt| prompt.trim().is_empty()) {
            bail!("--prompt is empty: give a sentence of at least one character");
        }
        let options = Options { n_best: Options::default().beam, ..Options::default() };
        let translator = Translator::new(&self.model, tokenizer, options)?;
        let source = input.prompt.as_deref().unwrap_or(PIZZA[0]).to_string();
        let tokens = translator.encode(&source)?;
        let found = translator.translate(&[tokens])?.concat();
        let ranked = found.iter().map(|t| (t.text.clone(), t.log_probability.exp())).collect();
        let prediction = Prediction { what: "translation", ranked, truth: None };
        let target = found.first().map_or(String::new(), |best| best.text.clone());
        let (pairs, special) =
            Pairs::encode_all(&[TextPair { source, target }], tokenizer).map_err(Error::from)?;
        let batch = batch(&pairs, &[0], special, true)?;
        let config = self.model.config();
        let names = |stack: &'static str, n: usize| (0..n).map(move |i| format!("{stack}.{i}"));
        let blocks: Vec<String> =
            names("encoder", config.encoder_layers).chain(names("decoder", config.decoder_layers)).collect();
        let layers = (0..blocks.len()).map(|i| Layer {
            number: i,
            after: match i {
                0 => Some("source embedded".into()),
                _ if i == config.encoder_layers => Some("target embedded".into()),
                _ => Some(blocks[i - 1].clone()),
            },
            last: Some(blocks[i].clone()),
        });
        let [_, s] = batch.source.shape;
        let [_, t] = batch.target.shape;
        let letters = letters(config, s, t);
        let step = Step::record(&self.model, input.backward, letters, layers.collect(), |tape| match input
            .backward
        {
            false => self.model.forward(tape, &batch).map(|_| None),
            true => self.model.loss(tape, &batch).map(Some),
        })?;
        let text = |axis: &'static str, ids: &[u32]| Text {
            axis,
            ids: ids.to_vec(),
            tokens: ids.iter().map(|&id| prompt::readable(id, Some(tokenizer))).collect(),
        };
        let texts = vec![text("S", &batch.source.ids), text("T", &batch.input.ids)];
        let attention = attention(config, &texts[0].tokens, &texts[1].tokens);
        Ok(Inspection { step, texts, attention: Some(attention), prediction: Some(prediction) })
    }

    fn positions(&self) -> Option<PositionSettings> {
        let config = self.model.config();
        let params = self.model.params().iter();
        let learned = params.filter(|p| p.name.ends_with("_positions.weight")).map(|p| {
            let name = if p.name.starts_with("source") { "source_positions" } else { "target_positions" };
            (name, p.value.clone())
        });
        let learned: Vec<_> = learned.collect();
        Some(PositionSettings {
            block_size: config.max_length,
            n_embd: config.d_model,
            base: config.positions_base,
            added: !learned.is_empty() || config.positions == Positions::Sinusoidal,
            learned,
        })
    }
}

/// The attention of the encoder, of the decoder, and from the decoder to the encoder. The decoder's blocks
/// are numbered after the encoder's.
fn attention(config: &TransformerConfig, source: &[String], target: &[String]) -> AttentionLayout {
    let (encoder, decoder) = (config.encoder_layers, config.decoder_layers);
    let layers = |stack: &str, first: usize, n: usize, kind: &str| {
        let layer = |i: usize| AttentionLayer {
            number: first + i,
            label: format!("{stack}.{i}.{kind}"),
            title: format!("{stack}.{i}"),
        };
        (0..n).map(layer).collect()
    };
    let group = |name, layers, mask, queries: &[String], keys: &[String]| AttentionGroup {
        name,
        layers,
        mask,
        queries: queries.to_vec(),
        keys: keys.to_vec(),
    };
    let groups = vec![
        group("encoder self-attention", layers("encoder", 0, encoder, "attn"), Mask::None, source, source),
        group(
            "decoder self-attention",
            layers("decoder", encoder, decoder, "attn"),
            Mask::Causal,
            target,
            target,
        ),
        group(
            "cross-attention",
            layers("decoder", encoder, decoder, "cross_attn"),
            Mask::None,
            target,
            source,
        ),
    ];
    AttentionLayout { heads: config.n_head, groups }
}

/// The axes of a model that reads a source of S tokens and a target of T tokens.
fn letters(config: &TransformerConfig, s: usize, t: usize) -> Letters {
    let (c, h) = (config.d_model, config.n_head);
    Letters::new(
        &[
            ("B", 1, "pairs"),
            ("S", s, "source tokens"),
            ("T", t, "target tokens"),
            ("C", c, "elements per token"),
            ("H", h, "heads"),
            ("D", c / h, "elements per head"),
            ("F", config.d_ff, "neurons of the feed-forward layers"),
            ("V", config.vocab_size, "tokens in the vocabulary"),
            ("max_length", config.max_length, ""),
            ("3 C", 3 * c, ""),
            ("2 C", 2 * c, ""),
        ],
        parameter_axes,
        |_| &[],
    )
    .with_sequences(&["S", "T"])
}

fn parameter_axes(name: &str) -> &'static [&'static str] {
    match name {
        _ if name.ends_with("embedding.weight") || name == "output.weight" => &["V", "C"],
        _ if name.ends_with("positions.weight") => &["max_length", "C"],
        _ if name.ends_with("attn.c_attn.weight") => &["3 C", "C"],
        _ if name.ends_with("attn.c_attn.bias") => &["3 C"],
        _ if name.ends_with("c_kv.weight") => &["2 C", "C"],
        _ if name.ends_with("c_kv.bias") => &["2 C"],
        _ if name.ends_with("c_q.weight") || name.ends_with("attn.c_proj.weight") => &["C", "C"],
        _ if name.ends_with("mlp.c_fc.weight") => &["F", "C"],
        _ if name.ends_with("mlp.c_fc.bias") => &["F"],
        _ if name.ends_with("mlp.c_proj.weight") => &["C", "F"],
        _ => &["C"],
    }
}
