//! `m2g digits train`.

use std::path::Path;

use m2g_core::data::mnist::DigitData;
use m2g_core::train::{Model, Outcome};
use m2g_digits::training::{Description, Training};
use m2g_digits::{Config, Network, images};
use serde_json::{Value, json};

use crate::digits::settings::Settings;
use crate::errors::with_dashes;
use crate::output::percent;
use crate::terminal::lines::{counted, entry_at, fact, note};
use crate::terminal::width::columns;
use crate::train::TrainCommand;
use crate::train::watch::{Column, EvaluationLog, Log};

impl TrainCommand for Network<f32> {
    type Settings = Settings;
    const USE_WITH: &'static str = "eval";
    const LENGTH_FLAG: &'static str = "--epochs N";

    fn length(description: &Description) -> String {
        counted(description.config.epochs, "epoch")
    }

    fn taken(training: &Training<'_>) -> String {
        let steps_per_epoch = training.options().steps_per_evaluation;
        counted(training.state.step.div_ceil(steps_per_epoch), "epoch")
    }

    fn prepare(settings: &Settings) -> anyhow::Result<(Config, DigitData)> {
        let config = settings.resolve()?;
        let data = images::load(&config)?;
        Ok((config, data))
    }

    fn reopen(settings: &Settings, run: &Path) -> anyhow::Result<(Description, DigitData)> {
        let mut description = Training::describe(run)?;
        let mut config = description.config.clone();
        settings.resume(&mut config);
        let data = images::load_again(&description, config.data.as_deref())?;
        (description.config.epochs, description.config.data) = (config.epochs, config.data);
        Ok((description, data))
    }

    fn introduce(training: &Training<'_>, data: &DigitData) -> anyhow::Result<Log> {
        let network = &training.model;
        data.reports.iter().for_each(|report| note(&with_dashes(report)));
        let sizes: Vec<String> = network.architecture().sizes.iter().map(usize::to_string).collect();
        fact("network", &format!("[{}], {} parameters", sizes.join(", "), network.params().count()));
        let source = data.source.canonicalize().unwrap_or(data.source.clone());
        fact(
            "data",
            &format!(
                "{} training, {} validation, {} test images from {}",
                data.train.len(),
                data.validation.len(),
                data.test.len(),
                source.display()
            ),
        );
        let evaluations = EvaluationLog {
            event: "epoch",
            epochs: Some(training.description.config.epochs),
            loss: "training cost",
            columns: &[Column { metric: "validation_accuracy", title: "validation", format: percent }],
        };
        Ok(Log { steps: None, evaluations: Some(evaluations) })
    }

    fn json(training: &Training<'_>, outcome: &Outcome, _: f64) -> Value {
        let steps_per_epoch = training.options().steps_per_evaluation;
        json!({
            "test_accuracy": outcome.best_test("test_accuracy"),
            "validation_accuracy": outcome.best_score,
            "best_epoch": outcome.best_step.div_ceil(steps_per_epoch),
            "last_test_accuracy": outcome.last_test("test_accuracy"),
            "seconds": outcome.seconds,
            "epochs": outcome.steps.div_ceil(steps_per_epoch),
        })
    }

    fn text(training: &Training<'_>, _: &DigitData, outcome: &Outcome, _: f64) -> anyhow::Result<String> {
        let steps_per_epoch = training.options().steps_per_evaluation;
        Ok(summary(&training.description.config, outcome, steps_per_epoch))
    }
}

/// The results, compared with those of the book.
fn summary(config: &Config, outcome: &Outcome, steps_per_epoch: u64) -> String {
    let test = |accuracy: Option<f64>| percent(accuracy.unwrap_or(f64::NAN));
    let mut lines = Vec::new();
    let which = match outcome.best_score {
        Some(_) => {
            let epoch = outcome.best_step.div_ceil(steps_per_epoch);
            format!("epoch {epoch}, the best on the validation images")
        }
        None => "the last epoch".into(),
    };
    let best = format!("{}  ({which})", test(outcome.best_test("test_accuracy")));
    lines.push(entry_at(21, "test accuracy", &best, columns()));
    if outcome.best_score.is_some() && outcome.best_step != outcome.steps {
        lines.push(format!("  after the last epoch {}", test(outcome.last_test("test_accuracy"))));
    }
    if let Some(accuracy) = outcome.best_score {
        lines.push(format!("validation accuracy  {}", percent(accuracy)));
    }
    if let Some(reference) = reference(config) {
        lines.push(entry_at(21, "for comparison", reference, columns()));
    }
    lines.push(format!(
        "{} in {:.1} s",
        counted(outcome.steps.div_ceil(steps_per_epoch), "epoch"),
        outcome.seconds
    ));
    lines.join("\n")
}

/// A published result for these settings, if nothing that affects it has been changed.
fn reference(config: &Config) -> Option<&'static str> {
    let like = |preset: &str, hidden: &[usize]| {
        let published = Config { hidden: hidden.to_vec(), ..Config::preset(preset)? };
        let comparable = Config {
            seed: published.seed,
            data: None,
            backprop: published.backprop,
            preset: published.preset.clone(),
            transposed: published.transposed,
            ..config.clone()
        };
        (config.data.is_none() && comparable == published).then_some(())
    };
    if like("book-ch1", &[30]).is_some() {
        return Some("95.42 % in the book (chapter 1, best epoch, best of three runs)");
    }
    if like("book-ch1", &[100]).is_some() {
        return Some("96.59 % in the book (chapter 1; it varies a lot between runs)");
    }
    if like("default", &[30]).is_some() {
        return Some(
            "95.42 % in the book, with its N(0, 1) weights; 95.5-95.9 % in numpy with these weights",
        );
    }
    if like("default", &[100]).is_some() {
        return Some(
            "96.59 % in the book, with its N(0, 1) weights; 97.7-97.8 % in numpy with these weights",
        );
    }
    if like("book-ch3", &[100]).is_some() {
        return Some("97.92 % on the validation images in the book (chapter 3), with its N(0, 1) weights");
    }
    if ["best", "record"]
        .iter()
        .any(|preset| config.preset == *preset && like(preset, &config.hidden).is_some())
    {
        return Some("99.3 % (Simard 2003, 800 hidden neurons), 99.65 % (Ciresan 2010, 12 M weights)");
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use m2g_core::train::Ended;

    #[test]
    fn the_accuracy_stands_beside_that_of_the_book() {
        let outcome = Outcome {
            ended: Ended::Finished,
            steps: 300,
            seconds: 4.0,
            best_step: 280,
            best_score: Some(0.95),
            last_evaluation: None,
            best_test: vec![("test_accuracy", 0.953)],
            last_test: vec![("test_accuracy", 0.951)],
        };
        let said = |config: &Config| {
            let text = summary(config, &outcome, 10);
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let config = Config::preset("default").unwrap();
        let whole = said(&config);
        assert!(whole.contains("test accuracy 95.30 % (epoch 28, the best"), "{whole}");
        assert!(whole.contains("after the last epoch 95.10 %"), "{whole}");
        assert!(whole.contains("for comparison 95.42 % in the book"), "{whole}");
        // Of fewer epochs, the book says nothing.
        assert!(!said(&Config { epochs: 2, ..config }).contains("the book"));
    }

    #[test]
    fn only_what_is_comparable_is_compared() {
        for preset in ["default", "book-ch1", "book-ch3", "best", "record"] {
            let config = Config::preset(preset).unwrap();
            assert!(reference(&Config { seed: 7, ..config.clone() }).is_some(), "{preset}");
            assert!(reference(&Config { data: Some("fashion-mnist".into()), ..config.clone() }).is_none());
            assert!(reference(&Config { epochs: config.epochs + 1, ..config }).is_none());
        }
    }
}
