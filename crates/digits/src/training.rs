//! Training runs of a digit network.

use m2g_core::data::mnist::{DigitData, LabelledImages};
use m2g_core::memory::{Footprint, elements};
use m2g_core::optim::{AdamW, Optimizer, Sgd};
use m2g_core::ranks::{Ranks, waiting_sums};
use m2g_core::train::{Evaluation, Metrics, Options, Session, SessionCode, SessionModel, Task, Trainable};
use m2g_core::{Error, Tape};
use serde::{Deserialize, Serialize};

use crate::config::OptimizerKind;
use crate::mini_batches::{check_sizes, steps_per_epoch};
use crate::network::{EVALUATION_BATCH_SIZE, evaluation_batches};
use crate::{Config, MiniBatch, MiniBatches, Network};

/// A training run of a digit network.
pub type Training<'a> = Session<'a, Network<f32>>;

/// The name of the digit network in checkpoints.
pub const KIND: &str = <Network<f32> as Trainable>::KIND;

/// The most rows or columns of an image.
const MAX_SIDE: usize = 1 << 16;

/// The most classes: a label is one byte.
const MAX_CLASSES: usize = 256;

/// What a checkpoint stores to rebuild a digit network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The settings of the training run.
    pub config: Config,
    /// Rows and columns of the images.
    pub image: (usize, usize),
    /// The number of classes.
    pub classes: usize,
    /// The name of each class; empty if class i is called i, as in runs from before classes had names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Whether rows and columns of the images in the files were swapped.
    #[serde(default)]
    pub transposed: bool,
    /// The fingerprint of the training data.
    pub data: String,
}

impl Description {
    /// The name of a class.
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The names of all classes.
    pub fn all_class_names(&self) -> Vec<String> {
        (0..self.classes).map(|class| self.class_name(class)).collect()
    }

    /// Builds the described network, with random weights.
    ///
    /// # Errors
    /// As [`Network::build`].
    pub fn network(&self) -> Result<Network<f32>, Error> {
        Network::build(self.config.architecture(self.image.0 * self.image.1, self.classes))
    }
}

impl SessionModel for Network<f32> {
    fn code() -> &'static SessionCode<Self> {
        static CODE: SessionCode<Network<f32>> = SessionCode::new();
        &CODE
    }
}

impl Trainable for Network<f32> {
    const KIND: &'static str = "digits";
    type Config = Config;
    type Description = Description;
    type Data = DigitData;

    fn validate(config: &Config) -> Result<(), Error> {
        config.validate()
    }

    fn describe(config: Config, data: &DigitData, _: Option<&Description>) -> Result<Description, Error> {
        if data.validation.is_empty()
            && let Some((name, value)) = config.needs_validation()
        {
            let rule =
                "it needs validation images, and fewer than 6 training images leave none: give it more";
            return Err(Error::Setting { name, value, rule });
        }
        // Before the estimate of the memory, which such a batch would need too.
        check_sizes(data.train.len(), config.batch_size, config.shards)?;
        Ok(Description {
            config,
            image: (data.train.rows, data.train.cols),
            classes: data.n_classes,
            class_names: data.class_names.clone(),
            transposed: data.transposed,
            data: data.fingerprint.clone(),
        })
    }

    fn check(description: &Description) -> Result<(), Error> {
        let Description { config, image, classes, class_names, .. } = description;
        config.check_saved()?;
        let wrong = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        if ![image.0, image.1].iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return wrong("image", format!("{image:?}"), "an image has from 1 to 65536 rows and columns");
        }
        if !(1..=MAX_CLASSES).contains(classes) {
            return wrong("classes", classes.to_string(), "there are from 1 to 256 classes");
        }
        match class_names.len() {
            0 => Ok(()),
            names if names == *classes => Ok(()),
            names => wrong("class_names", format!("{names} names"), "each class has one name"),
        }
    }

    fn footprint(description: &Description, _: Option<&DigitData>) -> Option<Footprint> {
        let config = &description.config;
        let (rows, columns) = description.image;
        let sizes = config.architecture(rows * columns, description.classes).sizes;
        let parameters = sizes.windows(2).map(|pair| elements(&[pair[0] + 1, pair[1]])).sum();
        let optimizer = match config.optimizer {
            OptimizerKind::AdamW => 2 * parameters,
            OptimizerKind::Sgd if config.momentum > 0.0 => parameters,
            OptimizerKind::Sgd => 0,
        };
        // The weighted inputs of each layer, its activations and their gradients.
        let neurons: usize = sizes.iter().sum();
        let activations = elements(&[3, config.batch_size, neurons]).saturating_add(elements(&[
            2,
            EVALUATION_BATCH_SIZE,
            neurons,
        ]));
        Some(Footprint { parameters, optimizer, activations, waiting_sums: waiting_sums(config.shards, 1) })
    }

    fn config(description: &Description) -> &Config {
        &description.config
    }

    fn trained_on(description: &Description) -> &str {
        &description.data
    }

    fn fingerprint(data: &DigitData) -> &str {
        &data.fingerprint
    }

    fn source(data: &DigitData) -> String {
        data.source.display().to_string()
    }

    fn init(description: &Description, _: Option<&Self>) -> Result<Self, Error> {
        description.network()
    }

    fn options(description: &Description, data: &DigitData) -> Options {
        let config = &description.config;
        let steps_per_epoch = steps_per_epoch(data.train.len(), config.batch_size, config.shards);
        Options {
            steps: config.epochs * steps_per_epoch,
            steps_per_evaluation: steps_per_epoch,
            lr: config.learning_rate,
            schedule: config.schedule,
            clip: (config.grad_clip > 0.0).then_some(config.grad_clip),
            patience: (config.patience > 0).then_some(config.patience),
            shards: config.shards,
            seed: config.seed,
            ..Options::default()
        }
    }

    fn optimizer(description: &Description, data: &DigitData) -> Box<dyn Optimizer<f32>> {
        let config = &description.config;
        match config.optimizer {
            OptimizerKind::Sgd => {
                let n = data.train.len().max(1) as f64;
                Box::new(Sgd::new().momentum(config.momentum).l2(config.l2 / n))
            }
            OptimizerKind::AdamW => Box::new(AdamW::new(config.weight_decay)),
        }
    }

    fn task<'a>(
        description: &'a Description,
        data: &'a DigitData,
    ) -> Result<impl Task<f32, Self> + 'a, Error> {
        DigitTask::new(description, data)
    }
}

/// Trains on mini-batches of the training images, and measures the accuracy on the validation and
/// test images.
struct DigitTask<'a> {
    batches: MiniBatches<'a, f32>,
    data: &'a DigitData,
}

impl<'a> DigitTask<'a> {
    fn new(description: &Description, data: &'a DigitData) -> Result<Self, Error> {
        let config = &description.config;
        let batches = MiniBatches::new(&data.train, config.batch_size, description.classes, config.seed)?;
        Ok(Self { batches: batches.sharded(config.shards)?.distorted(config.distort)?, data })
    }
}

impl Task<f32, Network<f32>> for DigitTask<'_> {
    fn batches(&mut self, step: u64, shard: usize) -> Result<&[MiniBatch<f32>], Error> {
        Ok(std::slice::from_ref(self.batches.get_shard(step, shard)))
    }

    fn evaluate(
        &mut self,
        _: u64,
        network: &Network<f32>,
        tape: &mut Tape<f32>,
        ranks: &mut Ranks,
    ) -> Result<Evaluation, Error> {
        if self.data.validation.is_empty() {
            return Ok(Evaluation::default());
        }
        let accuracy = accuracy(network, tape, &self.data.validation, ranks)?;
        Ok(Evaluation { score: Some(accuracy), metrics: vec![("validation_accuracy", accuracy)] })
    }

    fn test(
        &mut self,
        network: &Network<f32>,
        tape: &mut Tape<f32>,
        ranks: &mut Ranks,
    ) -> Result<Metrics, Error> {
        Ok(vec![("test_accuracy", accuracy(network, tape, &self.data.test, ranks)?)])
    }
}

/// The share of images that the network classifies correctly.
fn accuracy(
    network: &Network<f32>,
    tape: &mut Tape<f32>,
    images: &LabelledImages,
    ranks: &mut Ranks,
) -> Result<f64, Error> {
    let batches: Vec<_> = evaluation_batches(images.len()).collect();
    let correct =
        ranks.map(batches.len(), |i| Ok([network.correct_in(tape, images, batches[i].clone())? as f64]))?;
    Ok(correct.iter().map(|[correct]| correct).sum::<f64>() / images.len().max(1) as f64)
}
