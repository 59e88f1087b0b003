//! Fine-tuning: a training run that starts from the model of another run.

use std::path::Path;

use m2g_core::settings::Settings;
use m2g_core::train::Model;
use m2g_core::train::run_folder::BEST;
use m2g_core::{Error, Tensor};
use m2g_text::{Tokenizer, TokenizerKind};

use crate::data::Corpus;
use crate::description::Description;
use crate::{Config, Gpt, GptConfig};

impl Config {
    /// These settings with the shape of a run's model and the name of its tokenizer, which
    /// fine-tuning cannot change.
    pub fn shaped_like(mut self, run: &Description) -> Self {
        self.inherit(&Self::default().with_model(&run.model));
        // An imported tokenizer may have a size that none can be learned with, and so no name.
        if let Some(name) = run.tokenizer.as_ref().map(Tokenizer::name)
            && name.parse::<TokenizerKind>().is_ok()
        {
            self.tokenizer = name;
        }
        self
    }
}

/// The settings of a model that starts from the model of `base`. They must keep the shapes of
/// its parameters, except that `block_size` may be smaller.
///
/// # Errors
/// [`Error::Setting`] for a setting that changes a shape; [`Error::Checkpoint`] if the data has
/// another vocabulary.
pub(crate) fn model_config(config: &Config, corpus: &Corpus, base: &Description) -> Result<GptConfig, Error> {
    let from = &base.model;
    let fits = match (&base.tokenizer, &corpus.tokenizer) {
        (Some(base_tokenizer), Some(tokenizer)) => base_tokenizer == tokenizer,
        _ => corpus.vocab_size <= from.vocab_size,
    };
    if !fits {
        let name =
            |tokenizer: &Option<Tokenizer>| tokenizer.as_ref().map_or("unknown".into(), Tokenizer::name);
        let why = format!(
            "it has another vocabulary: {} tokens (tokenizer {}), but the data has {} (tokenizer {}); \
             train on text with its tokenizer, or without init_from",
            from.vocab_size,
            name(&base.tokenizer),
            corpus.vocab_size,
            name(&corpus.tokenizer)
        );
        return Err(Error::Checkpoint { path: Path::new(&config.init_from).join(BEST), why });
    }
    let wanted = config.model(from.vocab_size);
    wanted.fits(
        from,
        "`init_from` keeps the shape of that run (only `block_size` may be smaller): leave this setting out",
    )?;
    Ok(wanted)
}

/// A model with these settings and the parameters of `base`.
///
/// # Errors
/// As [`Gpt::new`].
pub(crate) fn initial_model(model: GptConfig, base: &Gpt<f32>) -> Result<Gpt<f32>, Error> {
    let mut gpt = Gpt::zeros(model)?;
    for (new, old) in gpt.params_mut().iter_mut().zip(base.params().iter()) {
        // Only the position embedding can shrink: it keeps its first rows.
        new.value = match new.value.len() == old.value.len() {
            true => old.value.clone(),
            false => Tensor::from_vec(new.value.shape(), old.value.data()[..new.value.len()].to_vec())?,
        };
    }
    Ok(gpt)
}
