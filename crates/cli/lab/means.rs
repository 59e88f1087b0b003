//! The measured results of an experiment in short, for the page.

use serde_json::{Value, json};

use super::experiment::Experiment;
use super::results::finished;
use super::trial::Trial;

/// The mean of the experiment's measure for each arm, beside that of the standard; empty if it has not run.
pub fn means(name: &str) -> Vec<Value> {
    let Ok((_, experiment)) = Experiment::load(name) else { return Vec::new() };
    let trials = finished(name);
    let measure = &experiment.measure;
    // A later result of the same arm and seed counts.
    let mean = |arm: &str| -> Option<(f64, usize)> {
        let of_arm = |seed: &u64| {
            let found = trials.iter().rev().find(|trial: &&Trial| trial.arm == arm && trial.seed == *seed);
            found.and_then(|trial| trial.measures.get(measure).copied())
        };
        let values: Vec<f64> = experiment.seeds.iter().filter_map(of_arm).collect();
        (!values.is_empty()).then(|| (values.iter().sum::<f64>() / values.len() as f64, values.len()))
    };
    let Some((standard, _)) = experiment.arms.first().and_then(|arm| mean(&arm.name)) else {
        return Vec::new();
    };
    let rows = experiment.arms.iter().filter_map(|arm| {
        let (mean, seeds) = mean(&arm.name)?;
        Some(json!({
            "experiment": name, "arm": arm.name, "about": arm.about, "measure": measure, "mean": mean,
            "standard": standard, "seeds": seeds,
        }))
    });
    rows.collect()
}
