//! `m2g digits ...`

mod eval;
mod plot;
pub mod predict;
mod settings;
mod train;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use m2g_core::data::catalogue;
use m2g_core::data::mnist::{self, DigitData, LabelledImages, Split};

/// What can be done with the digit network.
#[derive(Subcommand)]
pub enum DigitsCommand {
    /// Train a network on MNIST, or on any IDX data of its kind.
    Train(Box<train::Train>),
    /// Measure a trained network on the test images.
    Eval(eval::Eval),
    /// Read your own pictures of digits.
    Predict(predict::Predict),
    /// Draw the learning curves, the confusion matrix, the weights and the mistakes.
    Plot(plot::Plot),
}

/// Runs the subcommand.
pub fn run(command: DigitsCommand) -> anyhow::Result<ExitCode> {
    match command {
        DigitsCommand::Train(train) => train.run(),
        DigitsCommand::Eval(eval) => eval.run(),
        DigitsCommand::Predict(predict) => predict.run(),
        DigitsCommand::Plot(plot) => plot.run(),
    }
}

/// Loads the data in `dir`, or MNIST from where it is found.
pub fn load(dir: Option<&Path>, train_on_all: bool) -> anyhow::Result<DigitData> {
    let split = if train_on_all { Split::TrainOnAll } else { Split::Standard };
    Ok(mnist::load(&catalogue::find("mnist", dir)?, split)?)
}

/// Loads the test images in `dir`, or MNIST's from where they are found.
pub fn load_test(dir: Option<&Path>) -> anyhow::Result<LabelledImages> {
    Ok(mnist::load_test(&catalogue::find("mnist", dir)?)?)
}
