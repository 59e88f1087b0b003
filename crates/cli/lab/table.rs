//! The results as a table.

use serde_json::{Value, json};

use super::experiment::Experiment;
use super::reach::{Reached, is_accuracy};
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
    /// The arm that it is compared with: the standard, or the one that it builds on. None for the standard.
    pub compared_with: Option<String>,
    /// The mean difference from that arm, and half the width of its 95 % confidence interval.
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
            compared_with: (arm.name != *standard).then(|| standard.clone()),
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

/// The description of an arm, what it is compared with if not with the standard, and how often it diverged.
fn description(experiment: &Experiment, row: &Row) -> String {
    let other = row.compared_with.as_ref().filter(|other| **other != experiment.arms[0].name);
    let compared = other.map(|other| format!("(difference from {other})"));
    let seeds = experiment.seeds.len();
    let diverged = (row.diverged > 0).then(|| format!("(diverged with {} of {seeds} seeds)", row.diverged));
    let words = row.about.split_whitespace().map(String::from);
    words.chain(compared).chain(diverged).collect::<Vec<_>>().join(" ")
}

fn table(experiment: &Experiment, rows: &[Row], with_descriptions: bool) -> Table {
    let number = |measure: &str, value: f64| match is_accuracy(measure) {
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
        table = table.text(Reached::title(measure, target), drop(1 + i));
    }
    if with_descriptions {
        table = table.text("description", Narrow::Keep);
    }
    for row in rows {
        let found = |measure: &str| row.measures.iter().find(|(name, ..)| name == measure);
        let mean = |measure: &str| found(measure).map_or("-".into(), |(name, mean, _)| number(name, *mean));
        let deviation = found(measure).and_then(|(.., deviation)| *deviation);
        let (scale, unit) = if is_accuracy(measure) { (100.0, " %") } else { (1.0, "") };
        let decimals = if is_accuracy(measure) { 2 } else { 4 };
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
        "compared_with": row.compared_with, "difference": row.difference.map(|(mean, _)| mean),
        "difference_95": row.difference.and_then(|(_, half)| half), "diverged": row.diverged,
        "reached": row.reached.iter().map(Reached::object).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_table_says_what_an_arm_is_compared_with_and_keeps_its_columns() {
        let text = "about = \"?\"\nmodel = \"gpt\"\nmeasure = \"val_loss\"\nseeds = [1]\n\
            [[arms]]\nname = \"a\"\n\
            [[arms]]\nname = \"b | c\"\nabout = \"\"\"two\nlines | here\"\"\"\n\
            [[arms]]\nname = \"d\"\non = \"b | c\"\nabout = \"wider\"\n";
        let experiment = Experiment::parse("x.toml", text).unwrap();
        let trial = |arm: &str, loss: f64| Trial {
            arm: arm.into(),
            seed: 1,
            measures: [("val_loss".to_string(), loss)].into(),
            ..Trial::default()
        };
        let rows = rows(&experiment, &[trial("a", 3.0), trial("b | c", 2.0), trial("d", 1.5)], None);
        let compared: Vec<Value> =
            rows.iter().map(|row| object(None, row)["compared_with"].clone()).collect();
        assert_eq!(compared, [Value::Null, "a".into(), "b | c".into()]);
        let table = markdown(&experiment, &rows);
        assert_eq!(table.lines().count(), 5, "{table}");
        assert!(table.lines().all(|line| line.replace("\\|", "").matches('|').count() == 6), "{table}");
        assert!(
            table.contains("two lines \\| here") && table.contains("wider (difference from b \\| c)"),
            "{table}"
        );
        assert!(super::text(&experiment, &rows, 100).contains("wider (difference from b | c)"));
    }
}
