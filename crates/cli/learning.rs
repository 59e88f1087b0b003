//! The learning curves of one or more runs, from their metrics.

use std::path::PathBuf;

use anyhow::bail;
use m2g_core::train::run_folder::{LAST, logged_steps, metadata, metrics};
use serde_json::Value;

use crate::flags::run_path;
use crate::plot::curves::Curve;
use crate::terminal::lines::listed;

/// The metrics of a run.
pub struct Learning {
    /// The name, as it was given.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// The evaluations.
    evaluations: Vec<Value>,
    /// The logged steps; runs of older versions have none.
    steps: Vec<Value>,
}

impl Learning {
    /// Reads the metrics of runs of one kind of model. Equal names are numbered.
    pub fn read_all(names: &[String], kind: &str) -> anyhow::Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::new();
        for name in names {
            let path = run_path(name);
            metadata(&path, LAST, kind)?;
            let (evaluations, steps) = (metrics(&path)?, logged_steps(&path)?);
            if evaluations.is_empty() && steps.is_empty() {
                bail!("{} has nothing to draw: it has no evaluation and no logged step yet", path.display());
            }
            let same = all.iter().filter(|run| run.path == path).count();
            let name = if same > 0 { format!("{name} ({})", same + 1) } else { name.clone() };
            all.push(Self { name, path, evaluations, steps });
        }
        Ok(all)
    }

    /// The values of a metric over `x`, both names of fields of an evaluation.
    pub fn evaluations(&self, x: &str, metric: &str) -> Vec<(f64, f64)> {
        points(&self.evaluations, x, metric)
    }

    /// The losses of the logged steps.
    pub fn losses(&self) -> Vec<(f64, f64)> {
        points(&self.steps, "step", "loss")
    }
}

fn points(lines: &[Value], x: &str, y: &str) -> Vec<(f64, f64)> {
    lines.iter().filter_map(|line| Some((line[x].as_f64()?, line[y].as_f64()?))).collect()
}

/// The curves of a metric of several runs, one colour for each.
pub fn compared(runs: &[Learning], x: &str, metric: &str) -> Vec<Curve> {
    let curve = |(i, run): (usize, &Learning)| {
        let points = run.evaluations(x, metric);
        (!points.is_empty()).then(|| Curve::new(run.name.as_str(), points).coloured(i))
    };
    runs.iter().enumerate().filter_map(curve).collect()
}

/// The names of runs for a title: `a, b and c`.
pub fn names(runs: &[Learning]) -> String {
    listed(&runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>(), "and")
}

/// The name of a drawing of several runs: one run has its own folder.
pub fn file_name(what: &str, runs: &[Learning]) -> String {
    match runs.len() {
        0 | 1 => what.into(),
        n => format!("{what}-of-{n}-runs"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(name: &str) -> Learning {
        Learning {
            name: name.into(),
            path: PathBuf::new(),
            evaluations: vec![json!({"step": 10, "evaluation": 1, "train_loss": 2.0, "val_loss": null})],
            steps: vec![json!({"step": 5, "loss": 2.5}), json!({"step": 10, "loss": null})],
        }
    }

    #[test]
    fn missing_values_are_skipped() {
        let a = run("a");
        assert_eq!(a.losses(), [(5.0, 2.5)]);
        assert_eq!(a.evaluations("step", "train_loss"), [(10.0, 2.0)]);
        assert!(a.evaluations("step", "val_loss").is_empty());
        assert!(compared(&[a], "step", "val_loss").is_empty());
    }

    #[test]
    fn several_runs_are_named() {
        let runs = ["a", "b", "c"].map(run);
        assert_eq!([names(&runs[..1]), names(&runs), names(&[])], ["a", "a, b and c", ""]);
        assert_eq!([file_name("loss", &runs[..1]), file_name("loss", &runs)], ["loss", "loss-of-3-runs"]);
        let curves = compared(&runs, "evaluation", "train_loss");
        assert_eq!(curves.iter().map(|c| c.colour).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    }
}
