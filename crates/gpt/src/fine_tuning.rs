//! Where a training starts that goes on from the model of another.

use std::path::Path;

use m2g_core::train::Model;
use m2g_core::train::run::BEST;
use m2g_core::{Error, Tensor};

use crate::training::{Description, load};
use crate::{Config, Gpt};
use m2g_text::Tokenizer;

impl Config {
    /// These settings with the shape of a run's model and the name of its tokenizer: a
    /// training that starts from it has no choice in these.
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

/// The model of a run with the settings of a new training: `block_size` may be smaller
/// than it was, dropout and the form of attention are free.
///
/// # Errors
/// If the settings ask for another shape, or the text has another vocabulary.
pub(crate) fn start(path: &Path, config: &Config, tokenizer: &Tokenizer) -> Result<Gpt<f32>, Error> {
    let (old, description) = load(path, BEST)?;
    let from = old.config();
    let fits = match &description.tokenizer {
        Some(its) => its == tokenizer,
        None => tokenizer.vocab_size() <= from.vocab_size,
    };
    if !fits {
        let its = description.tokenizer.as_ref().map_or("unknown".into(), |t| t.kind().to_string());
        let why = format!(
            "it is a checkpoint of another vocabulary: {} tokens (tokenizer {its}), and the data has {} \
             (tokenizer {}); train on text with its tokenizer, or without --init-from",
            from.vocab_size,
            tokenizer.vocab_size(),
            tokenizer.kind()
        );
        return Err(Error::Checkpoint { path: path.join(BEST), why });
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
    let mut gpt = Gpt::zeros(wanted)?;
    for (new, old) in gpt.params_mut().iter_mut().zip(old.params().iter()) {
        // Only the table of positions can be longer: its first rows are kept.
        new.value = match new.value.len() == old.value.len() {
            true => old.value.clone(),
            false => Tensor::from_vec(new.value.shape(), old.value.data()[..new.value.len()].to_vec())?,
        };
    }
    Ok(gpt)
}
