//! Fine-tuning: a training run that starts from the model of another run.

use std::path::Path;

use m2g_core::settings::Settings;
use m2g_core::train::Model;
use m2g_core::train::run::BEST;
use m2g_core::{Error, Tensor};
use m2g_text::Tokenizer;

use crate::description::Description;
use crate::{Config, Gpt, GptConfig};

impl Config {
    /// These settings with the shape of a run's model and the name of its tokenizer, which
    /// fine-tuning cannot change.
    pub fn shaped_like(mut self, run: &Description) -> Self {
        self.inherit(&Self::default().with_model(&run.model));
        if let Some(tokenizer) = &run.tokenizer {
            self.tokenizer = tokenizer.kind().to_string();
        }
        self
    }
}

/// The model of a new run that starts from the model of `base`: `block_size` may be smaller
/// than it was, and settings that leave the parameters alone are free.
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
    wanted.fits(
        from,
        "with init_from the model has the shape of that run (block_size may be smaller): leave it out",
    )?;
    Ok(wanted)
}

/// A model with the parameters of `base`.
///
/// # Errors
/// As [`Gpt::new`].
pub(crate) fn start(model: GptConfig, base: &Gpt<f32>) -> Result<Gpt<f32>, Error> {
    let mut gpt = Gpt::zeros(model)?;
    for (new, old) in gpt.params_mut().iter_mut().zip(base.params().iter()) {
        // Only the position embedding can shrink: keep its first rows.
        new.value = match new.value.len() == old.value.len() {
            true => old.value.clone(),
            false => Tensor::from_vec(new.value.shape(), old.value.data()[..new.value.len()].to_vec())?,
        };
    }
    Ok(gpt)
}
