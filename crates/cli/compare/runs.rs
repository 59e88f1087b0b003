//! Two runs: settings, parameters, curves, final figures.

use std::collections::BTreeSet;

use m2g_core::train::run;
use m2g_core::{Params, Tensor};
use m2g_digits::training as digits;
use serde::Serialize;
use serde_json::{Map, Value};

use super::side::{Run, Side};
use crate::config_file::with_present_names;

/// What is compared of two runs.
#[derive(Debug, Serialize)]
pub struct Runs {
    /// How many settings have the same value in both.
    pub same_settings: usize,
    /// The settings that differ.
    pub settings: Vec<Setting>,
    /// All parameters of either.
    pub parameters: Vec<Parameter>,
    /// How the validation went.
    pub curves: [Validation; 2],
    /// What came out.
    pub ends: [End; 2],
}

/// A setting that differs.
#[derive(Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value in each; none where there is no such setting.
    pub values: [Option<Value>; 2],
}

/// A parameter of either model.
#[derive(Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its shape in each; none where there is no such parameter.
    pub shapes: [Option<Vec<usize>>; 2],
    /// How far apart its numbers are, `|a - b| / (|a| + |b|)`, from 0 to 1: 0 if they are the same; none
    /// unless the shapes are.
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

/// What came out of a run.
#[derive(Debug, Serialize)]
pub struct End {
    /// Steps made.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// The mean loss of the training at the end, if it was evaluated.
    pub train_loss: Option<f64>,
    /// The last value of the validation metric.
    pub last: Option<f64>,
    /// The best one.
    pub best: Option<f64>,
    /// The step at which it was measured.
    pub best_step: Option<u64>,
}

impl Runs {
    /// Compares the runs of two sides.
    pub fn new(sides: &[Side; 2], runs: [&Run; 2]) -> anyhow::Result<Self> {
        let of = |i: usize| {
            let config = &runs[i].metadata["config"]["config"];
            match sides[i].kind {
                digits::KIND => with_present_names::<m2g_digits::Config>(config),
                _ => with_present_names::<m2g_gpt::Config>(config),
            }
        };
        let (same_settings, settings) = settings([of(0), of(1)]);
        let [(a, a_end), (b, b_end)] = [went(&sides[0], runs[0])?, went(&sides[1], runs[1])?];
        Ok(Self {
            same_settings,
            settings,
            parameters: parameters([&sides[0].params, &sides[1].params]),
            curves: [a, b],
            ends: [a_end, b_end],
        })
    }
}

/// How many settings are the same, and those that are not.
fn settings(all: [Map<String, Value>; 2]) -> (usize, Vec<Setting>) {
    let names: BTreeSet<&String> = all.iter().flat_map(Map::keys).collect();
    let each = names.iter().map(|&name| Setting {
        name: name.clone(),
        values: [0, 1].map(|side| all[side].get(name).filter(|value| !value.is_null()).cloned()),
    });
    let (same, differ): (Vec<_>, Vec<_>) = each.partition(|s| s.values[0] == s.values[1]);
    (same.len(), differ)
}

/// All parameters of either, those of the first model first.
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

/// The validation of a run, and its final figures.
fn went(side: &Side, its: &Run) -> anyhow::Result<(Validation, End)> {
    // The score of a GPT is its loss below 0: the highest is the best.
    let (metric, sign) = match side.kind {
        digits::KIND => ("validation_accuracy", 1.0),
        _ => ("val_loss", -1.0),
    };
    let state = its.state()?;
    let records = run::metrics(&its.path)?;
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
    fn settings_that_differ_are_found() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let a = map(json!({"lr": 3.0, "hidden": [30], "seed": 1, "data": null}));
        let b = map(json!({"lr": 3.0, "hidden": [30, 10], "n_layer": 4, "seed": 1}));
        let (same, differ) = settings([a, b]);
        let setting = |name: &str, values| Setting { name: name.into(), values };
        assert_eq!(same, 3, "no data is no data");
        assert_eq!(
            differ,
            [
                setting("hidden", [Some(json!([30])), Some(json!([30, 10]))]),
                setting("n_layer", [None, Some(json!(4))])
            ]
        );
    }

    #[test]
    fn parameters_are_told_apart() {
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
