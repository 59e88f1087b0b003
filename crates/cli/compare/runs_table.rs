//! Formats the comparison of two runs as text.

use m2g_core::settings::words::in_words;

use super::runs::{End, Parameter, Runs, Setting, Validation};
use super::table::shape;
use crate::terminal::lines::flow;
use crate::terminal::table::{Narrow, Table};
use crate::terminal::width::{clip, width};

/// The maximum number of parameters, and of points of a curve, to show.
const MAX_PARAMETERS: usize = 8;
const MAX_POINTS: usize = 8;
/// Longer values, such as paths, go below their row, in columns.
const MAX_VALUE_COLUMNS: usize = 24;

/// Settings, parameters, curves and final results.
pub fn text(labels: &[String; 2], runs: &Runs, columns: usize) -> String {
    let mut table = with_runs(labels).number("", Narrow::Drop(1));
    table.heading(format!(
        "settings: {} are the same in both, {} differ",
        runs.same_settings,
        runs.settings.len()
    ));
    for setting in &runs.settings {
        if let [Some(a), Some(b)] = &setting.values {
            differs(&mut table, labels, &setting.name, [in_words(a), in_words(b)]);
        }
    }
    let settings = table.render(columns);
    // Without columns for titles, the table starts with the empty line above its heading.
    let mut parts = vec![settings.trim_start_matches('\n').to_string()];
    for (side, label) in labels.iter().enumerate() {
        parts.extend(only_one_has(label, &runs.settings, side, columns));
    }
    parts.push(parameters(labels, &runs.parameters).render(columns));
    parts.push(String::new());
    for (label, curve) in labels.iter().zip(&runs.curves) {
        let fields = points(label, curve);
        let fields = fields.split_inclusive("by step: ").flat_map(|part| part.split_inclusive(", "));
        let fields: Vec<&str> = fields.map(str::trim_end).collect();
        parts.push(flow(&fields, " ", columns, 2));
    }
    parts.push(final_results(labels, runs).render(columns));
    parts.join("\n")
}

/// A table with a column for each run.
fn with_runs(labels: &[String; 2]) -> Table {
    let table = Table::new().text("", Narrow::Keep);
    labels.iter().fold(table, |table, label| table.number(clip(label, MAX_VALUE_COLUMNS), Narrow::Keep))
}

fn final_results(labels: &[String; 2], runs: &Runs) -> Table {
    let mut table = with_runs(labels);
    table.heading("final results");
    let [a, b] = &runs.ends;
    let mut figure = |name: &str, of: &dyn Fn(&End) -> Option<String>| {
        table.row([name.into(), of(a).unwrap_or("-".into()), of(b).unwrap_or("-".into())]);
    };
    figure("best", &|end| end.best.map(number));
    figure("best at step", &|end| end.best_step.map(|step| step.to_string()));
    figure("last", &|end| end.last.map(number));
    figure("training loss", &|end| end.train_loss.map(number));
    figure("steps", &|end| Some(end.steps.to_string()));
    figure("seconds", &|end| Some(format!("{:.1}", end.seconds)));
    let [a, b] = [0, 1].map(|side| runs.curves[side].metric.to_string());
    table.row(["validation metric".into(), a, b]);
    table
}

/// A setting with its two values.
fn differs(table: &mut Table, labels: &[String; 2], name: &str, values: [String; 2]) {
    if values.iter().all(|value| width(value) <= MAX_VALUE_COLUMNS) {
        let [a, b] = values;
        return table.row([name.into(), a, b, String::new()]);
    }
    table.row([name.into(), String::new(), String::new(), String::new()]);
    for (label, value) in labels.iter().zip(values) {
        table.below(vec![format!("{label}:"), value], " ");
    }
}

/// The settings that only one run has.
fn only_one_has(label: &str, settings: &[Setting], side: usize, columns: usize) -> Option<String> {
    let only = settings.iter().filter(|s| s.values[1 - side].is_none());
    let texts: Vec<String> =
        only.filter_map(|s| Some(format!("{} {},", s.name, in_words(s.values[side].as_ref()?)))).collect();
    let fields: Vec<String> = [format!("only {label}:")].into_iter().chain(texts).collect();
    (fields.len() > 1).then(|| flow(&fields, " ", columns, 2).trim_end_matches(',').to_string())
}

fn number(x: f64) -> String {
    format!("{x:.4}")
}

/// Parameters with different shapes first, then by distance.
fn parameters(labels: &[String; 2], all: &[Parameter]) -> Table {
    let mut table = with_runs(labels).number("distance", Narrow::Drop(1));
    let other = all.iter().filter(|p| p.distance.is_none()).count();
    let equal = all.iter().filter(|p| p.distance == Some(0.0)).count();
    table.heading(format!(
        "parameters: {} tensors; {other} with different shapes or only in one run, {} with different values, \
         {equal} the same",
        all.len(),
        all.len() - other - equal
    ));
    let mut differ: Vec<&Parameter> = all.iter().filter(|p| p.distance != Some(0.0)).collect();
    differ
        .sort_by(|a, b| b.distance.unwrap_or(f64::INFINITY).total_cmp(&a.distance.unwrap_or(f64::INFINITY)));
    for parameter in differ.iter().take(MAX_PARAMETERS) {
        let sizes = |side: usize| parameter.shapes[side].as_ref().map_or("-".into(), |s| shape(s));
        let distance = parameter.distance.map_or(String::new(), |d| format!("{d:.3}"));
        table.row([parameter.name.clone(), sizes(0), sizes(1), distance]);
    }
    if differ.len() > MAX_PARAMETERS {
        let more = format!("(+{} more)", differ.len() - MAX_PARAMETERS);
        table.row([more, String::new(), String::new(), String::new()]);
    }
    table
}

/// Evenly spaced points of a curve, including the first and the last.
fn points(label: &str, curve: &Validation) -> String {
    let n = curve.points.len();
    let shown = n.min(MAX_POINTS);
    let chosen = (0..shown).map(|i| curve.points[if shown < 2 { 0 } else { i * (n - 1) / (shown - 1) }]);
    let text: Vec<String> = chosen.map(|(step, value)| format!("{step}: {value:.4}")).collect();
    match text.is_empty() {
        true => format!("{} of {label}: never measured", curve.metric),
        false => format!("{} of {label} by step: {}", curve.metric, text.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_thinned_evenly() {
        let curve = |n: u32| Validation {
            metric: "val_loss",
            points: (1..=n).map(|i| (f64::from(i), 1.0 / f64::from(i))).collect(),
        };
        assert_eq!(points("a", &curve(0)), "val_loss of a: never measured");
        assert_eq!(points("a", &curve(1)), "val_loss of a by step: 1: 1.0000");
        let many = points("a", &curve(100));
        assert!(many.contains(": 1: 1.0000, ") && many.ends_with("100: 0.0100"), "{many}");
        assert_eq!(many.matches(", ").count(), MAX_POINTS - 1);
    }
}
