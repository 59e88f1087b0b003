//! The data that a run was trained on.

use std::path::Path;

use m2g_core::Error;
use m2g_translate::data::{Corpus, is_built_in};
use m2g_translate::training::Description;

use crate::models::run::data_is_gone;

/// The data that a run was trained on, encoded by its own tokenizer; `instead` helps if it is gone.
pub(super) fn own_data(description: &Description, instead: Option<&str>) -> anyhow::Result<Corpus> {
    let Description { config, tokenizer, .. } = description;
    if !is_built_in(&config.data) && !Path::new(&config.data).exists() {
        return Err(data_is_gone(&config.data, instead));
    }
    Ok(Corpus::load(config, Some(tokenizer)).map_err(Error::from)?)
}
