//! Fine-tuning: a training run that starts from the model of another run.

use std::path::Path;

use m2g_core::train::Model;
use m2g_core::train::run::BEST;
use m2g_core::{Error, Tensor};
use m2g_text::Tokenizer;

use crate::description::Description;
use crate::{Config, Gpt, GptConfig};

impl Config {
    /// These settings with the shape of a run's model and the name of its tokenizer, which
    /// fine-tuning cannot change.
    pub fn shaped_like(self, run: &Description) -> Self {
        let model = run.model.clone();
        Self {
            tokenizer: run.tokenizer.as_ref().map_or(self.tokenizer, |t| t.kind().to_string()),
            block_size: model.block_size,
            n_layer: model.n_layer,
            n_head: model.n_head,
            n_embd: model.n_embd,
            dropout: model.dropout,
            bias: model.bias,
            tie_weights: model.tie_weights,
            positions: model.positions,
            positions_base: model.positions_base,
            score: model.score,
            mask: model.mask,
            norm: model.norm,
            residual: model.residual,
            ..self
        }
    }
}

/// The model of a new run that starts from the model of `base`: `block_size` may be smaller
/// than it was, dropout and the form of attention are free.
///
/// # Errors
/// If the settings require another shape, or the text has another vocabulary.
pub(crate) fn model(config: &Config, tokenizer: &Tokenizer, base: &Description) -> Result<GptConfig, Error> {
    let from = &base.model;
    let fits = match &base.tokenizer {
        Some(of_base) => of_base == tokenizer,
        None => tokenizer.vocab_size() <= from.vocab_size,
    };
    if !fits {
        let of_base = base.tokenizer.as_ref().map_or("unknown".into(), |t| t.kind().to_string());
        let why = format!(
            "it has another vocabulary: {} tokens (tokenizer {of_base}), and the data has {} (tokenizer {}); \
             train on text with its tokenizer, or without init_from",
            from.vocab_size,
            tokenizer.vocab_size(),
            tokenizer.kind()
        );
        return Err(Error::Checkpoint { path: Path::new(&config.init_from).join(BEST), why });
    }
    let wanted = config.model(from.vocab_size);
    let same = [
        ("n_layer", wanted.n_layer == from.n_layer, wanted.n_layer.to_string()),
        ("n_head", wanted.n_head == from.n_head, wanted.n_head.to_string()),
        ("n_embd", wanted.n_embd == from.n_embd, wanted.n_embd.to_string()),
        ("block_size", wanted.block_size <= from.block_size, wanted.block_size.to_string()),
        ("bias", wanted.bias == from.bias, wanted.bias.to_string()),
        ("tie_weights", wanted.tie_weights == from.tie_weights, wanted.tie_weights.to_string()),
        ("positions", wanted.positions == from.positions, format!("{:?}", wanted.positions).to_lowercase()),
        ("positions_base", wanted.positions_base == from.positions_base, wanted.positions_base.to_string()),
        ("score", wanted.score == from.score, format!("{:?}", wanted.score)),
        ("mask", wanted.mask == from.mask, wanted.mask.to_string()),
        ("norm", wanted.norm == from.norm, format!("{:?}", wanted.norm).to_lowercase()),
        ("residual", wanted.residual == from.residual, wanted.residual.to_string()),
    ];
    if let Some((name, _, value)) = same.into_iter().find(|(_, same, _)| !same) {
        let rule =
            "with init_from the model has the shape of that run (block_size may be smaller): leave it out";
        return Err(Error::Setting { name, value, rule });
    }
    Ok(wanted)
}

/// A model with the parameters of `base`.
///
/// # Errors
/// As [`Gpt::new`].
pub(crate) fn start(model: GptConfig, base: &Gpt<f32>) -> Result<Gpt<f32>, Error> {
    let mut gpt = Gpt::zeros(model)?;
    for (new, old) in gpt.params_mut().iter_mut().zip(base.params().iter()) {
        // Only the table of positions can shrink: its first rows are kept.
        new.value = match new.value.len() == old.value.len() {
            true => old.value.clone(),
            false => Tensor::from_vec(new.value.shape(), old.value.data()[..new.value.len()].to_vec())?,
        };
    }
    Ok(gpt)
}
