//! Trains digit networks for experiments.

use m2g_core::Error;
use m2g_core::data::mnist::DigitData;
use m2g_core::train::Outcome;
use m2g_digits::training::Training;
use m2g_digits::{Config, Network, images};

use crate::lab::trainer::LabModel;
use crate::terminal::lines::note;

impl LabModel for Network<f32> {
    fn set_seed(config: &mut Config, seed: u64) {
        config.seed = seed;
    }

    fn data_key(config: &Config) -> String {
        // The seed mixes images that are sorted by class, which MNIST's are not.
        let seed = config.data.as_ref().map(|_| config.seed);
        format!("{:?} {} {:?} {seed:?}", config.data, config.train_on_all, config.transposed)
    }

    fn load_data(config: &Config) -> anyhow::Result<DigitData> {
        let data = images::load(config)?;
        data.reports.iter().for_each(|report| note(report));
        Ok(data)
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
