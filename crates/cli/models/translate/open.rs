//! A translation model in memory: its gradients, and a step to inspect.

use std::path::Path;

use anyhow::bail;
use m2g_core::inspect::Inspection;
use m2g_core::nn::Positions;
use m2g_core::train::Model;
use m2g_core::{Grads, Params};
use m2g_translate::inspect::default_sentence;
use m2g_translate::training::{Description, Training};
use m2g_translate::{Sharing, Transformer};

use crate::inspect::input::Input;
use crate::inspect::positions::PositionSettings;
use crate::models::kind::OpenModel;
use crate::models::translate::own_data::own_data;

/// A model built from unfused ops, so that every matrix can be inspected, and its description.
pub struct OpenTransformer {
    model: Transformer<f32>,
    description: Description,
}

impl OpenTransformer {
    /// The model that `m2g translate train` starts with.
    pub fn untrained() -> anyhow::Result<Self> {
        let (model, description) = m2g_translate::inspect::untrained()?;
        Ok(Self { model: model.unfused()?, description })
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
        let corpus = own_data(&self.description, None)?;
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
        if input.prompt.as_deref().is_some_and(|prompt| prompt.trim().is_empty()) {
            bail!("--prompt is empty: give a sentence of at least one character");
        }
        let Some(sentence) = input.prompt.clone().or_else(|| default_sentence(&self.description)) else {
            bail!(
                "the data of the run are gone, and its vocabulary has nothing of the usual sentence: give a \
                 sentence with --prompt"
            );
        };
        Ok(self.model.inspect(&self.description.tokenizer, &sentence, input.backward)?)
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
