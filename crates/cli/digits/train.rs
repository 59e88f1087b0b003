//! `m2g digits train`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use m2g_core::data::mnist::DigitData;
use m2g_core::threads::with_threads;
use m2g_core::train::{Ended, Model, Outcome, Save};
use m2g_digits::training::Training;
use m2g_digits::{Config, Initialisation};
use serde_json::json;

use super::settings::Settings;
use super::watch::Watch;
use crate::flags::{new_run_path, quoted, run_path};
use crate::{interrupt, output};

/// Train a network. Without flags: the book's first, [784, 30, 10], on MNIST.
#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    settings: Settings,
    /// How many threads to use; the result is the same for any number [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where to save: a name under runs/, or a path [default: runs/digits, digits-2, ...].
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Replace the run if it exists.
    #[arg(long)]
    overwrite: bool,
    /// Go on with a run that was stopped; with --epochs, beyond its end.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["run", "overwrite"])]
    resume: Option<String>,
    /// Write one JSON object for each epoch, and a last one, to stdout.
    #[arg(long)]
    json: bool,
}

impl Train {
    /// Trains, and reports how it went.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        interrupt::listen();
        let threads = usize::from(self.threads.unwrap_or(0));
        with_threads(threads, || match self.resume.clone() {
            Some(run) => self.resume(&run_path(&run)),
            None => self.start(),
        })?
    }

    fn start(self) -> anyhow::Result<ExitCode> {
        let path = match &self.run {
            Some(name) => run_path(name),
            None => new_run_path("digits"),
        };
        let config = self.settings.resolve()?;
        let data = super::load(config.data.as_deref(), config.train_on_all)?;
        let training = Training::new(config, &data, Save::at(&path, self.overwrite))?;
        train(training, &data, &path, self.json)
    }

    fn resume(self, path: &PathBuf) -> anyhow::Result<ExitCode> {
        if let Some(flag) = self.settings.first_fixed() {
            bail!(
                "{flag} cannot change when a run is resumed: its settings stand in {}",
                path.join("config.toml").display()
            );
        }
        let mut description = Training::describe(path)?;
        let mut config = description.config.clone();
        self.settings.resume(&mut config);
        description.config.epochs = config.epochs;
        let data = super::load(config.data.as_deref(), config.train_on_all)?;
        let training = Training::resume(path, &data, description)?;
        let epochs = training.description.config.epochs;
        if training.ended() == Some(Ended::Finished) {
            bail!(
                "{} has made all its {epochs} epochs: give more with --epochs N, or use it with `m2g digits eval {}`",
                path.display(),
                quoted(path)
            );
        }
        eprintln!("resuming {} after step {}", path.display(), training.state.step);
        train(training, &data, path, self.json)
    }
}

fn train(mut training: Training, data: &DigitData, path: &PathBuf, json: bool) -> anyhow::Result<ExitCode> {
    let config = training.description.config.clone();
    let sizes: Vec<String> = training.model.architecture().sizes.iter().map(usize::to_string).collect();
    eprintln!(
        "network [{}], {} parameters; {} training, {} validation, {} test images from {}",
        sizes.join(", "),
        training.model.params().count(),
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        data.source.display()
    );
    let options = training.options();
    let steps = options.steps;
    let mut watch = Watch::new(training.state.step, steps, config.epochs, json);
    let outcome = training.run(&mut watch);
    watch.finish();
    if let Some(error) = watch.failed {
        return Err(error);
    }
    let outcome = outcome?;
    if outcome.ended == Ended::Stopped {
        eprintln!("stopped and saved after {} of {steps} steps; to go on:", training.state.step);
        eprintln!("  m2g digits train --resume {}", quoted(path));
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    if json {
        let epochs = |steps: u64| steps.div_ceil(options.steps_per_evaluation);
        output::line(json!({
            "event": "done",
            "test_accuracy": outcome.best_test("test_accuracy"),
            "validation_accuracy": outcome.best_score,
            "best_epoch": epochs(outcome.best_step),
            "last_test_accuracy": outcome.last_test("test_accuracy"),
            "seconds": outcome.seconds,
            "epochs": epochs(outcome.steps),
            "run": path,
        }))?;
    } else {
        output::line(summary(&config, &outcome, options.steps_per_evaluation))?;
    }
    eprintln!("saved in {}; look at it with `m2g digits eval {}`", path.display(), quoted(path));
    Ok(ExitCode::SUCCESS)
}

/// The figures, and beside them what the book reports.
fn summary(config: &Config, outcome: &Outcome, steps_per_epoch: u64) -> String {
    let mut lines = Vec::new();
    let percent = |share: Option<f64>| output::percent(share.unwrap_or(f64::NAN));
    let which = match outcome.best_score {
        Some(_) => {
            let epoch = outcome.best_step.div_ceil(steps_per_epoch);
            format!("epoch {epoch}, the best on the validation images")
        }
        None => "the last epoch".into(),
    };
    lines.push(format!("test accuracy        {}  ({which})", percent(outcome.best_test("test_accuracy"))));
    lines.push(format!("  after the last epoch {}", percent(outcome.last_test("test_accuracy"))));
    if let Some(accuracy) = outcome.best_score {
        lines.push(format!("validation accuracy  {}", output::percent(accuracy)));
    }
    if let Some(reference) = reference(config) {
        lines.push(format!("for comparison       {reference}"));
    }
    lines.push(format!("{} epochs in {:.1} s", outcome.steps.div_ceil(steps_per_epoch), outcome.seconds));
    lines.join("\n")
}

/// What is reported for these settings elsewhere; nothing if a setting was changed
/// on which the figure depends.
fn reference(config: &Config) -> Option<&'static str> {
    let like = |preset: &str, hidden: &[usize]| {
        let same = Config { hidden: hidden.to_vec(), ..Config::preset(preset)? };
        let seed_and_place = Config {
            seed: same.seed,
            data: None,
            backprop: same.backprop,
            preset: same.preset.clone(),
            ..config.clone()
        };
        (config.data.is_none() && seed_and_place == same).then_some(())
    };
    if like("book-ch1", &[30]).is_some() {
        return Some("95.42 % in the book (chapter 1, best epoch, best of three runs)");
    }
    if like("book-ch1", &[100]).is_some() {
        return Some("96.59 % in the book (chapter 1; it varies a lot between runs)");
    }
    if like("default", &[30]).is_some() {
        return Some("95.42 % in the book, with its N(0, 1) weights; 95.5-95.9 % in numpy with these");
    }
    if like("default", &[100]).is_some() {
        return Some("96.59 % in the book, with its N(0, 1) weights; 97.7-97.8 % in numpy with these");
    }
    if like("book-ch3", &[100]).is_some() {
        return Some("97.92 % on the validation images in the book (chapter 3)");
    }
    if config.preset == "best" && config.init == Initialisation::Scaled {
        return Some("99.3 % (Simard 2003, 800 hidden neurons), 99.65 % (Ciresan 2010, 12 M weights)");
    }
    None
}
