//! The settings of a digit network and its training, each declared once, and the presets.

use std::path::PathBuf;

use m2g_core::nn::Activation;
use m2g_core::optim::Schedule;
use m2g_core::settings::rules::{at_least_one, below_one, not_empty, not_negative, positive};
use m2g_core::settings::{Kind, SettingValue, Settings};
use m2g_core::{Error, Precision, named_setting_values, within};
use serde::{Deserialize, Serialize};

use crate::distort::{self, Affine, Distort, Elastic};
use crate::{Architecture, Backprop, Cost, Initialisation};

/// The rule that updates the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Gradient descent, with optional momentum and L2 regularisation.
    Sgd,
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW,
}

/// Whether rows and columns of the images are swapped in the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transposed {
    /// If a comparison with MNIST says so clearly.
    #[default]
    Auto,
    /// They are: turn them upright.
    Yes,
    /// They are not.
    No,
}

impl Transposed {
    /// What the user knows; `None` leaves it to a comparison.
    pub fn known(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}

/// A switch with a third value.
impl SettingValue for Transposed {
    const VALUE_NAME: &'static str = "auto|yes|no";
    const KIND: Kind = Kind::Switch;

    fn from_text(text: &str) -> Result<Self, String> {
        match (text, bool::from_text(text)) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(true)) => Ok(Self::Yes),
            (_, Ok(false)) => Ok(Self::No),
            _ => Err("it must be auto, yes or no".into()),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Auto => "auto",
            Self::Yes => "yes",
            Self::No => "no",
        }
        .into()
    }
}

named_setting_values!(Backprop, Cost, Initialisation, OptimizerKind);

m2g_core::settings! {
    /// The settings of a training run, as `config.toml` holds them. The defaults are the book's
    /// first network, with chapter 3's smaller initial weights.
    pub struct Config {
        "Network" {
            /// The built-in configuration that the settings build on: default, book-ch1, book-ch3, best, record.
            #[setting(without_flag)]
            preset: String = "default".into(),
            /// Neurons in each hidden layer, such as 30 or 100,60.
            #[setting(shape, check(|sizes| hidden_layers(sizes)))]
            hidden: Vec<usize> = vec![30],
            /// The activation function of the hidden neurons.
            #[setting(shape)]
            activation: Activation = Activation::Sigmoid,
            /// The cost to minimise, which also determines the activation of the output neurons.
            #[setting(shape)]
            cost: Cost = Cost::Quadratic,
            /// The initial weights: chapter 1's N(0, 1), or chapter 3's, scaled by 1/sqrt(inputs).
            init: Initialisation = Initialisation::Scaled,
            /// The probability that a training step drops a hidden neuron.
            #[setting(inherited, value_name("P"), check(below_one))]
            dropout: f64 = 0.0,
            /// The precision of matrix products. bf16 is faster on processors that multiply it, and slower on
            /// others.
            precision: Precision = Precision::F32,
        }
        "Training" {
            /// Passes over the training images.
            #[setting(resumable, check(within!(1..=1000000)))]
            epochs: u64 = 30,
            /// Images in a mini-batch.
            #[alias = "mini_batch"]
            #[setting(check(at_least_one_image))]
            batch_size: usize = 10,
            /// Parts of a step that several processes can share. Each has its own mini-batch; the gradients of
            /// all are averaged.
            #[setting(check(within!(1..=65536)))]
            shards: usize = 1,
            /// The learning rate, the book's eta.
            #[alias = "lr"]
            #[setting(check(positive))]
            learning_rate: f64 = 3.0,
            /// The strength of L2 regularisation, the book's lambda (sgd). A step adds lambda / n
            /// times the weight to its gradient, with n training images.
            #[setting(check(not_negative))]
            l2: f64 = 0.0,
            /// Momentum (sgd).
            #[setting(check(below_one))]
            momentum: f64 = 0.0,
            /// The rule that updates the weights.
            optimizer: OptimizerKind = OptimizerKind::Sgd,
            /// Weight decay (adamw).
            #[setting(check(not_negative))]
            weight_decay: f64 = 0.0,
            /// The largest norm of the gradient; longer ones are scaled down. 0 means no limit.
            #[alias = "clip"]
            #[setting(check(not_negative))]
            grad_clip: f64 = 0.0,
            /// Stop after this many epochs without a better validation accuracy; 0 means never.
            patience: u32 = 0,
            /// Train on all training images (MNIST: 60,000) and keep none for validation.
            train_on_all: bool = false,
            /// How the gradient is computed: by the book's four equations, or by the tape.
            backprop: Backprop = Backprop::Tape,
            /// The seed of all random numbers.
            seed: u64 = 1,
            /// Other images than MNIST: a folder with four IDX files; or DIR/emnist-letters for files whose
            /// names begin with emnist-letters; or the name of a dataset, such as fashion-mnist.
            #[setting(resumable, value_name("DIR"), check(named))]
            data: Option<PathBuf> = None,
            /// Whether rows and columns of the images are swapped in the files, as in EMNIST: yes, no, or auto,
            /// which compares them with MNIST's and turns them upright if that is clear.
            transposed: Transposed = Transposed::Auto,
            /// How the learning rate changes; halve-on-plateau halves it after 10 epochs without
            /// progress.
            schedule: Schedule = Schedule::Constant,
            /// Rotate, stretch and bend the training images on the fly.
            distort: Distort = Distort::None {},
        }
    }
}

/// Data that is given has a name or a path.
fn named(data: &Option<PathBuf>) -> Result<(), &'static str> {
    data.as_ref().map_or(Ok(()), |data| not_empty(&data.to_string_lossy()))
}

/// The names of the presets.
pub const PRESETS: [&str; 5] = ["default", "book-ch1", "book-ch3", "best", "record"];

impl Config {
    /// The settings of the preset with this name; `None` if it does not exist.
    pub fn preset(name: &str) -> Option<Self> {
        let config = match name {
            "default" => Self::default(),
            "book-ch1" => Self { init: Initialisation::Book, ..Self::default() },
            "book-ch3" => Self {
                hidden: vec![100],
                cost: Cost::CrossEntropy,
                learning_rate: 0.5,
                l2: 5.0,
                ..Self::default()
            },
            "best" => Self {
                hidden: vec![1500, 1000],
                activation: Activation::Relu,
                cost: Cost::LogLikelihood,
                epochs: 60,
                batch_size: 128,
                learning_rate: 1e-3,
                optimizer: OptimizerKind::AdamW,
                weight_decay: 0.01,
                dropout: 0.1,
                grad_clip: 1.0,
                schedule: Schedule::Cosine { warmup: 0.02, floor: 0.0 },
                distort: Distort::Elastic { affine: Affine::default(), elastic: Elastic::default() },
                ..Self::default()
            },
            // Images that are shown so often may differ more each time, and then need no dropout.
            "record" => Self {
                hidden: vec![2000, 1500],
                activation: Activation::Gelu,
                epochs: 165,
                weight_decay: 0.05,
                dropout: 0.0,
                train_on_all: true,
                distort: Distort::Elastic {
                    affine: Affine { shift: 1.2, rotate: 15.0, scale: 0.18, shear: 0.18 },
                    elastic: Elastic { alpha: 43.0, sigma: 6.0 },
                },
                ..Self::preset("best")?
            },
            _ => return None,
        };
        Some(Self { preset: name.into(), ..config })
    }

    /// The architecture for images of `pixels` pixels in `classes` classes.
    pub fn architecture(&self, pixels: usize, classes: usize) -> Architecture {
        let mut sizes = vec![pixels];
        sizes.extend(&self.hidden);
        sizes.push(classes);
        Architecture {
            sizes,
            activation: self.activation,
            cost: self.cost,
            init: self.init,
            dropout: self.dropout,
            backprop: self.backprop,
            precision: self.precision,
            seed: self.seed,
        }
    }

    /// Checks every setting, and that they are compatible.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid setting.
    pub fn validate(&self) -> Result<(), Error> {
        self.check_saved()?;
        let is_plateau = matches!(self.schedule, Schedule::HalveOnPlateau { .. });
        let rule = match schedule_in_range(&self.schedule) {
            Err(rule) => rule,
            Ok(()) if self.train_on_all && is_plateau => {
                "it needs validation images, and `train_on_all` leaves none: choose constant or cosine"
            }
            Ok(()) => return Ok(()),
        };
        Err(Error::Setting { name: "schedule", value: self.schedule.to_text(), rule })
    }

    /// The first setting that needs validation images, and its value.
    pub(crate) fn needs_validation(&self) -> Option<(&'static str, String)> {
        match self.schedule {
            _ if self.patience > 0 => Some(("patience", self.patience.to_string())),
            Schedule::HalveOnPlateau { .. } => Some(("schedule", self.schedule.to_text())),
            _ => None,
        }
    }

    /// Checks what every version has checked: the runs of older versions can still be used.
    ///
    /// # Errors
    /// As [`Config::validate`].
    pub fn check_saved(&self) -> Result<(), Error> {
        self.check_each()?;
        let (name, value, rule) =
            if self.optimizer == OptimizerKind::AdamW && (self.momentum != 0.0 || self.l2 != 0.0) {
                ("optimizer", "adamw".into(), "`momentum` and `l2` belong to sgd; adamw has `weight_decay`")
            } else if self.optimizer == OptimizerKind::Sgd && self.weight_decay != 0.0 {
                ("weight_decay", self.weight_decay.to_string(), "it belongs to adamw; sgd has `l2`")
            } else if self.train_on_all && self.patience > 0 {
                let rule = "it needs validation images, and `train_on_all` leaves none: set it to 0";
                ("patience", self.patience.to_string(), rule)
            } else {
                return Ok(());
            };
        Err(Error::Setting { name, value, rule })
    }
}

fn hidden_layers(hidden: &[usize]) -> Result<(), &'static str> {
    if hidden.len() > 100 {
        Err("there can be at most 100 hidden layers")
    } else if !hidden.iter().all(|neurons| (1..=100_000).contains(neurons)) {
        Err("every hidden layer needs 1 to 100000 neurons")
    } else {
        Ok(())
    }
}

fn schedule_in_range(schedule: &Schedule) -> Result<(), &'static str> {
    let factor = 0.0..=1.0;
    match schedule {
        Schedule::Cosine { warmup, .. } if !factor.contains(warmup) => {
            Err("its warmup, a share of all steps, must be from 0 to 1")
        }
        Schedule::Cosine { floor, .. } | Schedule::Warmup { floor, .. } if !factor.contains(floor) => {
            Err("its floor, a factor of the learning rate, must be from 0 to 1")
        }
        _ => Ok(()),
    }
}

fn at_least_one_image(size: &usize) -> Result<(), &'static str> {
    at_least_one(size).map_err(|_| "a mini-batch needs at least one image")
}

/// A distortion by name, with the default ranges. Other ranges need a table in a configuration file.
impl SettingValue for Distort {
    const VALUE_NAME: &'static str = "NAME";
    const KIND: Kind = Kind::Name;

    fn names() -> &'static [&'static str] {
        &distort::NAMES
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: distort::DistortError| error.to_string())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_preset_is_valid() {
        for name in PRESETS {
            let config = Config::preset(name).unwrap();
            assert_eq!(config.preset, name);
            config.validate().unwrap();
        }
        assert!(Config::preset("worst").is_none());
    }

    #[test]
    fn invalid_settings_are_named() {
        let base = Config::default;
        let plateau = Schedule::HalveOnPlateau { patience: 10 };
        let cosine = |warmup, floor| Schedule::Cosine { warmup, floor };
        let cases = [
            (Config { learning_rate: f64::NAN, ..base() }, "learning_rate is NaN"),
            (Config { learning_rate: -1.0, ..base() }, "learning_rate is -1"),
            (Config { hidden: vec![30, 0], ..base() }, "hidden is 30,0"),
            (Config { epochs: 0, ..base() }, "epochs is 0"),
            (Config { batch_size: 0, ..base() }, "batch_size is 0"),
            (Config { dropout: 1.0, ..base() }, "dropout is 1"),
            (Config { l2: f64::INFINITY, ..base() }, "l2 is inf"),
            (Config { train_on_all: true, patience: 3, ..base() }, "patience is 3"),
            (Config { train_on_all: true, schedule: plateau, ..base() }, "schedule is halve-on-plateau"),
            (Config { schedule: cosine(500.0, 0.0), ..base() }, "schedule is cosine: its warmup"),
            (Config { schedule: cosine(f64::NAN, 0.0), ..base() }, "schedule is cosine: its warmup"),
            (Config { schedule: cosine(0.1, -1.0), ..base() }, "schedule is cosine: its floor"),
            (Config { weight_decay: 0.1, ..base() }, "weight_decay is 0.1: it belongs to adamw"),
            (Config { optimizer: OptimizerKind::AdamW, l2: 1.0, ..base() }, "optimizer is adamw"),
        ];
        for (config, start) in cases {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn old_spellings_are_read_from_files() {
        let old = r#"
            preset = "default"
            hidden = [30]
            activation = "sigmoid"
            cost = "quadratic"
            init = "scaled"
            epochs = 30
            mini_batch = 20
            lr = 0.25
            l2 = 0.0
            momentum = 0.0
            optimizer = "sgd"
            weight_decay = 0.0
            dropout = 0.0
            clip = 2.0
            patience = 0
            train_on_all = false
            backprop = "tape"
            seed = 1

            [schedule]
            kind = "constant"

            [distort]
            kind = "none"
        "#;
        let config: Config = toml::from_str(old).unwrap();
        let same = Config { batch_size: 20, learning_rate: 0.25, grad_clip: 2.0, ..Config::default() };
        assert_eq!(config, same);
        let written = toml::to_string(&config).unwrap();
        assert!(
            written.contains("batch_size = 20\n") && written.contains("learning_rate = 0.25\n"),
            "{written}"
        );
        assert_eq!(toml::from_str::<Config>(&written).unwrap(), same);
    }
}
