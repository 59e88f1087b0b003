//! Trains digit networks for experiments.

use m2g_core::Error;
use m2g_core::data::mnist::DigitData;
use m2g_core::train::Outcome;
use m2g_digits::training::Training;
use m2g_digits::{Config, Network};

use crate::digits::images;
use crate::lab::trainer::LabModel;

impl LabModel for Network<f32> {
    fn set_seed(config: &mut Config, seed: u64) {
        config.seed = seed;
    }

    fn data_key(config: &Config) -> String {
        format!("{:?} {}", config.data, config.train_on_all)
    }

    fn load_data(config: &Config) -> anyhow::Result<DigitData> {
        images::load(config.data.as_deref(), config.train_on_all)
    }

    fn final_measures(
        _: &Training<'_>,
        _: &DigitData,
        outcome: &Outcome,
        _: &[&str],
    ) -> Result<Vec<(&'static str, f64)>, Error> {
        let accuracy = outcome.last_test("test_accuracy");
        Ok(accuracy.map(|accuracy| ("test_accuracy", accuracy)).into_iter().collect())
    }
}
