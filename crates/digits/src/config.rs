//! Every setting of a training, and the presets.

use std::path::PathBuf;

use m2g_core::Error;
use m2g_core::nn::Activation;
use m2g_core::optim::Schedule;
use serde::{Deserialize, Serialize};

use crate::distort::Distort;
use crate::{Architecture, Backprop, Cost, Initialisation};

/// Which rule changes the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Gradient descent, with momentum and L2 regularisation if asked for.
    Sgd,
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW,
}

/// The settings of a training, as `config.toml` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the settings came from: `default`, `book-ch1`, `book-ch3`, `best`.
    pub preset: String,
    /// Neurons in each hidden layer.
    pub hidden: Vec<usize>,
    /// What the hidden neurons do.
    pub activation: Activation,
    /// What is to become small.
    pub cost: Cost,
    /// How large the first weights are.
    pub init: Initialisation,
    /// How often the network sees the training images.
    pub epochs: u64,
    /// Images in a step.
    pub mini_batch: usize,
    /// The learning rate, the book's eta.
    pub lr: f64,
    /// The strength of the L2 regularisation, the book's lambda: each step adds
    /// `lambda / n` times the weight to its gradient, with n training images.
    pub l2: f64,
    /// The momentum of SGD.
    pub momentum: f64,
    /// Which rule changes the weights.
    pub optimizer: OptimizerKind,
    /// The weight decay of AdamW.
    pub weight_decay: f64,
    /// The probability with which a hidden neuron is left out of a step.
    pub dropout: f64,
    /// The largest norm of a gradient; 0 is no limit.
    pub clip: f64,
    /// Stop after so many epochs without a better validation accuracy; 0 is never.
    pub patience: u32,
    /// Whether the network trains on all 60,000 images, which leaves none for validation.
    pub train_on_all: bool,
    /// Who computes the gradient.
    pub backprop: Backprop,
    /// The seed of all random numbers.
    pub seed: u64,
    /// The folder of the data, if it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// How the training images are distorted.
    pub distort: Distort,
}

/// The names of the presets.
pub const PRESETS: [&str; 4] = ["default", "book-ch1", "book-ch3", "best"];

impl Default for Config {
    /// The book's first network with chapter 3's smaller first weights.
    fn default() -> Self {
        Self {
            preset: "default".into(),
            hidden: vec![30],
            activation: Activation::Sigmoid,
            cost: Cost::Quadratic,
            init: Initialisation::Scaled,
            epochs: 30,
            mini_batch: 10,
            lr: 3.0,
            l2: 0.0,
            momentum: 0.0,
            optimizer: OptimizerKind::Sgd,
            weight_decay: 0.0,
            dropout: 0.0,
            clip: 0.0,
            patience: 0,
            train_on_all: false,
            backprop: Backprop::Tape,
            seed: 1,
            data: None,
            schedule: Schedule::Constant,
            distort: Distort::None,
        }
    }
}

impl Config {
    /// The settings of a preset; none if there is none of that name.
    pub fn preset(name: &str) -> Option<Self> {
        let config = match name {
            "default" => Self::default(),
            "book-ch1" => Self { init: Initialisation::Book, ..Self::default() },
            "book-ch3" => {
                Self { hidden: vec![100], cost: Cost::CrossEntropy, lr: 0.5, l2: 5.0, ..Self::default() }
            }
            "best" => Self {
                hidden: vec![1500, 1000],
                activation: Activation::Relu,
                cost: Cost::LogLikelihood,
                epochs: 60,
                mini_batch: 128,
                lr: 1e-3,
                optimizer: OptimizerKind::AdamW,
                weight_decay: 0.01,
                dropout: 0.1,
                clip: 1.0,
                schedule: Schedule::Cosine { warmup: 0.02, floor: 0.0 },
                distort: "elastic".parse().unwrap_or_default(),
                ..Self::default()
            },
            _ => return None,
        };
        Some(Self { preset: name.into(), ..config })
    }

    /// The architecture for images of so many pixels, of so many classes.
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
            seed: self.seed,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that makes no sense, by the name of its flag.
    pub fn validate(&self) -> Result<(), Error> {
        const LARGEST_LAYER: usize = 100_000;
        let setting = |name, value: String, rule| Err(Error::Setting { name, value, rule });
        let hidden = || self.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        if self.hidden.iter().any(|&n| n == 0 || n > LARGEST_LAYER) {
            return setting("--hidden", hidden(), "every hidden layer needs 1 to 100000 neurons");
        }
        if self.hidden.len() > 100 {
            return setting("--hidden", hidden(), "there can be at most 100 hidden layers");
        }
        if self.epochs == 0 || self.epochs > 1_000_000 {
            return setting("--epochs", self.epochs.to_string(), "it must be from 1 to 1000000");
        }
        if self.mini_batch == 0 {
            return setting("--mini-batch", "0".into(), "a mini-batch needs at least one image");
        }
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return setting("--lr", self.lr.to_string(), "the learning rate must be a number above 0");
        }
        let not_negative = [("--l2", self.l2), ("--weight-decay", self.weight_decay), ("--clip", self.clip)];
        for (name, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return setting(name, value.to_string(), "it must be a number, 0 or above");
            }
        }
        for (name, value) in [("--momentum", self.momentum), ("--dropout", self.dropout)] {
            if !(0.0..1.0).contains(&value) {
                return setting(name, value.to_string(), "it must be at least 0 and below 1");
            }
        }
        if self.optimizer == OptimizerKind::AdamW && (self.momentum != 0.0 || self.l2 != 0.0) {
            let rule = "--momentum and --l2 belong to sgd; adamw has --weight-decay";
            return setting("--optimizer", "adamw".into(), rule);
        }
        if self.optimizer == OptimizerKind::Sgd && self.weight_decay != 0.0 {
            let rule = "it belongs to adamw; sgd has --l2";
            return setting("--weight-decay", self.weight_decay.to_string(), rule);
        }
        if self.train_on_all && self.patience > 0 {
            let rule = "with --train-on-all there are no validation images to be patient about";
            return setting("--patience", self.patience.to_string(), rule);
        }
        Ok(())
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
    fn senseless_settings_are_named_by_their_flag() {
        let base = Config::default;
        let cases = [
            (Config { lr: f64::NAN, ..base() }, "--lr is NaN"),
            (Config { lr: -1.0, ..base() }, "--lr is -1"),
            (Config { hidden: vec![30, 0], ..base() }, "--hidden is 30,0"),
            (Config { epochs: 0, ..base() }, "--epochs is 0"),
            (Config { mini_batch: 0, ..base() }, "--mini-batch is 0"),
            (Config { dropout: 1.0, ..base() }, "--dropout is 1"),
            (Config { l2: f64::INFINITY, ..base() }, "--l2 is inf"),
            (Config { train_on_all: true, patience: 3, ..base() }, "--patience is 3"),
        ];
        for (config, start) in cases {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
