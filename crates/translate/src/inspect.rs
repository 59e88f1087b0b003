//! One step of a translation model with every value under its name.

use m2g_core::inspect::{
    AttentionGroup, AttentionLayer, AttentionLayout, Inspection, Layer, Letters, Prediction, Step, Text,
};
use m2g_core::train::Model;
use m2g_core::{Error, Mask, memory};
use m2g_text::Tokenizer;
use m2g_text::tokenizer::readable;

use crate::data::{Corpus, GRAMMAR, PIZZA, Pairs, batch};
use crate::decode::{Options, Translator};
use crate::training::Description;
use crate::{Config, Transformer, TransformerConfig};

/// The model that training starts with by default, and its description.
///
/// # Errors
/// If its data cannot be loaded.
pub fn untrained() -> Result<(Transformer<f32>, Description), Error> {
    let config = Config::default();
    let corpus = Corpus::load(&config, None).map_err(Error::from)?;
    let (tokenizer, data) = (corpus.tokenizer, corpus.fingerprint);
    let model = config.model(tokenizer.vocab_size());
    let transformer = Transformer::new(model.clone(), config.seed)?;
    Ok((transformer, Description { config, model, tokenizer, data }))
}

/// A sentence that the model reads: of the grammar, the one about the pizza; else the first validation pair of its
/// data or, without the data, as much of that sentence as the tokenizer knows; `None` if that is nothing.
pub fn default_sentence(description: &Description) -> Option<String> {
    let Description { config, tokenizer, .. } = description;
    if config.data != GRAMMAR
        && let Ok(corpus) = Corpus::load(config, Some(tokenizer))
    {
        let ids = corpus.val.source.get(0);
        return Some(tokenizer.decode_without_special(ids));
    }
    let known = |c: &char| tokenizer.encode(&c.to_string()).is_ok();
    let sentence: String = match tokenizer.encode(PIZZA[0]) {
        Ok(_) => PIZZA[0].into(),
        Err(_) => PIZZA[0].chars().filter(known).collect(),
    };
    (!sentence.trim().is_empty()).then_some(sentence)
}

impl Transformer<f32> {
    /// Runs a sentence through the model, which must be [unfused](Transformer::unfused) for its attention to be
    /// visible. The target is its best translation.
    ///
    /// # Errors
    /// The errors of [`Translator::encode`] and of [`Transformer::forward`]; [`Error::Memory`] if there is too little
    /// for the sentence.
    pub fn inspect(
        &self,
        tokenizer: &Tokenizer,
        sentence: &str,
        backward: bool,
    ) -> Result<Inspection, Error> {
        let options = Options { n_best: Options::default().beam, ..Options::default() };
        let translator = Translator::new(self, tokenizer, options)?;
        let tokens = translator.encode(sentence)?;
        let found = translator.translate(std::slice::from_ref(&tokens))?.concat();
        let ranked = found.iter().map(|t| (t.text.clone(), t.log_probability.exp())).collect();
        let prediction = Prediction { what: "translation", ranked, truth: None };
        let special = translator.specials();
        let target = found.first().map_or_else(|| vec![special.end], |best| best.with_end(special));
        let pairs = Pairs::of_tokens([(&tokens[..], &target[..])]);
        let batch = batch(&pairs, &[0], special, true)?;
        let config = self.config();
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
        self.check_length(s.max(t))?;
        memory::check(config.inspected_elements(s, t, backward), "inspecting this sentence", "shorten it")?;
        let letters = letters(config, s, t);
        let step = Step::record(self.params(), backward, letters, layers.collect(), |tape| match backward {
            false => self.forward(tape, &batch).map(|_| None),
            true => self.loss(tape, &batch).map(Some),
        })?;
        let text = |axis: &'static str, ids: &[u32]| Text {
            axis,
            ids: ids.to_vec(),
            tokens: ids.iter().map(|&id| readable(id, Some(tokenizer))).collect(),
        };
        let texts = vec![text("S", &batch.source.ids), text("T", &batch.input.ids)];
        let attention = attention(config, &texts[0].tokens, &texts[1].tokens);
        Ok(Inspection { step, texts, attention: Some(attention), prediction: Some(prediction) })
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
            ("F", config.d_ff, "neurons per feed-forward layer"),
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
