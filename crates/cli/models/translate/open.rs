//! A translation model in memory: its gradients, and a step to inspect.

use std::path::Path;

use m2g_core::train::Model;
use m2g_core::{Error, Grads, Params};
use m2g_translate::data::{Corpus, PIZZA, Pairs, TextPair, batch};
use m2g_translate::decode::{Options, Translator};
use m2g_translate::training::{Description, Training};
use m2g_translate::{Config, Sharing, Transformer, TransformerConfig};

use crate::inspect::axes::Letters;
use crate::inspect::input::{Input, Inspection, Text};
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
        let transformer = unfused(Transformer::new(model.clone(), config.seed)?)?;
        Ok(Self { model: transformer, description: Description { config, model, tokenizer, data } })
    }

    /// The model in a checkpoint of a run.
    pub fn load(run: &Path, file: &str) -> anyhow::Result<Self> {
        let (model, description) = Training::load_unchecked(run, file)?;
        Ok(Self { model: unfused(model)?, description })
    }
}

/// The same model, built from unfused ops.
pub fn unfused(model: Transformer<f32>) -> anyhow::Result<Transformer<f32>> {
    let config = TransformerConfig { fused: false, ..model.config().clone() };
    let mut same = Transformer::new(config, 0)?;
    *same.params_mut() = model.params().clone();
    Ok(same)
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

    /// Runs one sentence through the model, with its greedy translation as the target.
    fn inspect(&self, input: &Input) -> anyhow::Result<Inspection> {
        let tokenizer = &self.description.tokenizer;
        let translator = Translator::new(&self.model, tokenizer, Options::greedy())?;
        let source = input.prompt.as_deref().unwrap_or(PIZZA[0]).to_string();
        let tokens = translator.encode(&source)?;
        let mut found = translator.translate(&[tokens])?.concat();
        let target = if found.is_empty() { String::new() } else { found.swap_remove(0).text };
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
        let ids = pairs.source.get(0).to_vec();
        let tokens = ids.iter().map(|&id| prompt::readable(id, Some(tokenizer))).collect();
        Ok(Inspection { step, text: Some(Text { ids, tokens }), attention: None, prediction: None })
    }
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
            ("3 C", 3 * c, ""),
            ("2 C", 2 * c, ""),
        ],
        parameter_axes,
        |_| &[],
    )
}

fn parameter_axes(name: &str) -> &'static [&'static str] {
    match name {
        _ if name.ends_with("embedding.weight") || name == "output.weight" => &["V", "C"],
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
