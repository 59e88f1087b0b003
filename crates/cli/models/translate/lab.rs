//! Trains translation models for experiments.

use m2g_core::Error;
use m2g_translate::data::Corpus;
use m2g_translate::{Config, Transformer};

use crate::lab::trainer::LabModel;
use crate::terminal::lines::note;

impl LabModel for Transformer<f32> {
    fn set_seed(config: &mut Config, seed: u64) {
        config.seed = seed;
    }

    fn data_key(config: &Config) -> String {
        format!("{} {} {}", config.tokenizer, config.max_length, config.data)
    }

    fn load_data(config: &Config) -> anyhow::Result<Corpus> {
        let corpus = Corpus::load(config, None).map_err(Error::from)?;
        corpus.reports.iter().for_each(|report| note(report));
        Ok(corpus)
    }
}
