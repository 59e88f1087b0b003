//! The interface of a model to a session.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::model::Model;
use super::state::Options;
use super::task::Task;
use crate::Error;
use crate::memory::Footprint;
use crate::optim::Optimizer;

/// A model that a [`Session`](super::Session) can start, save, resume and load.
///
/// Three types belong to it: `Config` holds the settings that a person chooses, `Data` is the
/// training data, and `Description` is stored in checkpoints to rebuild the model.
pub trait Trainable: Model<f32> + Sized + 'static {
    /// The name of this kind of model in checkpoints.
    const KIND: &'static str;

    /// The settings of a run, stored in `config.toml`.
    type Config: Serialize;

    /// The content of a checkpoint's metadata: the settings, the sizes of the model, the
    /// fingerprint of its data.
    type Description: Serialize + DeserializeOwned;

    /// The training data.
    type Data;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid setting.
    fn validate(config: &Self::Config) -> Result<(), Error>;

    /// The run whose best parameters a new run starts from, instead of random parameters.
    fn init_from(_config: &Self::Config) -> Option<&Path> {
        None
    }

    /// Describes a new model for this data. `base` describes the model of the run that it
    /// starts from.
    ///
    /// # Errors
    /// If the settings do not fit the data or the base.
    fn describe(
        config: Self::Config,
        data: &Self::Data,
        base: Option<&Self::Description>,
    ) -> Result<Self::Description, Error>;

    /// Checks a description that was read from a checkpoint. By default, its settings.
    ///
    /// # Errors
    /// If no model can be built from it.
    fn check(description: &Self::Description) -> Result<(), Error> {
        Self::validate(Self::config(description))
    }

    /// The settings in a description.
    fn config(description: &Self::Description) -> &Self::Config;

    /// The fingerprint of the data that the model was trained on; empty if it was imported.
    fn trained_on(description: &Self::Description) -> &str;

    /// The fingerprint of the data, which changes whenever the data does.
    fn fingerprint(data: &Self::Data) -> &str;

    /// Where the data comes from, for messages.
    fn source(_data: &Self::Data) -> String {
        "the data of this run".into()
    }

    /// Builds the model with its initial parameters: random, or those of `base`.
    ///
    /// # Errors
    /// [`Error::Setting`] if a size is invalid.
    fn init(description: &Self::Description, base: Option<&Self>) -> Result<Self, Error>;

    /// Builds the model to be filled from a checkpoint; its parameters are unspecified.
    ///
    /// # Errors
    /// As [`Trainable::init`].
    fn empty(description: &Self::Description) -> Result<Self, Error> {
        Self::init(description, None)
    }

    /// The memory that training on `data` needs, or on any if it is not given. The number of parameters is compared
    /// with checkpoints before a model is built from one. `None` if it is not known: then nothing is compared.
    fn footprint(_description: &Self::Description, _data: Option<&Self::Data>) -> Option<Footprint> {
        None
    }

    /// How to train, and for how long.
    fn options(description: &Self::Description, data: &Self::Data) -> Options;

    /// The optimiser before the first step.
    fn optimizer(description: &Self::Description, data: &Self::Data) -> Box<dyn Optimizer<f32>>;

    /// The batches and evaluations of a run.
    ///
    /// # Errors
    /// If the data does not fit the description, for example because there is too little.
    fn task<'a>(
        description: &'a Self::Description,
        data: &'a Self::Data,
    ) -> Result<impl Task<f32, Self> + 'a, Error>;
}
