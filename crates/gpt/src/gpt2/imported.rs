//! A model read from files of another program.

use std::collections::BTreeMap;

use m2g_core::train::Model;
use m2g_core::{Error, Params, Tensor};
use m2g_text::Tokenizer;

use crate::{Gpt, GptConfig};

/// A model read from files of another program.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The settings of the model.
    pub config: GptConfig,
    /// Its parameters, by their names in our model.
    pub params: Params<f32>,
    /// Its tokenizer, or a sentence on why it is not supported.
    pub tokenizer: Result<Tokenizer, String>,
    /// What differs from the imported model, one sentence each.
    pub notes: Vec<String>,
}

impl Imported {
    /// The model with these parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is invalid.
    pub fn into_gpt(self) -> Result<Gpt<f32>, Error> {
        let mut gpt = Gpt::zeros(self.config)?;
        let mut values: BTreeMap<String, Tensor<f32>> =
            self.params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
        for param in gpt.params_mut().iter_mut() {
            // The import has compared all names and shapes with the configuration.
            if let Some(value) = values.remove(&param.name) {
                param.value = value;
            }
        }
        Ok(gpt)
    }
}
