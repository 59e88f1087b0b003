//! Compares two runs: settings, parameters, curves, final results.

use std::collections::BTreeSet;

use m2g_core::train::run_folder;
use m2g_core::{Params, Tensor};
use serde::Serialize;
use serde_json::{Map, Value};

use super::compared::Compared;
use crate::models::kind::ValidationMetric;
use crate::models::run::SavedRun;

/// The comparison of two runs.
#[derive(Debug, Serialize)]
pub struct Runs {
    /// The number of settings with the same value in both.
    pub same_settings: usize,
    /// The settings that differ.
    pub settings: Vec<Setting>,
    /// The parameters of either run.
    pub parameters: Vec<Parameter>,
    /// The validation curves.
    pub curves: [Validation; 2],
    /// The final results.
    pub ends: [End; 2],
}

/// A setting that differs between the runs.
#[derive(Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value in each run that has the setting.
    pub values: [Option<Value>; 2],
}

/// A parameter of either model.
#[derive(Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its shape in each run that has the parameter.
    pub shapes: [Option<Vec<usize>>; 2],
    /// The distance `|a - b| / (|a| + |b|)` of its values, from 0 (the same) to 1, if the shapes are
    /// the same.
    pub distance: Option<f64>,
}

/// The validation metric over the steps.
#[derive(Debug, Serialize)]
pub struct Validation {
    /// Its name in the metrics: `validation_accuracy` or `val_loss`.
    pub metric: &'static str,
    /// Step and value of each evaluation.
    pub points: Vec<(f64, f64)>,
}

/// The final results of a run.
#[derive(Debug, Serialize)]
pub struct End {
    /// Steps taken.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// The mean training loss before the last evaluation, if there was one.
    pub train_loss: Option<f64>,
    /// The last value of the validation metric.
    pub last: Option<f64>,
    /// The best value of the validation metric.
    pub best: Option<f64>,
    /// The step of the best value.
    pub best_step: Option<u64>,
}

impl Runs {
    /// Compares the runs of two models.
    pub fn new(models: &[Compared; 2], runs: [&SavedRun; 2]) -> anyhow::Result<Self> {
        let of = |i: usize| models[i].kind.settings(&runs[i].metadata["config"]["config"]);
        let (same_settings, settings) = settings([of(0), of(1)]);
        let [(a, a_end), (b, b_end)] = [results(&models[0], runs[0])?, results(&models[1], runs[1])?];
        Ok(Self {
            same_settings,
            settings,
            parameters: parameters([&models[0].step.params, &models[1].step.params]),
            curves: [a, b],
            ends: [a_end, b_end],
        })
    }
}

/// The number of equal settings, and those that differ.
fn settings(all: [Map<String, Value>; 2]) -> (usize, Vec<Setting>) {
    let names: BTreeSet<&String> = all.iter().flat_map(Map::keys).collect();
    let each = names.iter().map(|&name| Setting {
        name: name.clone(),
        values: [0, 1].map(|side| all[side].get(name).filter(|value| !value.is_null()).cloned()),
    });
    let (same, differ): (Vec<_>, Vec<_>) = each.partition(|s| s.values[0] == s.values[1]);
    (same.len(), differ)
}

/// The parameters of either run, with those of the first run first.
fn parameters(all: [&Params<f32>; 2]) -> Vec<Parameter> {
    let find = |side: usize, name: &str| all[side].iter().find(|p| p.name == name).map(|p| &p.value);
    let only_second = all[1].iter().filter(|p| find(0, &p.name).is_none());
    let names = all[0].iter().chain(only_second).map(|p| &p.name);
    names
        .map(|name| {
            let both = [find(0, name), find(1, name)];
            Parameter {
                name: name.clone(),
                shapes: both.map(|tensor| tensor.map(|t| t.shape().to_vec())),
                distance: match both {
                    [Some(a), Some(b)] if a.shape() == b.shape() => Some(distance(a, b)),
                    _ => None,
                },
            }
        })
        .collect()
}

/// `|a - b| / (|a| + |b|)`; 0 if both are 0.
fn distance(a: &Tensor<f32>, b: &Tensor<f32>) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let [one, other] = [a, b].map(|t| norm(&mut t.data().iter().map(|&x| f64::from(x))));
    let pairs = a.data().iter().zip(b.data());
    let apart = norm(&mut pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)));
    if apart == 0.0 { 0.0 } else { apart / (one + other) }
}

/// The validation curve of a run, and its final results.
fn results(model: &Compared, run: &SavedRun) -> anyhow::Result<(Validation, End)> {
    let ValidationMetric { name: metric, sign } = model.kind.validation_metric();
    let state = run.state()?;
    let records = run_folder::metrics(&run.path)?;
    let points: Vec<(f64, f64)> =
        records.iter().filter_map(|r| Some((r["step"].as_f64()?, r[metric].as_f64()?))).collect();
    let end = End {
        steps: state.step,
        seconds: state.seconds,
        train_loss: records.last().and_then(|r| r["train_loss"].as_f64()),
        last: points.last().map(|point| point.1),
        best: state.best_score.map(|score| sign * score),
        best_step: state.best_score.map(|_| state.best_step),
    };
    Ok((Validation { metric, points }, end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn differing_settings_are_found() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let a = map(json!({"lr": 3.0, "hidden": [30], "seed": 1, "data": null}));
        let b = map(json!({"lr": 3.0, "hidden": [30, 10], "n_layer": 4, "seed": 1}));
        let (same, differ) = settings([a, b]);
        let setting = |name: &str, values| Setting { name: name.into(), values };
        assert_eq!(same, 3, "null counts as no value");
        assert_eq!(
            differ,
            [
                setting("hidden", [Some(json!([30])), Some(json!([30, 10]))]),
                setting("n_layer", [None, Some(json!(4))])
            ]
        );
    }

    #[test]
    fn differing_parameters_are_found() {
        let params = |list: &[(&str, &[f32])]| {
            let mut params = Params::new();
            for (name, x) in list {
                params.add(*name, Tensor::from_vec(&[x.len()], x.to_vec()).unwrap()).unwrap();
            }
            params
        };
        let a = params(&[("same", &[1.0, 2.0]), ("moved", &[3.0, 4.0]), ("long", &[0.0; 3])]);
        let b =
            params(&[("moved", &[3.0, -4.0]), ("same", &[1.0, 2.0]), ("long", &[0.0; 4]), ("new", &[0.0])]);
        let all = parameters([&a, &b]);
        let got: Vec<_> = all.iter().map(|p| (p.name.as_str(), p.distance)).collect();
        // |(0, 8)| / (5 + 5).
        assert_eq!(got, [("same", Some(0.0)), ("moved", Some(0.8)), ("long", None), ("new", None)]);
        assert_eq!(all[3].shapes, [None, Some(vec![1])]);
    }
}
