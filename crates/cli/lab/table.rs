//! The results as a table.

use serde_json::{Value, json};

use super::experiment::Experiment;
use super::reach::Reached;
use super::statistics::{mean_and_deviation, paired_difference};
use super::trial::Trial;
use crate::terminal::lines::entry_at;
use crate::terminal::table::{Narrow, Table};

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
    /// When the training runs reached each value of the experiment's `reach`.
    pub reached: Vec<Reached>,
    /// The mean difference from the standard, or from the arm that this one builds on, and half the width of
    /// its 95 % confidence interval.
    pub difference: Option<(f64, Option<f64>)>,
    /// The number of seeds whose training diverged.
    pub diverged: usize,
}

/// The rows of a task, in the order of the arms.
pub fn rows(experiment: &Experiment, trials: &[Trial], task: Option<&str>) -> Vec<Row> {
    let find = |arm: &str, seed: u64| {
        trials.iter().find(|t| t.task.as_deref() == task && t.arm == arm && t.seed == seed)
    };
    let rows = experiment.arms.iter().map(|arm| {
        let trials: Vec<&Trial> = experiment.seeds.iter().filter_map(|&seed| find(&arm.name, seed)).collect();
        let of_measure = |measure: &str| {
            trials.iter().filter_map(|trial| trial.measures.get(measure).copied()).collect::<Vec<f64>>()
        };
        let summary = |measure: &str| {
            let values = of_measure(measure);
            let (mean, deviation) = mean_and_deviation(&values);
            (!values.is_empty()).then(|| (measure.to_string(), mean, deviation))
        };
        let reached = |&target: &f64| Reached::of(&trials, &experiment.measure, target);
        let standard = &experiment.compared_with(arm).name;
        // Pairs of training runs with the same seed that both finished.
        let value = |arm: &str, seed| find(arm, seed)?.measures.get(&experiment.measure).copied();
        let pairs =
            experiment.seeds.iter().filter_map(|&s| Some((value(&arm.name, s)?, value(standard, s)?)));
        let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.unzip();
        Row {
            arm: arm.name.clone(),
            about: arm.about.clone(),
            values: of_measure(&experiment.measure),
            measures: experiment.measures().filter_map(summary).collect(),
            reached: experiment.reach.iter().map(reached).collect(),
            difference: (arm.name != *standard && !ours.is_empty())
                .then(|| paired_difference(&ours, &theirs)),
            diverged: trials.iter().filter(|trial| trial.diverged.is_some()).count(),
        }
    });
    rows.collect()
}

/// The rows as a Markdown table of any width.
pub fn markdown(experiment: &Experiment, rows: &[Row]) -> String {
    table(experiment, rows, true).render(usize::MAX)
}

/// The rows as a table for the terminal, with the descriptions of the arms below it.
pub fn text(experiment: &Experiment, rows: &[Row], columns: usize) -> String {
    const DESCRIPTION_COLUMN: usize = 20;
    let abouts = rows.iter().filter_map(|row| {
        let about = description(experiment, row);
        (!about.is_empty()).then(|| entry_at(DESCRIPTION_COLUMN, &row.arm, &about, columns))
    });
    let abouts = abouts.collect::<Vec<_>>().join("\n");
    format!("{}\n\n{abouts}", table(experiment, rows, false).render(columns)).trim_end().to_string()
}

/// The description of an arm, and how often it diverged.
fn description(experiment: &Experiment, row: &Row) -> String {
    match row.diverged {
        0 => row.about.clone(),
        n => {
            let seeds = experiment.seeds.len();
            format!("{} (diverged with {n} of {seeds} seeds)", row.about).trim_start().to_string()
        }
    }
}

fn table(experiment: &Experiment, rows: &[Row], with_descriptions: bool) -> Table {
    let accuracy = |measure: &str| measure.ends_with("accuracy");
    let number = |measure: &str, value: f64| match accuracy(measure) {
        true => format!("{:.2} %", 100.0 * value),
        false => format!("{value:.4}"),
    };
    let measure = experiment.measure.as_str();
    let mut table = Table::markdown().text("arm", Narrow::Keep).text(measure, Narrow::Keep);
    // In a narrow terminal the deviation goes first, then the other measures from the last, then the times.
    table = table.text("sd", Narrow::Drop(u8::MAX)).text("difference, 95 %", Narrow::Keep);
    let drop = |rank: usize| Narrow::Drop(u8::try_from(rank).unwrap_or(u8::MAX).min(u8::MAX - 1));
    let times = experiment.reach.len();
    for (i, also) in experiment.also.iter().enumerate() {
        table = table.text(also.as_str(), drop(1 + times + i));
    }
    for (i, &target) in experiment.reach.iter().enumerate() {
        table = table.text(Reached::title(target), drop(1 + i));
    }
    if with_descriptions {
        table = table.text("description", Narrow::Keep);
    }
    for row in rows {
        let found = |measure: &str| row.measures.iter().find(|(name, ..)| name == measure);
        let mean = |measure: &str| found(measure).map_or("-".into(), |(name, mean, _)| number(name, *mean));
        let deviation = found(measure).and_then(|(.., deviation)| *deviation);
        let (scale, unit) = if accuracy(measure) { (100.0, " %") } else { (1.0, "") };
        let decimals = if accuracy(measure) { 2 } else { 4 };
        let difference = match row.difference {
            Some((mean, Some(half))) => {
                format!("{:+.decimals$} ± {:.decimals$}{unit}", scale * mean, scale * half)
            }
            Some((mean, None)) => format!("{:+.decimals$}{unit}", scale * mean),
            None => String::new(),
        };
        let mut cells = vec![row.arm.clone(), mean(measure)];
        cells.extend([deviation.map_or("-".into(), |sd| number(measure, sd)), difference]);
        cells.extend(experiment.also.iter().map(|also| mean(also)));
        cells.extend(row.reached.iter().map(Reached::text));
        if with_descriptions {
            cells.push(description(experiment, row));
        }
        table.row(cells);
    }
    table
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
        "reached": row.reached.iter().map(Reached::object).collect::<Vec<_>>(),
    })
}
