//! The results as a table.

use std::fmt::Write;

use serde_json::{Value, json};

use super::experiment::Experiment;
use super::results::Results;
use super::statistics::{mean_and_deviation, paired_difference};
use super::trial::Trial;

/// The results of an arm on a task.
#[derive(Debug, Clone)]
pub struct Row {
    /// The arm.
    pub arm: String,
    /// Its description.
    pub about: String,
    /// The first measure for each seed whose training did not diverge.
    pub values: Vec<f64>,
    /// Name, mean and standard deviation of each measure.
    pub measures: Vec<(String, f64, Option<f64>)>,
    /// The mean difference from the standard, and half the width of its 95 % confidence interval.
    pub difference: Option<(f64, Option<f64>)>,
    /// The number of seeds whose training diverged.
    pub diverged: usize,
}

/// The rows of a task, in the order of the arms.
pub fn rows(experiment: &Experiment, results: &Results, task: Option<&str>) -> Vec<Row> {
    let standard = &experiment.arms[0].name;
    let rows = experiment.arms.iter().map(|arm| {
        let trials: Vec<&Trial> =
            experiment.seeds.iter().filter_map(|&seed| results.get(task, &arm.name, seed)).collect();
        let of_measure = |measure: &str| {
            trials.iter().filter_map(|trial| trial.measures.get(measure).copied()).collect::<Vec<f64>>()
        };
        let summary = |measure: &str| {
            let values = of_measure(measure);
            let (mean, deviation) = mean_and_deviation(&values);
            (!values.is_empty()).then(|| (measure.to_string(), mean, deviation))
        };
        // Pairs of training runs with the same seed that both finished.
        let value =
            |arm: &str, seed| results.get(task, arm, seed)?.measures.get(&experiment.measure).copied();
        let pairs =
            experiment.seeds.iter().filter_map(|&s| Some((value(&arm.name, s)?, value(standard, s)?)));
        let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.unzip();
        Row {
            arm: arm.name.clone(),
            about: arm.about.clone(),
            values: of_measure(&experiment.measure),
            measures: experiment.measures().filter_map(summary).collect(),
            difference: (arm.name != *standard && !ours.is_empty())
                .then(|| paired_difference(&ours, &theirs)),
            diverged: trials.iter().filter(|trial| trial.diverged.is_some()).count(),
        }
    });
    rows.collect()
}

/// The rows as a Markdown table.
pub fn markdown(experiment: &Experiment, rows: &[Row]) -> String {
    let accuracy = |measure: &str| measure.ends_with("accuracy");
    let number = |measure: &str, value: f64| match accuracy(measure) {
        true => format!("{:.2} %", 100.0 * value),
        false => format!("{value:.4}"),
    };
    let deviation = |measure: &str, value: Option<f64>| match value {
        Some(value) => number(measure, value),
        None => "-".into(),
    };
    let measure = experiment.measure.as_str();
    let mut cells = vec![vec!["arm".to_string(), measure.into(), "sd".into(), "difference, 95 %".into()]];
    cells[0].extend(experiment.also.iter().cloned());
    cells[0].push("description".into());
    for row in rows {
        let mut line = vec![row.arm.clone()];
        match row.measures.iter().find(|(name, ..)| name == measure) {
            Some((_, mean, sd)) => line.extend([number(measure, *mean), deviation(measure, *sd)]),
            None => line.extend(["-".to_string(), "-".into()]),
        }
        let (scale, unit) = if accuracy(measure) { (100.0, " %") } else { (1.0, "") };
        let decimals = if accuracy(measure) { 2 } else { 4 };
        line.push(match row.difference {
            Some((mean, Some(half))) => {
                format!("{:+.decimals$} ± {:.decimals$}{unit}", scale * mean, scale * half)
            }
            Some((mean, None)) => format!("{:+.decimals$}{unit}", scale * mean),
            None => "".into(),
        });
        for also in &experiment.also {
            let found = row.measures.iter().find(|(name, ..)| name == also);
            line.push(found.map_or("-".into(), |(name, mean, _)| number(name, *mean)));
        }
        line.push(match row.diverged {
            0 => row.about.clone(),
            n => format!("{} (diverged with {n} of {} seeds)", row.about, experiment.seeds.len()),
        });
        cells.push(line);
    }
    lay_out(&cells)
}

/// Lays out aligned Markdown that is readable as plain text.
fn lay_out(cells: &[Vec<String>]) -> String {
    let columns = cells[0].len();
    let width = |i: usize| cells.iter().map(|line| line[i].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (i, line) in cells.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if i == 0 {
            widths.iter().for_each(|width| _ = write!(text, "| {} ", "-".repeat(*width)));
            text.push_str("|\n");
        }
    }
    text
}

/// A row as JSON.
pub fn object(task: Option<&str>, row: &Row) -> Value {
    let measures: serde_json::Map<String, Value> = row
        .measures
        .iter()
        .map(|(name, mean, deviation)| (name.clone(), json!({"mean": mean, "standard_deviation": deviation})))
        .collect();
    json!({
        "event": "arm", "task": task, "arm": row.arm, "values": row.values, "measures": measures,
        "difference": row.difference.map(|(mean, _)| mean),
        "difference_95": row.difference.and_then(|(_, half)| half), "diverged": row.diverged,
    })
}
