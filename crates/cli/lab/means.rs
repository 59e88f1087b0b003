//! The measured results of an experiment in short, for the page.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::experiment::{Arm, Experiment};
use super::results::finished;
use super::statistics::mean_and_deviation;
use super::trial::Record;

/// The mean of the experiment's measure for each arm, beside that of the standard under equal conditions; empty
/// if it has not run.
pub fn means(name: &str) -> Vec<Value> {
    let Ok((_, experiment)) = Experiment::load(name) else { return Vec::new() };
    rows(name, &experiment, &finished(name))
}

/// What training runs must have in common to be compared: the base's length, and the data.
#[derive(PartialEq)]
struct Conditions<'a> {
    length: &'a Value,
    data: &'a str,
}

/// A row for each task and arm with results under the same conditions as those of the standard. Of several
/// conditions the longest training counts, then the latest.
fn rows(name: &str, experiment: &Experiment, records: &[Record]) -> Vec<Value> {
    let Ok(model) = experiment.model() else { return Vec::new() };
    let length = model.length_setting();
    let mut all: Vec<Conditions<'_>> = Vec::new();
    for Record { key, .. } in records.iter().rev() {
        let conditions = Conditions { length: &key.settings[length], data: &key.data };
        if !all.contains(&conditions) {
            all.push(conditions);
        }
    }
    // Stable: of equally long ones, the latest stays first.
    all.sort_by_key(|conditions| Reverse(conditions.length.as_u64()));
    let mut seeds: Vec<u64> = records.iter().map(|record| record.trial.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let row = |task: Option<&Arm>, arm: &Arm| {
        all.iter().find_map(|conditions| {
            let value = |arm, seed| measured(experiment, records, conditions, (task, arm, seed));
            // The same seeds on both sides.
            let pairs = seeds.iter().filter_map(|&seed| Some((value(arm, seed)?, value(&experiment.arms[0], seed)?)));
            let (ours, standard): (Vec<f64>, Vec<f64>) = pairs.unzip();
            (!ours.is_empty()).then(|| {
                json!({
                    "experiment": name, "task": task.map(|task| &task.name), "arm": arm.name, "about": arm.about,
                    "measure": experiment.measure, "mean": mean_and_deviation(&ours).0,
                    "standard": mean_and_deviation(&standard).0, "seeds": ours.len(), length: conditions.length,
                })
            })
        })
    };
    let tasks = experiment.tasks().into_iter();
    tasks.flat_map(|task| experiment.arms.iter().filter_map(move |arm| row(task, arm))).collect()
}

/// The measure of a training run under these conditions; the latest if there are several.
fn measured(
    experiment: &Experiment,
    records: &[Record],
    conditions: &Conditions<'_>,
    (task, arm, seed): (Option<&Arm>, &Arm, u64),
) -> Option<f64> {
    let model = experiment.model().ok()?;
    let mut base = experiment.base.clone();
    base.insert(model.length_setting().into(), toml::Value::try_from(conditions.length).ok()?);
    let mut layers = experiment.layers(task, arm);
    layers[0].1 = &base;
    let settings = model.trainer().settings(&layers, seed).ok()?;
    let of_run = |record: &&Record| {
        let key = &record.key;
        key.model == experiment.model && key.data == conditions.data && key.settings == settings
    };
    let found = records.iter().rev().filter(of_run);
    found.filter_map(|record| record.trial.measures.get(&experiment.measure)).next().copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::trial::{Key, Trial};
    use super::*;

    /// A result of an arm of the experiment, of this many steps.
    fn record(
        experiment: &Experiment,
        arm: &str,
        steps: i64,
        (seed, data): (u64, &str),
        loss: f64,
    ) -> Record {
        let mut base = experiment.base.clone();
        base.insert("max_iters".into(), steps.into());
        let arm = experiment.arms.iter().find(|known| known.name == arm).unwrap();
        let mut layers = experiment.layers(None, arm);
        layers[0].1 = &base;
        let settings = experiment.model().unwrap().trainer().settings(&layers, seed).unwrap();
        let trial = Trial {
            arm: arm.name.clone(),
            seed,
            measures: [(experiment.measure.clone(), loss)].into(),
            ..Trial::default()
        };
        let key = Key { model: experiment.model.clone(), settings, data: data.into() };
        Record { trial, key, wanted: vec![experiment.measure.clone()] }
    }

    #[test]
    fn arms_are_compared_under_equal_conditions() {
        let (_, score) = Experiment::load("score").unwrap();
        let of = |arm: &str, steps: i64, seed: (u64, &str), loss: f64| record(&score, arm, steps, seed, loss);
        let mut records = vec![
            of("scaled-dot", 30, (1, "a"), 3.6),
            of("scaled-dot", 30, (2, "a"), 9.0),
            of("cosine", 30, (1, "a"), 3.7),
            // Fewer steps, and then another text.
            of("scaled-dot", 3, (1, "a"), 4.5),
            of("dot", 3, (1, "a"), 4.6),
            of("cosine", 3, (1, "a"), 4.7),
            of("additive", 30, (1, "b"), 1.0),
        ];
        let shown = |records: &[Record]| -> Vec<(String, f64, f64, u64)> {
            let rows = rows("score", &score, records);
            let number = |row: &Value, key: &str| row[key].as_f64().unwrap();
            let row = |row: &Value| {
                let arm = row["arm"].as_str().unwrap().to_string();
                (arm, number(row, "mean"), number(row, "standard"), row["seeds"].as_u64().unwrap())
            };
            rows.iter().map(row).collect()
        };
        let expected = [("scaled-dot", 6.3, 6.3, 2), ("dot", 4.6, 4.5, 1), ("cosine", 3.7, 3.6, 1)];
        assert_eq!(shown(&records), expected.map(|(arm, mean, standard, n)| (arm.into(), mean, standard, n)));
        // An arm of the same name with other settings is no result of this experiment.
        records[4].key.settings["n_layer"] = 1.into();
        assert!(shown(&records).iter().all(|(arm, ..)| arm != "dot"));
        assert!(shown(&[]).is_empty());
    }
}
