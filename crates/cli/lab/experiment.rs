//! An experiment: a base configuration, and arms that each differ from it.

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_core::error::{hint, nearest, shown};
use serde::{Deserialize, Serialize};

use crate::config_file::{is_readable, read, reason};
use crate::models::kind::ModelKind;
use crate::models::{named, names};

/// The built-in experiments.
pub const SHIPPED: [(&str, &str); 7] = [
    ("score", include_str!("../../../configs/lab/score.toml")),
    ("mask", include_str!("../../../configs/lab/mask.toml")),
    ("positions", include_str!("../../../configs/lab/positions.toml")),
    ("ablation", include_str!("../../../configs/lab/ablation.toml")),
    ("speedrun", include_str!("../../../configs/lab/speedrun.toml")),
    ("digits", include_str!("../../../configs/lab/digits.toml")),
    ("translate", include_str!("../../../configs/lab/translate.toml")),
];

/// Measures that are taken once, after training, and the one that is taken during it.
pub(super) const AFTER_TRAINING: [(&str, &str); 2] =
    [("test_accuracy", "validation_accuracy"), ("generation_loss", "val_loss")];

/// The most settings that all arms may have together, with those of the arms that they build on: each arm has a copy,
/// so a short file can ask for very many.
const MOST_SETTINGS: usize = 100_000;

/// An experiment as its TOML file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The question, in one sentence.
    pub about: String,
    /// The name of the model: `digits`, `gpt` or `translate`.
    pub model: String,
    /// The measure by which arms are compared.
    pub measure: String,
    /// Other measures.
    #[serde(default)]
    pub also: Vec<String>,
    /// Values of the measure: the table says how long each arm takes to reach them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<f64>,
    /// The seeds. Each arm is trained once with each seed.
    #[serde(default = "three_seeds")]
    pub seeds: Vec<u64>,
    /// The settings of all arms that differ from the default.
    #[serde(default)]
    pub base: toml::Table,
    /// The tasks that all arms are trained on, each with its settings. Empty means one task.
    #[serde(default)]
    pub tasks: Vec<Arm>,
    /// The arms. The others are compared with the first, the standard, or with the arm that they build on.
    pub arms: Vec<Arm>,
}

/// A name and settings that differ from the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The name.
    pub name: String,
    /// A short description.
    #[serde(default)]
    pub about: String,
    /// The earlier arm that it builds on: it has that arm's settings except where its own differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The settings: all other keys.
    #[serde(flatten)]
    pub settings: toml::Table,
}

fn three_seeds() -> Vec<u64> {
    vec![1, 2, 3]
}

impl Experiment {
    /// Loads a built-in experiment or a file. Returns its short name too.
    pub fn load(name: &str) -> anyhow::Result<(String, Self)> {
        let path = Path::new(name);
        let (short, text) = if let Some((name, text)) = SHIPPED.iter().find(|(known, _)| *known == name) {
            (name.to_string(), text.to_string())
        } else if is_readable(path) {
            let stem = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy().into_owned());
            (stem, read(path)?)
        } else {
            let names = SHIPPED.map(|(name, _)| name);
            let hint = hint(name.trim_end_matches(".toml"), "the experiments", &names);
            bail!("no experiment and no file is called {}; {hint}", shown(name))
        };
        let experiment = Self::parse(name, &text)?;
        Ok((short, experiment))
    }

    pub(super) fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let mut experiment: Self =
            toml::from_str(text).map_err(|e| anyhow!("{name} is not an experiment: {}", reason(text, &e)))?;
        experiment.build_on_earlier_arms().map_err(|e| anyhow!("{name}: {e}"))?;
        experiment.check().map_err(|e| anyhow!("{name}: {e}"))?;
        Ok(experiment)
    }

    /// Gives each arm that builds on another the settings of that one.
    fn build_on_earlier_arms(&mut self) -> anyhow::Result<()> {
        let mut settings = 0;
        for i in 0..self.arms.len() {
            let (earlier, later) = self.arms.split_at_mut(i);
            let arm = &mut later[0];
            let Some(on) = &arm.on else { continue };
            let Some(base) = earlier.iter().find(|arm| arm.name == *on) else {
                bail!("arm {} builds on {on}, but no earlier arm is called that", arm.name);
            };
            for (key, value) in &base.settings {
                arm.settings.entry(key.clone()).or_insert_with(|| value.clone());
            }
            settings += arm.settings.len();
            if settings > MOST_SETTINGS {
                bail!(
                    "up to arm {}, the arms have more than {MOST_SETTINGS} settings, with those of the arms that they \
                     build on: give fewer arms",
                    arm.name
                );
            }
        }
        Ok(())
    }

    /// The arm that an arm is compared with: the one that it builds on, or the first.
    pub fn compared_with(&self, arm: &Arm) -> &Arm {
        let on = arm.on.as_ref().and_then(|on| self.arms.iter().find(|other| other.name == *on));
        on.unwrap_or(&self.arms[0])
    }

    /// The model.
    ///
    /// # Errors
    /// If no model has this name.
    pub fn model(&self) -> anyhow::Result<&'static dyn ModelKind> {
        let known = || names().collect::<Vec<_>>().join(", ");
        named(&self.model)
            .ok_or_else(|| anyhow!("no model is called \"{}\"; the models are {}", self.model, known()))
    }

    /// The measure that curves show: the one by which arms are compared or, if that is taken only after training, one
    /// that is taken during it.
    pub fn curve_measure(&self) -> &str {
        let during = AFTER_TRAINING.iter().find(|(after, _)| *after == self.measure);
        during.map_or(&self.measure, |(_, during)| during)
    }

    /// All measures, the one that arms are compared by first.
    pub fn measures(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.measure).chain(&self.also).map(String::as_str)
    }

    /// The tasks; `None` if there is only one, without settings.
    pub fn tasks(&self) -> Vec<Option<&Arm>> {
        match &self.tasks[..] {
            [] => vec![None],
            tasks => tasks.iter().map(Some).collect(),
        }
    }

    /// The settings of a training run, in layers: the base, the task, the arm.
    pub fn layers<'a>(&'a self, task: Option<&'a Arm>, arm: &'a Arm) -> Vec<(&'a str, &'a toml::Table)> {
        std::iter::once(("base", &self.base))
            .chain(task.map(|task| (task.name.as_str(), &task.settings)))
            .chain([(arm.name.as_str(), &arm.settings)])
            .collect()
    }

    /// Keeps only the standard and the arms in these lists of names. The names of a list have commas
    /// between them, and may contain commas themselves: the longest name counts.
    pub fn keep_arms(&mut self, lists: &[String]) -> anyhow::Result<()> {
        let known: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        let mut chosen: Vec<String> = vec![self.arms[0].name.clone()];
        for list in lists {
            let parts: Vec<&str> = list.split(',').collect();
            let mut start = 0;
            while start < parts.len() {
                let name =
                    |end: usize| parts[start..end].join(",").trim().trim_matches('"').trim().to_string();
                let found = (start + 1..=parts.len()).rev().find(|&end| known.contains(&name(end).as_str()));
                match found {
                    Some(end) => {
                        chosen.push(name(end));
                        start = end;
                    }
                    // As in "a,": nothing after a comma.
                    None if name(start + 1).is_empty() && parts.len() > 1 => start += 1,
                    None => return Err(unknown_arm(&name(start + 1), &known)),
                }
            }
        }
        self.arms.retain(|arm| chosen.contains(&arm.name));
        for arm in &mut self.arms {
            // It has the settings already.
            arm.on = arm.on.take().filter(|on| chosen.contains(on));
        }
        Ok(())
    }
}

fn unknown_arm(name: &str, known: &[&str]) -> anyhow::Error {
    match nearest(name, known.iter().copied()) {
        Some(near) => anyhow!("--arms: no arm is called \"{name}\"; did you mean {near}?"),
        None => anyhow!("--arms: no arm is called \"{name}\"; the arms are {}", known.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn built_in_experiments_are_valid() {
        for (name, _) in SHIPPED {
            let (short, experiment) = Experiment::load(name).unwrap();
            assert_eq!(short, name);
            assert!(experiment.seeds.len() >= 3 && experiment.arms.len() >= 2, "{name}");
            assert!(experiment.arms.iter().all(|arm| !arm.about.is_empty()), "{name}");
        }
    }

    /// Only then does its difference from that arm say what the change is worth.
    #[test]
    fn an_arm_changes_one_thing_of_the_arm_that_it_is_compared_with() {
        // A change may need another rate or another time.
        let companions = ["learning_rate", "min_lr", "warmup_iters", "max_iters", "eval_interval"];
        let mut with_several = Vec::new();
        for (name, _) in SHIPPED {
            let (_, experiment) = Experiment::load(name).unwrap();
            for arm in &experiment.arms {
                let (ours, theirs) = (&arm.settings, &experiment.compared_with(arm).settings);
                let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
                let changed = keys.into_iter().filter(|key| ours.get(*key) != theirs.get(*key));
                if changed.filter(|key| !companions.contains(&key.as_str())).count() > 1 {
                    with_several.push(arm.name.clone());
                }
            }
        }
        // Their names or descriptions say both.
        assert_eq!(with_several, ["neither", "smaller", "qk norm", "beam 4, alpha 0"]);
    }

    /// A shorter warm-up must not be a smaller rate.
    #[test]
    fn a_translator_without_warm_up_has_the_mean_rate_of_one_with_it() {
        let (_, experiment) = Experiment::load("translate").unwrap();
        let mean_rate = |arm: &Arm| {
            let mut settings = experiment.base.clone();
            settings.extend(arm.settings.clone());
            let config: m2g_translate::Config = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
            let (schedule, steps) = (config.schedule(), config.max_iters);
            let rates = (0..steps).map(|step| schedule.factor(step, steps, 0));
            config.peak_learning_rate() * rates.sum::<f64>() / steps as f64
        };
        let without: Vec<&Arm> =
            experiment.arms.iter().filter(|arm| arm.name.contains("no warm-up")).collect();
        assert_eq!(without.len(), 2);
        for arm in without {
            let ratio = mean_rate(arm) / mean_rate(experiment.compared_with(arm));
            assert!((ratio - 1.0).abs() < 0.02, "{}: {ratio}", arm.name);
        }
    }

    #[test]
    fn the_experiment_in_the_notes_is_valid() {
        let note = include_str!("../../../notebooks-notes/05-what-if.md");
        let text = note.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let experiment = Experiment::parse("wide-or-deep.toml", text).unwrap();
        assert_eq!(experiment.arms.len(), 2);
    }

    #[test]
    fn arms_are_picked_by_name() {
        let (_, mut score) = Experiment::load("score").unwrap();
        let standard = score.arms[0].name.clone();
        score.keep_arms(&["cosine".into()]).unwrap();
        assert!(score.arms.iter().map(|arm| arm.name.clone()).eq([standard, "cosine".into()]));
        assert!(score.keep_arms(&["cosin".into()]).unwrap_err().to_string().contains("did you mean cosine?"));
        let error = score.keep_arms(&["xyzzy".into()]).unwrap_err().to_string();
        assert!(error.contains("the arms are scaled-dot; cosine"), "{error}");
        assert!(Experiment::load("scores").unwrap_err().to_string().contains("did you mean score?"));
    }

    #[test]
    fn an_arm_has_the_settings_of_the_arm_that_it_builds_on() {
        let text = "about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\n\
            [[arms]]\nname = \"a\"\nn_layer = 1\nn_head = 1\n\
            [[arms]]\nname = \"b\"\non = \"a\"\nn_layer = 2\n\
            [[arms]]\nname = \"c\"\non = \"b\"\nqk_norm = true\n\
            [[arms]]\nname = \"d\"\nn_layer = 3\n";
        let mut experiment = Experiment::parse("x.toml", text).unwrap();
        let c = &experiment.arms[2];
        assert_eq!(toml::to_string(&c.settings).unwrap(), "n_head = 1\nn_layer = 2\nqk_norm = true\n");
        let compared = |experiment: &Experiment| -> Vec<String> {
            experiment.arms.iter().map(|arm| experiment.compared_with(arm).name.clone()).collect()
        };
        assert_eq!(compared(&experiment), ["a", "a", "b", "a"]);
        // What is written reads as the same experiment, also without the arm in between.
        let again = Experiment::parse("x.toml", &toml::to_string(&experiment).unwrap()).unwrap();
        assert_eq!(again, experiment);
        experiment.keep_arms(&["c".into()]).unwrap();
        assert_eq!(compared(&experiment), ["a", "a"]);
        let again = Experiment::parse("x.toml", &toml::to_string(&experiment).unwrap()).unwrap();
        assert_eq!(again, experiment);
    }

    #[test]
    fn arms_that_pile_up_settings_are_refused_before_they_fill_the_memory() {
        let chain = |arms: usize, setting: fn(usize) -> String| {
            let arm = |i: usize| format!("[[arms]]\nname = \"a{i}\"\non = \"a{}\"\n{}\n", i - 1, setting(i));
            let arms: String = (1..arms).map(arm).collect();
            let start = "about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\n[[arms]]\nname = \"a0\"\n";
            Experiment::parse("x.toml", &format!("{start}{arms}"))
        };
        assert_eq!(chain(20, |i| format!("n_layer = {i}")).unwrap().arms.len(), 20);
        let error = chain(500, |i| format!("k{i} = 1")).unwrap_err().to_string();
        // 1 + 2 + .. + 447 = 100,128.
        assert!(error.contains("x.toml: up to arm a447, the arms have more than 100000 settings"), "{error}");
    }

    #[test]
    fn names_of_arms_may_contain_commas() {
        let arm = |name: &str| format!("[[arms]]\nname = \"{name}\"\n");
        let arms: String = ["standard", "relu, wide", "relu", "a,b", "a"].map(arm).concat();
        let text = format!("about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\n{arms}");
        let kept = |lists: &[&str]| -> Vec<String> {
            let mut experiment = Experiment::parse("x.toml", &text).unwrap();
            let lists: Vec<String> = lists.iter().map(ToString::to_string).collect();
            experiment.keep_arms(&lists).unwrap();
            experiment.arms.into_iter().map(|arm| arm.name).collect()
        };
        assert_eq!(kept(&["relu, wide"]), ["standard", "relu, wide"]);
        assert_eq!(kept(&["relu, wide,a"]), ["standard", "relu, wide", "a"]);
        assert_eq!(kept(&["\"relu, wide\",relu"]), ["standard", "relu, wide", "relu"]);
        assert_eq!(kept(&["a,b"]), ["standard", "a,b"], "the longest name");
        assert_eq!(kept(&["a", "relu,"]), ["standard", "relu", "a"], "repeated");
        assert_eq!(kept(&["standard"]), ["standard"]);
    }
}
