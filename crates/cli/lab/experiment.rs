//! What an experiment is: a base configuration, and arms that each differ from it.

use std::path::Path;

use anyhow::{anyhow, bail};
use m2g_digits::Config as DigitsConfig;
use m2g_gpt::Config as GptConfig;
use serde::{Deserialize, Serialize};

use crate::config_file::{one_line, read, with_table};
use crate::flags::nearest;

/// The experiments that come with the program, by name.
pub const SHIPPED: [(&str, &str); 5] = [
    ("score", include_str!("../../../configs/lab/score.toml")),
    ("mask", include_str!("../../../configs/lab/mask.toml")),
    ("positions", include_str!("../../../configs/lab/positions.toml")),
    ("ablation", include_str!("../../../configs/lab/ablation.toml")),
    ("digits", include_str!("../../../configs/lab/digits.toml")),
];

/// Which of the models an experiment trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// The digit network.
    Digits,
    /// The GPT.
    Gpt,
}

impl ModelKind {
    /// What can be measured of it, the names as settings have them.
    pub fn measures(self) -> &'static [&'static str] {
        match self {
            Self::Digits => &["test_accuracy", "validation_accuracy", "train_loss"],
            Self::Gpt => &["val_loss", "train_loss", "generation_loss"],
        }
    }
}

/// An experiment as its TOML file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The question, in a sentence.
    pub about: String,
    /// `digits` or `gpt`.
    pub model: ModelKind,
    /// What arms are compared by.
    pub measure: String,
    /// What is measured besides.
    #[serde(default)]
    pub also: Vec<String>,
    /// Each arm is trained once with each seed.
    #[serde(default = "three_seeds")]
    pub seeds: Vec<u64>,
    /// The settings of all arms, where they are not the default.
    #[serde(default)]
    pub base: toml::Table,
    /// What all arms are tried on, if on more than one thing; each has settings of its own.
    #[serde(default)]
    pub tasks: Vec<Arm>,
    /// The arms; the first is the standard, with which the others are compared.
    pub arms: Vec<Arm>,
}

/// A name and settings that differ from the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// What it is called.
    pub name: String,
    /// What it is, in half a sentence.
    #[serde(default)]
    pub about: String,
    /// Its settings: all other keys.
    #[serde(flatten)]
    pub settings: toml::Table,
}

fn three_seeds() -> Vec<u64> {
    vec![1, 2, 3]
}

/// The complete configuration of one training.
#[derive(Debug, Clone)]
pub enum Config {
    /// Of a digit network.
    Digits(Box<DigitsConfig>),
    /// Of a GPT.
    Gpt(Box<GptConfig>),
}

impl Experiment {
    /// Reads an experiment: one that is built in, or a file. Returns its name too.
    pub fn load(name: &str) -> anyhow::Result<(String, Self)> {
        let path = Path::new(name);
        let (short, text) = if let Some((name, text)) = SHIPPED.iter().find(|(known, _)| *known == name) {
            (name.to_string(), text.to_string())
        } else if path.is_file() {
            let stem = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy().into_owned());
            (stem, read(path)?)
        } else {
            let names = SHIPPED.map(|(name, _)| name);
            match nearest(name.trim_end_matches(".toml"), names) {
                Some(near) => {
                    bail!("there is no experiment and no file called {name}; did you mean {near}?")
                }
                None => bail!(
                    "there is no experiment and no file called {name}; the experiments are {}",
                    names.join(", ")
                ),
            }
        };
        let experiment = Self::parse(name, &text)?;
        Ok((short, experiment))
    }

    fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let experiment: Self = toml::from_str(text)
            .map_err(|e| anyhow!("{name} is no experiment: {}", one_line(e.message())))?;
        experiment.check().map_err(|e| anyhow!("{name}: {e}"))?;
        Ok(experiment)
    }

    /// Checks everything that can be checked before anything is trained.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.arms.is_empty() {
            bail!("an experiment needs an arm at least: write one as [[arms]]");
        }
        if self.seeds.is_empty() {
            bail!("an experiment needs a seed at least");
        }
        let known = self.model.measures();
        for measure in self.measures() {
            if !known.contains(&measure) {
                let near = nearest(measure, known.iter().copied());
                let hint =
                    near.map_or(format!("there are {}", known.join(", ")), |n| format!("did you mean {n}?"));
                bail!("there is no measure called {measure}; {hint}");
            }
        }
        let settings = self.arms.iter().chain(&self.tasks).map(|arm| &arm.settings);
        if settings.chain([&self.base]).any(|settings| settings.contains_key("seed")) {
            bail!("an arm has no seed of its own: write those of all arms as seeds = [1, 2, 3]");
        }
        for (what, list) in [("arms", &self.arms), ("tasks", &self.tasks)] {
            for (i, arm) in list.iter().enumerate() {
                if list[..i].iter().any(|other| other.name == arm.name) {
                    bail!("two {what} are called {}", arm.name);
                }
            }
        }
        for task in self.tasks() {
            for arm in &self.arms {
                self.config(task, arm, self.seeds[0])?;
            }
        }
        Ok(())
    }

    /// What is measured, the measure that counts first.
    pub fn measures(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.measure).chain(&self.also).map(String::as_str)
    }

    /// The tasks; one that changes nothing where there is none.
    pub fn tasks(&self) -> Vec<Option<&Arm>> {
        match &self.tasks[..] {
            [] => vec![None],
            tasks => tasks.iter().map(Some).collect(),
        }
    }

    /// The configuration of one training: the default, the base, the task, the arm, the seed.
    pub fn config(&self, task: Option<&Arm>, arm: &Arm, seed: u64) -> anyhow::Result<Config> {
        let layers = std::iter::once(("base", &self.base))
            .chain(task.map(|task| (task.name.as_str(), &task.settings)))
            .chain([(arm.name.as_str(), &arm.settings)]);
        match self.model {
            ModelKind::Digits => {
                let mut config = DigitsConfig::default();
                for (name, settings) in layers {
                    config = with_table(&config, name, settings.clone())?;
                }
                config.seed = seed;
                config.validate().map_err(|e| anyhow!("{}: {e}", arm.name))?;
                Ok(Config::Digits(Box::new(config)))
            }
            ModelKind::Gpt => {
                let mut config = GptConfig::default();
                for (name, settings) in layers {
                    config = with_table(&config, name, settings.clone())?;
                }
                config.seed = seed;
                config.validate().map_err(|e| anyhow!("{}: {e}", arm.name))?;
                Ok(Config::Gpt(Box::new(config)))
            }
        }
    }

    /// The arms with these names only, the standard always among them.
    pub fn keep_arms(&mut self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            if !self.arms.iter().any(|arm| arm.name == *name) {
                let known: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
                match nearest(name, known.iter().copied()) {
                    Some(near) => bail!("--arms: there is no arm called {name}; did you mean {near}?"),
                    None => bail!("--arms: there is no arm called {name}; there are {}", known.join(", ")),
                }
            }
        }
        let standard = self.arms[0].name.clone();
        self.arms.retain(|arm| arm.name == standard || names.contains(&arm.name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_comes_with_the_program_is_valid() {
        for (name, _) in SHIPPED {
            let (short, experiment) = Experiment::load(name).unwrap();
            assert_eq!(short, name);
            assert!(experiment.seeds.len() >= 3 && experiment.arms.len() >= 2, "{name}");
            assert!(experiment.arms.iter().all(|arm| !arm.about.is_empty()), "{name}");
        }
    }

    #[test]
    fn the_one_in_the_notes_is_valid() {
        let note = include_str!("../../../notebooks-notes/05-what-if.md");
        let text = note.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let experiment = Experiment::parse("wide-or-deep.toml", text).unwrap();
        assert_eq!(experiment.arms.len(), 2);
    }

    #[test]
    fn mistakes_are_named() {
        let arm = "[[arms]]\nname = \"a\"\n";
        let head = "about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\n";
        let cases = [
            (format!("{head}{arm}n_heads = 2"), "did you mean n_head?"),
            (format!("{head}{arm}score = \"cosin\""), "cosin"),
            (format!("{head}{arm}n_head = 3"), "multiple of n_head"),
            (format!("{head}{arm}{arm}"), "two arms are called a"),
            (format!("{head}seed = [1]\n{arm}"), "unknown field `seed`"),
            (format!("{head}seeds = []\n{arm}"), "needs a seed"),
            (format!("{head}{arm}seed = 7"), "seeds = [1, 2, 3]"),
            (format!("{head}arms = []"), "needs an arm"),
            (head.replace("val_loss", "valloss") + arm, "did you mean val_loss?"),
            (head.replace("gpt", "mnist") + arm, "mnist"),
        ];
        for (text, part) in cases {
            let error = Experiment::parse("x.toml", &text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{text}\n{error}");
        }
    }

    #[test]
    fn arms_are_picked_by_name() {
        let (_, mut score) = Experiment::load("score").unwrap();
        let standard = score.arms[0].name.clone();
        score.keep_arms(&["cosine".into()]).unwrap();
        assert!(score.arms.iter().map(|arm| arm.name.clone()).eq([standard, "cosine".into()]));
        assert!(score.keep_arms(&["cosin".into()]).unwrap_err().to_string().contains("did you mean cosine?"));
        assert!(Experiment::load("scores").unwrap_err().to_string().contains("did you mean score?"));
    }
}
