//! Results files of older versions, whose first line holds the experiment and the fingerprints of
//! its data. The settings of each training run follow from them.

use serde_json::Value;

use super::experiment::{Arm, Experiment};
use super::trainer::Trainer;
use super::trial::{Key, Record, Trial};

/// The results under the settings that made them. Leaves out those of arms that are no longer valid.
pub fn convert(head: &Value, trials: Vec<Trial>) -> Vec<Record> {
    let Ok(experiment) = serde_json::from_value::<Experiment>(head["experiment"].clone()) else {
        return Vec::new();
    };
    let Ok(model) = experiment.model() else { return Vec::new() };
    let trainer = model.trainer();
    let convert = |trial: Trial| {
        let key = key(&experiment, &*trainer, model.name(), &head["data"], &trial)?;
        let wanted = experiment.measures().map(String::from).collect();
        Some(Record { trial, key, wanted })
    };
    trials.into_iter().filter_map(convert).collect()
}

fn key(
    experiment: &Experiment,
    trainer: &dyn Trainer,
    model: &str,
    data: &Value,
    trial: &Trial,
) -> Option<Key> {
    let named = |list: &[Arm], name: &str| list.iter().position(|arm| arm.name == name);
    let arm = &experiment.arms[named(&experiment.arms, &trial.arm)?];
    let task = match &trial.task {
        Some(name) => Some(named(&experiment.tasks, name)?),
        None => None,
    };
    let layers = experiment.layers(task.map(|i| &experiment.tasks[i]), arm);
    // One data set for all training runs, or one for each task.
    let all = data.as_array()?;
    let of_task = match all.len() {
        1 => all.first(),
        n if n == experiment.tasks.len() => all.get(task?),
        _ => None,
    };
    Some(Key {
        model: model.into(),
        settings: trainer.settings(&layers, trial.seed).ok()?,
        data: of_task?.as_str()?.into(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn old_results_get_the_settings_that_made_them() {
        let arm = |name: &str, n: u64| json!({"name": name, "about": "", "n_layer": n});
        let head = json!({
            "experiment": {
                "about": "?", "model": "gpt", "measure": "val_loss", "also": [], "seeds": [1, 2],
                "base": {"data": "own-text"}, "tasks": [], "arms": [arm("a", 1), arm("b", 2)],
            },
            "data": ["abc"],
        });
        let trial = |arm: &str| Trial { arm: arm.into(), seed: 2, ..Trial::default() };
        let found = convert(&head, vec![trial("a"), trial("b"), trial("gone")]);
        let settings = |i: usize| &found[i].key.settings;
        assert_eq!(found.len(), 2);
        assert_eq!((&settings(0)["n_layer"], &settings(1)["n_layer"]), (&json!(1), &json!(2)));
        assert_eq!((&settings(0)["seed"], found[0].key.data.as_str()), (&json!(2), "abc"));
        assert!(convert(&json!({"experiment": {}}), vec![trial("a")]).is_empty());
    }
}
