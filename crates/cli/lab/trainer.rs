//! Trains the arms of an experiment, for any kind of model.

use std::collections::BTreeMap;

use anyhow::bail;
use m2g_core::Error;
use m2g_core::settings::Settings;
use m2g_core::train::{Ended, Observer, Outcome, Save, Session, SessionModel};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config_file::with_table;

/// Settings, each table with the name of its part of the experiment. Later tables take precedence.
pub type Layers<'a> = [(&'a str, &'a toml::Table)];

/// A model that experiments can train.
pub trait LabModel: SessionModel<Config: Settings + Clone + Default + DeserializeOwned> {
    /// Sets the seed.
    fn set_seed(config: &mut Self::Config, seed: u64);

    /// A key that is equal for configurations with the same data.
    fn data_key(config: &Self::Config) -> String;

    /// Loads the data.
    fn load_data(config: &Self::Config) -> anyhow::Result<Self::Data>;

    /// Takes the wanted measures that are taken after training, if it has any.
    fn final_measures(
        _: &Session<'_, Self>,
        _: &Self::Data,
        _: &Outcome,
        _wanted: &[&str],
    ) -> Result<Vec<(&'static str, f64)>, Error> {
        Ok(Vec::new())
    }
}

/// A training run that ended without an error.
pub struct Trained {
    /// Why it ended.
    pub ended: Ended,
    /// The training time in seconds.
    pub seconds: f64,
    /// The measures taken after training.
    pub measures: Vec<(&'static str, f64)>,
}

/// Trains the arms of an experiment, without naming the kind of model.
pub trait Trainer {
    /// The complete settings of a training run, without the place of its data, whose content counts.
    ///
    /// # Errors
    /// If one is invalid: the message names the layer that made it so.
    fn settings(&self, layers: &Layers<'_>, seed: u64) -> anyhow::Result<Value>;

    /// Adds a training run and loads its data if necessary. Returns its index.
    fn add(&mut self, layers: &Layers<'_>, seed: u64) -> anyhow::Result<usize>;

    /// The fingerprint of the data of a training run.
    fn fingerprint(&self, run: usize) -> &str;

    /// The number of steps of a training run.
    fn steps(&self, run: usize) -> u64;

    /// Trains.
    fn train(&self, run: usize, measures: &[&str], observer: &mut dyn Observer) -> Result<Trained, Error>;
}

/// The [`Trainer`] of one kind of model.
pub struct TypedTrainer<M: LabModel> {
    runs: Vec<Run<M::Config>>,
    /// The data by its key.
    data: BTreeMap<String, M::Data>,
}

/// A training run.
struct Run<C> {
    config: C,
    data_key: String,
    steps: u64,
}

impl<M: LabModel> Default for TypedTrainer<M> {
    fn default() -> Self {
        Self { runs: Vec::new(), data: BTreeMap::new() }
    }
}

impl<M: LabModel> TypedTrainer<M> {
    fn config(layers: &Layers<'_>, seed: u64) -> anyhow::Result<M::Config> {
        let mut config = M::Config::default();
        // The first layer after which the settings are invalid for the reason that remains.
        let mut wrong: Option<(&str, String)> = None;
        for (name, settings) in layers {
            config = with_table(&config, name, (*settings).clone())?;
            let error = M::validate(&config).err().map(|error| error.to_string());
            wrong = match (error, wrong) {
                (Some(error), Some(earlier)) if error == earlier.1 => Some(earlier),
                (error, _) => error.map(|error| (*name, error)),
            };
        }
        if let Some((name, error)) = wrong {
            bail!("{name}: {error}");
        }
        M::set_seed(&mut config, seed);
        Ok(config)
    }

    fn data(&self, run: usize) -> &M::Data {
        &self.data[&self.runs[run].data_key]
    }
}

impl<M: LabModel> Trainer for TypedTrainer<M> {
    fn settings(&self, layers: &Layers<'_>, seed: u64) -> anyhow::Result<Value> {
        let mut settings = serde_json::to_value(Self::config(layers, seed)?)?;
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("data");
        }
        Ok(settings)
    }

    fn add(&mut self, layers: &Layers<'_>, seed: u64) -> anyhow::Result<usize> {
        let config = Self::config(layers, seed)?;
        let data_key = M::data_key(&config);
        if !self.data.contains_key(&data_key) {
            self.data.insert(data_key.clone(), M::load_data(&config)?);
        }
        let data = &self.data[&data_key];
        let steps = M::options(&M::describe(config.clone(), data, None)?, data).steps;
        self.runs.push(Run { config, data_key, steps });
        Ok(self.runs.len() - 1)
    }

    fn fingerprint(&self, run: usize) -> &str {
        M::fingerprint(self.data(run))
    }

    fn steps(&self, run: usize) -> u64 {
        self.runs[run].steps
    }

    fn train(&self, run: usize, measures: &[&str], observer: &mut dyn Observer) -> Result<Trained, Error> {
        let data = self.data(run);
        let mut session = Session::<M>::new(self.runs[run].config.clone(), data, Save::Nowhere)?;
        let outcome = session.run(observer)?;
        let measures = match outcome.ended {
            Ended::Stopped => Vec::new(),
            _ => M::final_measures(&session, data, &outcome, measures)?,
        };
        Ok(Trained { ended: outcome.ended, seconds: outcome.seconds, measures })
    }
}
