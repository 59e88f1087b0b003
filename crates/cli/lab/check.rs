//! What can be checked of an experiment without training.

use anyhow::bail;
use m2g_core::error::{hint, is_unsafe_in_terminals};

use super::experiment::{AFTER_TRAINING, Experiment};
use super::reach::greatest;
use crate::runs::name::NOT_IN_FILE_NAMES;

/// Measures that are not taken with this value of a setting.
const NOT_MEASURED: [(&str, &str, &str); 3] = [
    ("validation_accuracy", "train_on_all", "true"),
    ("val_bleu", "eval_translations", "0"),
    ("val_exact", "eval_translations", "0"),
];

/// The longest name of a task in bytes: file names have up to 255, and it is only a part of one.
const MAX_TASK_NAME: usize = 100;

impl Experiment {
    /// Checks everything that can be checked without training.
    pub fn check(&self) -> anyhow::Result<()> {
        let model = self.model()?;
        if self.arms.is_empty() {
            bail!("an experiment needs at least one arm: write it as [[arms]]");
        }
        if self.seeds.is_empty() {
            bail!("an experiment needs at least one seed");
        }
        if let Some(seed) = repeated(&self.seeds) {
            bail!("seeds has {seed} twice: give each seed once, because equal runs say nothing about chance");
        }
        let settings = self.arms.iter().chain(&self.tasks).map(|arm| &arm.settings);
        if settings.chain([&self.base]).any(|settings| settings.contains_key("seed")) {
            bail!("seed cannot be a setting here: write the seeds of all arms as seeds = [1, 2, 3]");
        }
        if let Some(task) = self.tasks.iter().find(|task| task.on.is_some()) {
            bail!("task {} has on, which only an arm may have: give the task all its settings", task.name);
        }
        self.check_measures(model.measures())?;
        self.check_reach()?;
        self.check_names()?;
        let trainer = model.trainer();
        for task in self.tasks() {
            for arm in &self.arms {
                let settings = trainer.settings(&self.layers(task, arm), self.seeds[0])?;
                let value = |setting: &str| settings[setting].to_string();
                let missing = NOT_MEASURED.iter().find(|(measure, setting, missing)| {
                    *measure == self.measure && value(setting) == **missing
                });
                if let Some((measure, setting, value)) = missing {
                    bail!(
                        "{}: {measure} is not measured where {setting} is {value}: choose another measure, or \
                         another {setting}",
                        arm.name
                    );
                }
            }
        }
        Ok(())
    }

    fn check_measures(&self, known: &[&str]) -> anyhow::Result<()> {
        let measures: Vec<&str> = self.measures().collect();
        if let Some(measure) = measures.iter().find(|measure| !known.contains(*measure)) {
            bail!("no measure is called \"{measure}\"; {}", hint(measure, "the measures", known));
        }
        if let Some(measure) = repeated(&measures) {
            bail!("{measure} is there twice: name each measure once, in measure or in also");
        }
        Ok(())
    }

    fn check_reach(&self) -> anyhow::Result<()> {
        let measure = &*self.measure;
        if !self.reach.is_empty() && AFTER_TRAINING.iter().any(|(after, _)| *after == measure) {
            bail!("reach needs a measure that is taken during training, but {measure} is taken after it");
        }
        for target in &self.reach {
            let most = greatest(measure);
            if !target.is_finite() {
                bail!("reach has {target}: write values of {measure}, such as 1.5");
            }
            if *target <= 0.0 {
                bail!("reach has {target}: write values of {measure} above 0");
            }
            if *target > most && most == 1.0 {
                bail!("reach has {target}, but {measure} is at most 1: write 0.9 for 90 %");
            }
            if *target > most {
                bail!("reach has {target}, but {measure} is at most {most}: write a smaller value");
            }
        }
        if let Some(target) = repeated(&self.reach) {
            bail!("reach has {target} twice: give each value once");
        }
        Ok(())
    }

    /// Checks that names are different, can be typed, and fit into tables; those of tasks also into file names.
    fn check_names(&self) -> anyhow::Result<()> {
        for (what, list) in [("arm", &self.arms), ("task", &self.tasks)] {
            let names: Vec<&str> = list.iter().map(|arm| &*arm.name).collect();
            if let Some(i) = names.iter().position(|name| name.trim().is_empty()) {
                bail!("{what} {} has an empty name: give it one", i + 1);
            }
            if let Some(name) = names.iter().find(|name| name.contains(is_unsafe_in_terminals)) {
                bail!("{what} {name:?} has a line break or a control character in its name: leave it out");
            }
            // --arms takes names with quotes and spaces around them.
            if let Some(name) = names.iter().find(|name| name.trim().trim_matches('"').trim() != **name) {
                bail!("{what} {name:?} has a space or a quote at an end of its name: leave it out");
            }
            if let Some(name) = repeated(&names) {
                bail!("two {what}s are called {name}: give each a name of its own");
            }
        }
        for (i, task) in self.tasks.iter().enumerate() {
            let name = &task.name;
            if let Some(c) = name.chars().find(|c| NOT_IN_FILE_NAMES.contains(c)) {
                bail!("task {name} has {c} in its name, but names of tasks become file names: leave it out");
            }
            if name.len() > MAX_TASK_NAME {
                bail!("task {name} has a name that is too long for a file: shorten it");
            }
            // Some file systems do not tell upper from lower case.
            let same = |other: &str| other.to_lowercase() == name.to_lowercase();
            if let Some(other) = self.tasks[..i].iter().find(|other| same(&other.name)) {
                bail!("tasks {} and {name} differ only in case: give them more different names", other.name);
            }
        }
        Ok(())
    }
}

/// The first value that equals an earlier one.
fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    values.iter().enumerate().find(|(i, value)| values[..*i].contains(value)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_name_the_mistake() {
        let arm = "[[arms]]\nname = \"a\"\n";
        let task = |name: &str| format!("[[tasks]]\nname = \"{name}\"\n");
        let head = "about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\n";
        let cases = [
            (format!("{head}{arm}n_heads = 2"), "did you mean n_head?"),
            (format!("{head}{arm}score = \"cosin\""), "cosin"),
            (format!("{head}{arm}n_head = 3"), "multiple of n_head"),
            (format!("{head}{arm}{arm}"), "two arms are called a"),
            (format!("{head}seed = [1]\n{arm}"), "unknown field `seed`"),
            (format!("{head}seeds = []\n{arm}"), "at least one seed"),
            (format!("{head}seeds = [1, 2, 1]\n{arm}"), "seeds has 1 twice"),
            (
                head.replace("val_loss", "generation_loss") + "reach = [1.5]\n" + arm,
                "generation_loss is taken after it",
            ),
            (format!("{head}{arm}seed = 7"), "seeds = [1, 2, 3]"),
            (format!("{head}arms = []"), "at least one arm"),
            (head.replace("val_loss", "valloss") + arm, "did you mean val_loss?"),
            (
                format!("{head}{arm}on = \"b\"\n[[arms]]\nname = \"b\""),
                "arm a builds on b, but no earlier arm",
            ),
            (format!("{head}{arm}on = \"a\""), "arm a builds on a, but no earlier arm"),
            (format!("{head}reach = [nan]\n{arm}"), "reach has NaN"),
            (head.replace("gpt", "mnist") + arm, "no model is called \"mnist\"; the models are"),
            (head.replace("val_loss", "") + arm, "no measure is called \"\""),
            (
                format!("{head}{arm}[[tasks]]\nname = \"t\"\non = \"a\""),
                "task t has on, which only an arm may",
            ),
            (format!("{head}seeds = [-1]\n{arm}"), "line 4: it must be a whole number, 0 or above"),
            (format!("{head}seeds = [1.5]\n{arm}"), "it must be a whole number, 0 or above"),
            (format!("{head}seeds = [\"one\"]\n{arm}"), "it must be a whole number, 0 or above"),
            (format!("{head}seeds = [99999999999999999999]\n{arm}"), "a whole number there is too large"),
            (format!("{head}reach = [\"1\"]\n{arm}"), "it must be a number"),
            (format!("{head}base = 1\n{arm}"), "it must be a table, such as [base]"),
            (format!("{head}[[arms]]\nname = 1"), "it must be a text in quotes"),
            (format!("{head}arms = [1]"), "it must be a table, such as [[arms]]"),
            (
                format!("{head}[arms]\nname = \"a\""),
                "it must be a list: [1, 2] of values, [[arms]] of tables",
            ),
            (format!("{head}[[arms]]\nname = \"a\u{202e}b\""), "a control character in its name"),
            (format!("{head}[[arms]]\nname = \" b \""), "arm \" b \" has a space or a quote at an end"),
            (format!("{head}[[arms]]\nname = '\"q\"'"), "has a space or a quote at an end"),
            (format!("{head}also = [\"val_loss\"]\n{arm}"), "val_loss is there twice"),
            (format!("{head}reach = [1.5, 1.5]\n{arm}"), "reach has 1.5 twice"),
            (format!("{head}reach = [-1]\n{arm}"), "reach has -1: write values of val_loss above 0"),
            (format!("{head}[[arms]]\nname = \"\""), "arm 1 has an empty name"),
            (format!("{head}[[arms]]\nname = \"a\\nb\""), "arm \"a\\nb\" has a line break"),
            (format!("{head}{arm}[[tasks]]\nname = \"a/b\""), "task a/b has / in its name"),
            (format!("{head}{arm}{}{}", task("a"), task("A")), "tasks a and A differ only in case"),
            (format!("{head}{arm}{}", task(&"a".repeat(200))), "too long for a file"),
            (format!("{head}{arm}{}dropout = 2.0", task("wet")), "wet: dropout is 2"),
            (format!("{head}{arm}{}batch_size = 1", task("wet") + "n_head = 3\n"), "wet: "),
        ];
        for (text, part) in cases {
            let error = Experiment::parse("x.toml", &text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains('\n'), "{text}\n{error}");
        }
    }

    #[test]
    fn a_measure_that_is_never_taken_is_refused() {
        for (model, measure, setting) in [
            ("digits", "validation_accuracy", "train_on_all = true"),
            ("translate", "val_bleu", "eval_translations = 0"),
            ("translate", "val_exact", "eval_translations = 0"),
        ] {
            let head = format!("about = \"?\"\nmodel = \"{model}\"\n");
            let arms = format!("[[arms]]\nname = \"a\"\n[[arms]]\nname = \"b\"\n{setting}\n");
            let error = Experiment::parse("x.toml", &format!("{head}measure = \"{measure}\"\n{arms}"));
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(&format!("x.toml: b: {measure} is not measured where")), "{error}");
            // Beside another measure it is only missing from the table.
            let also = format!("{head}measure = \"train_loss\"\nalso = [\"{measure}\"]\n{arms}");
            Experiment::parse("x.toml", &also).unwrap();
        }
    }

    #[test]
    fn values_to_reach_can_be_reached() {
        for (model, measure, reach, part) in [
            ("digits", "validation_accuracy", "90", "at most 1: write 0.9 for 90 %"),
            ("translate", "val_exact", "1.5", "at most 1: write 0.9 for 90 %"),
            ("translate", "val_bleu", "101", "at most 100"),
            ("translate", "val_bleu", "90", ""),
            ("digits", "train_loss", "90", ""),
        ] {
            let text = format!(
                "about = \"?\"\nmodel = \"{model}\"\nmeasure = \"{measure}\"\nreach = [{reach}]\n\
                 [[arms]]\nname = \"a\""
            );
            let error = Experiment::parse("x.toml", &text).map_or_else(|e| e.to_string(), |_| String::new());
            assert!(error.contains(part) && error.is_empty() == part.is_empty(), "{text}: {error}");
        }
    }
}
