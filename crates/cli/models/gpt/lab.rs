//! Trains GPTs for experiments.

use m2g_core::train::Outcome;
use m2g_core::{Error, Tape};
use m2g_gpt::data::Corpus;
use m2g_gpt::evaluation::generation_loss;
use m2g_gpt::training::Training;
use m2g_gpt::{Config, Gpt};

use crate::errors::without_advice;
use crate::lab::trainer::LabModel;
use crate::terminal::lines::note;

/// Windows of the validation split on which `generation_loss` is measured.
const GENERATION_WINDOWS: usize = 64;

impl LabModel for Gpt<f32> {
    fn set_seed(config: &mut Config, seed: u64) {
        config.seed = seed;
    }

    fn data_key(config: &Config) -> String {
        format!("{} {} {} {:?}", config.tokenizer, config.vocab_size, config.data, config.documents())
    }

    fn load_data(config: &Config) -> anyhow::Result<Corpus> {
        let corpus = Corpus::load_configured(config, None)?;
        corpus.reports.iter().for_each(|report| note(without_advice(report)));
        Ok(corpus)
    }

    fn final_measures(
        training: &Training<'_>,
        corpus: &Corpus,
        _: &Outcome,
        wanted: &[&str],
    ) -> Result<Vec<(&'static str, f64)>, Error> {
        if !wanted.contains(&"generation_loss") {
            return Ok(Vec::new());
        }
        let mut tape = Tape::without_gradients();
        let loss = generation_loss(&training.model, &mut tape, &corpus.val, GENERATION_WINDOWS)?;
        Ok(vec![("generation_loss", loss)])
    }
}
