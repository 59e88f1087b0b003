//! A GPT in memory: its gradients, and a step to inspect.

use std::path::Path;

use anyhow::bail;
use m2g_core::inspect::Inspection;
use m2g_core::nn::Positions;
use m2g_core::train::Model;
use m2g_core::{Grads, Params};
use m2g_gpt::Gpt;
use m2g_gpt::data::Corpus;
use m2g_gpt::training::{Description, Training};
use m2g_text::TextError;

use crate::inspect::input::Input;
use crate::inspect::positions::PositionSettings;
use crate::inspect::prompt;
use crate::models::kind::OpenModel;
use crate::models::run::data_is_gone;

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
        let (gpt, description) = m2g_gpt::inspect::untrained()?;
        Ok(Self { gpt: gpt.unfused()?, description, untrained: true })
    }

    /// The GPT in a checkpoint of a run.
    pub fn load(run: &Path, file: &str) -> anyhow::Result<Self> {
        let (gpt, description) = Training::load_unchecked(run, file)?;
        Ok(Self { gpt: gpt.unfused()?, description, untrained: false })
    }
}

impl OpenModel for OpenGpt {
    fn params(&self) -> &Params<f32> {
        self.gpt.params()
    }

    fn remark(&self) -> Option<String> {
        let tokens = self.gpt.config().vocab_size;
        self.untrained.then(|| {
            format!(
                "the untrained GPT has GPT-2's vocabulary of {tokens} tokens, so that it can read any text; `m2g gpt \
                 train` and `m2g compare` give it that of its data, which is smaller by default"
            )
        })
    }

    fn gradients(&self) -> anyhow::Result<(Grads<f32>, f64)> {
        let description = &self.description;
        if description.data.is_empty() && !self.untrained {
            bail!("this model was imported and has no training data");
        }
        let corpus = Corpus::load_configured(&description.config, description.tokenizer.as_ref());
        let corpus = corpus.map_err(|error| match error {
            TextError::UnknownData { data, .. } => data_is_gone(&data, None),
            error => error.into(),
        })?;
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
        Ok(self.gpt.inspect(tokenizer, &ids, input.backward)?)
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
