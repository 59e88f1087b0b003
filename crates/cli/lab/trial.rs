//! One training of an experiment: an arm, a task, a seed.

use std::collections::BTreeMap;

use anyhow::Context;
use m2g_core::data::mnist::DigitData;
use m2g_core::train::{Ended, EvaluationRecord, Observer, Progress, Save};
use m2g_core::{Error, Tape};
use m2g_gpt::data::Corpus;
use m2g_gpt::evaluation::generation_loss;
use serde::{Deserialize, Serialize};

use super::experiment::Config;
use crate::interrupt;
use crate::progress::Bar;

/// Windows of the validation split on which `generation_loss` is measured.
const GENERATION_WINDOWS: usize = 64;
/// Steps between two updates of the bar.
const STEPS_PER_UPDATE: u64 = 20;

/// What a training ended with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The task, if the experiment has several.
    pub task: Option<String>,
    /// The arm.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// What was measured, by name; nothing if the training diverged.
    pub measures: BTreeMap<String, f64>,
    /// The measure that counts at each evaluation: step and value.
    pub curve: Vec<(u64, f64)>,
    /// The sentence that says where the training diverged, if it did.
    pub diverged: Option<String>,
    /// Seconds of training.
    pub seconds: f64,
}

/// The data of all trainings, loaded once each.
#[derive(Default)]
pub struct Datasets {
    texts: BTreeMap<(String, String), Corpus>,
    digits: Option<DigitData>,
}

impl Datasets {
    /// Loads what a training needs, if it is not there yet; returns its fingerprint.
    pub fn load(&mut self, config: &Config) -> anyhow::Result<String> {
        match config {
            Config::Gpt(config) => {
                let key = (config.data.clone(), config.tokenizer.clone());
                if !self.texts.contains_key(&key) {
                    let corpus = Corpus::load(&config.data, config.tokenizer.parse()?)?;
                    corpus.reports.iter().for_each(|report| eprintln!("{report}"));
                    self.texts.insert(key.clone(), corpus);
                }
                Ok(self.texts[&key].fingerprint.clone())
            }
            Config::Digits(config) => {
                if self.digits.is_none() {
                    self.digits = Some(crate::digits::load(config.data.as_deref(), config.train_on_all)?);
                }
                Ok(self.digits.as_ref().map_or(String::new(), |data| data.fingerprint.clone()))
            }
        }
    }

    /// Steps of a training.
    pub fn steps(&self, config: &Config) -> u64 {
        match config {
            Config::Gpt(config) => config.max_iters,
            Config::Digits(config) => {
                let images = self.digits.as_ref().map_or(0, |data| data.train.len());
                config.epochs * images.div_ceil(config.batch_size) as u64
            }
        }
    }

    /// Trains and measures. None if the training was interrupted.
    pub fn train(
        &self,
        config: &Config,
        measures: &[&str],
        watch: &mut Watch,
    ) -> anyhow::Result<Option<Measured>> {
        watch.curve_of = measures[0].to_string();
        watch.curve.clear();
        match config {
            Config::Gpt(config) => {
                let corpus = self.texts.get(&(config.data.clone(), config.tokenizer.clone()));
                let corpus = corpus.context("the text has not been loaded")?;
                let mut training =
                    m2g_gpt::training::Training::new((**config).clone(), corpus, Save::Nowhere)?;
                let ended = training.run(watch).map(|outcome| (outcome.ended, outcome.seconds));
                let Some(seconds) = watch.end(ended)? else { return Ok(None) };
                let mut found = watch.last.clone();
                if measures.contains(&"generation_loss") && watch.diverged.is_none() {
                    let mut tape = Tape::new();
                    tape.set_gradients(false);
                    let loss = generation_loss(&training.model, &mut tape, &corpus.val, GENERATION_WINDOWS)?;
                    found.insert("generation_loss".into(), loss);
                }
                Ok(Some(watch.measured(found, measures, seconds)))
            }
            Config::Digits(config) => {
                let data = self.digits.as_ref().context("the images have not been loaded")?;
                let mut training =
                    m2g_digits::training::Training::new((**config).clone(), data, Save::Nowhere)?;
                let outcome = training.run(watch);
                let test = outcome.as_ref().ok().and_then(|outcome| outcome.last_test("test_accuracy"));
                let Some(seconds) = watch.end(outcome.map(|o| (o.ended, o.seconds)))? else {
                    return Ok(None);
                };
                let mut found = watch.last.clone();
                found.extend(test.map(|test| ("test_accuracy".to_string(), test)));
                Ok(Some(watch.measured(found, measures, seconds)))
            }
        }
    }
}

/// What a training measured.
pub struct Measured {
    /// By name.
    pub measures: BTreeMap<String, f64>,
    /// The measure that counts, at each evaluation.
    pub curve: Vec<(u64, f64)>,
    /// Where it diverged, if it did.
    pub diverged: Option<String>,
    /// Seconds of training.
    pub seconds: f64,
}

/// Watches the trainings of an experiment, one after the other.
pub struct Watch {
    /// The bar over all steps of all trainings.
    pub bar: Bar,
    /// Steps of the trainings before this one.
    pub before: u64,
    curve_of: String,
    curve: Vec<(u64, f64)>,
    /// What the last evaluation found.
    last: BTreeMap<String, f64>,
    diverged: Option<String>,
}

impl Watch {
    /// Watches trainings of so many steps in all, of which `before` are made.
    pub fn new(before: u64, steps: u64) -> Self {
        Self {
            bar: Bar::new(before, steps),
            before,
            curve_of: String::new(),
            curve: Vec::new(),
            last: BTreeMap::new(),
            diverged: None,
        }
    }

    /// Seconds of a training that came to its end or diverged; none if it was interrupted.
    fn end(&mut self, ended: Result<(Ended, f64), Error>) -> anyhow::Result<Option<f64>> {
        self.diverged = None;
        match ended {
            Ok((Ended::Stopped, _)) => Ok(None),
            Ok((_, seconds)) => Ok(Some(seconds)),
            Err(error @ Error::NotFinite { .. }) => {
                self.diverged = Some(error.to_string());
                self.last.clear();
                Ok(Some(0.0))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn measured(&mut self, found: BTreeMap<String, f64>, measures: &[&str], seconds: f64) -> Measured {
        self.last.clear();
        let wanted = |(name, value): &(String, f64)| measures.contains(&name.as_str()) && value.is_finite();
        let all: BTreeMap<String, f64> = found.into_iter().filter(wanted).collect();
        // It may come to its end and still have nothing to show.
        let lost =
            (!all.contains_key(measures[0])).then(|| format!("{} is not finite at the end", measures[0]));
        Measured {
            measures: all,
            curve: std::mem::take(&mut self.curve),
            diverged: self.diverged.take().or(lost),
            seconds,
        }
    }
}

impl Observer for Watch {
    fn step(&mut self, progress: &Progress) {
        if progress.step.is_multiple_of(STEPS_PER_UPDATE) {
            self.bar.at(self.before + progress.step);
        }
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        let metrics = record.metrics.iter().map(|(name, value)| (name.to_string(), *value));
        self.last = metrics.chain([("train_loss".to_string(), record.train_loss)]).collect();
        // What is measured only at the end has the curve of the validation split.
        let names = [self.curve_of.as_str(), "val_loss", "validation_accuracy"];
        if let Some(value) = names.iter().find_map(|name| self.last.get(*name)).filter(|v| v.is_finite()) {
            self.curve.push((record.step, *value));
        }
    }

    fn warning(&mut self, message: &str) {
        self.bar.say(&format!("warning: {message}"));
    }

    fn stop(&mut self) -> bool {
        interrupt::asked()
    }
}
