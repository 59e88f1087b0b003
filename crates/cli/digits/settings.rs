//! The settings of a training: preset, then file, then flags.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use m2g_core::nn::Activation;
use m2g_core::optim::Schedule;
use m2g_digits::config::{OptimizerKind, PRESETS};
use m2g_digits::distort::{self, Distort};
use m2g_digits::{Backprop, Config, Cost, Initialisation};

use crate::config_file::{read, with_keys};
use crate::flags::one_of;

/// The flags that set one setting each; what is not given comes from the preset.
#[derive(Args, Clone, Debug, Default)]
pub struct Settings {
    /// Where to start from: the book's networks, or the best that we know.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(PRESETS))]
    pub preset: Option<String>,
    /// A TOML file with settings that replace those of the preset.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Neurons in each hidden layer, such as 30 or 100,60.
    #[arg(long, value_name = "N,..", value_delimiter = ',', num_args = 1)]
    pub hidden: Option<Vec<usize>>,
    /// What the hidden neurons do.
    #[arg(long, value_name = "NAME", value_parser = one_of::<Activation>(&["sigmoid", "tanh", "relu"]))]
    pub activation: Option<Activation>,
    /// What is to become small.
    #[arg(long, value_name = "NAME",
        value_parser = one_of::<Cost>(&["quadratic", "cross-entropy", "log-likelihood"]))]
    pub cost: Option<Cost>,
    /// The first weights: chapter 1's N(0, 1) or chapter 3's, scaled by 1/sqrt(inputs).
    #[arg(long, value_name = "NAME", value_parser = one_of::<Initialisation>(&["book", "scaled"]))]
    pub init: Option<Initialisation>,
    /// How often the network sees all training images.
    #[arg(long, value_name = "N")]
    pub epochs: Option<u64>,
    /// Images in a step.
    #[arg(long, value_name = "N")]
    pub mini_batch: Option<usize>,
    /// The learning rate.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// How the learning rate changes; halve-on-plateau halves it after 10 epochs without progress.
    #[arg(long, value_name = "NAME",
        value_parser = clap::builder::PossibleValuesParser::new(["constant", "cosine", "halve-on-plateau"]))]
    pub schedule: Option<String>,
    /// L2 regularisation, the book's lambda (sgd).
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub l2: Option<f64>,
    /// Momentum (sgd).
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub momentum: Option<f64>,
    /// Which rule changes the weights.
    #[arg(long, value_name = "NAME", value_parser = one_of::<OptimizerKind>(&["sgd", "adamw"]))]
    pub optimizer: Option<OptimizerKind>,
    /// Weight decay (adamw).
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub weight_decay: Option<f64>,
    /// The probability with which a hidden neuron is left out of a step.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub dropout: Option<f64>,
    /// The largest norm of a gradient; 0 is no limit.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub clip: Option<f64>,
    /// Turn, stretch and bend the training images on the fly.
    #[arg(long, value_name = "NAME",
        value_parser = clap::builder::PossibleValuesParser::new(distort::NAMES))]
    pub distort: Option<String>,
    /// Stop after so many epochs without a better validation accuracy; 0 is never.
    #[arg(long, value_name = "N")]
    pub patience: Option<u32>,
    /// Train on all 60,000 images and keep none for validation.
    #[arg(long)]
    pub train_on_all: bool,
    /// Who computes the gradient: the four equations by hand, or the tape.
    #[arg(long, value_name = "NAME", value_parser = one_of::<Backprop>(&["by-hand", "tape"]))]
    pub backprop: Option<Backprop>,
    /// The seed of all random numbers.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A folder with four IDX files, instead of MNIST.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Settings {
    /// The complete configuration.
    pub fn resolve(self) -> anyhow::Result<Config> {
        let preset = self.preset.as_deref().unwrap_or("default");
        let mut config = Config::preset(preset).ok_or_else(|| anyhow!("there is no preset {preset}"))?;
        if let Some(file) = &self.config {
            config = with_keys(&config, &["data"], &file.display().to_string(), &read(file)?)?;
        }
        macro_rules! take {
            ($($name:ident),*) => { $(if let Some(value) = self.$name { config.$name = value; })* };
        }
        take!(hidden, activation, cost, init, epochs, mini_batch, lr, l2, momentum, optimizer);
        take!(weight_decay, dropout, clip, patience, backprop, seed);
        if let Some(name) = self.schedule {
            config.schedule = match name.as_str() {
                "cosine" => Schedule::Cosine { warmup: 0.02, floor: 0.0 },
                "halve-on-plateau" => Schedule::HalveOnPlateau { patience: 10 },
                _ => Schedule::Constant,
            };
        }
        if let Some(name) = self.distort {
            config.distort = name.parse::<Distort>()?;
        }
        config.train_on_all |= self.train_on_all;
        if let Some(dir) = self.data {
            // Kept as a full path, so that --resume finds it from anywhere.
            config.data = Some(std::path::absolute(&dir).unwrap_or(dir));
        }
        config.validate()?;
        Ok(config)
    }

    /// The name of the first flag that was given, other than --epochs: what a
    /// resumed training has already decided.
    pub fn first_fixed(&self) -> Option<&'static str> {
        macro_rules! given {
            ($($name:ident => $flag:literal),*) => {
                [$((self.$name.is_some(), $flag)),*].into_iter().find(|(given, _)| *given).map(|(_, f)| f)
            };
        }
        given!(preset => "--preset", config => "--config", hidden => "--hidden",
            activation => "--activation", cost => "--cost", init => "--init",
            mini_batch => "--mini-batch", lr => "--lr", schedule => "--schedule", l2 => "--l2",
            momentum => "--momentum", optimizer => "--optimizer", weight_decay => "--weight-decay",
            dropout => "--dropout", clip => "--clip", distort => "--distort",
            patience => "--patience", backprop => "--backprop", seed => "--seed")
        .or(self.train_on_all.then_some("--train-on-all"))
    }
}
