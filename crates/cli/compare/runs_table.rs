//! Formats the comparison of two runs as text.

use serde_json::Value;

use super::runs::{End, Parameter, Runs, Setting, Validation};
use super::table::{shape, short};

/// The maximum number of parameters, and of points of a curve, to show.
const MAX_PARAMETERS: usize = 8;
const MAX_POINTS: usize = 8;
/// The width of a name and of a value in characters.
const NAME_WIDTH: usize = 30;
const VALUE_WIDTH: usize = 28;
/// The width of a line of settings in characters.
const LINE_WIDTH: usize = 100;

/// Settings, parameters, curves and final results.
pub fn text(labels: &[String; 2], runs: &Runs) -> String {
    let [a, b] = labels.each_ref().map(|label| short(label, VALUE_WIDTH - 2));
    let mut lines = vec![format!("\n{:<NAME_WIDTH$}{a:>VALUE_WIDTH$}{b:>VALUE_WIDTH$}", "")];
    lines.push(format!(
        "settings: {} are the same in both, {} differ",
        runs.same_settings,
        runs.settings.len()
    ));
    for setting in &runs.settings {
        if let [Some(a), Some(b)] = &setting.values {
            lines.extend(differs(labels, &setting.name, [plain(a), plain(b)]));
        }
    }
    for (side, label) in labels.iter().enumerate() {
        lines.extend(only_one_has(label, &runs.settings, side));
    }
    lines.extend(parameters(&runs.parameters));
    for (label, curve) in labels.iter().zip(&runs.curves) {
        lines.push(points(label, curve));
    }
    lines.push("final results".into());
    let [a, b] = &runs.ends;
    let figure = |name: &str, of: fn(&End) -> Option<String>| {
        row(name, [a, b].map(|end| of(end).unwrap_or("-".into())))
    };
    lines.push(row("validation metric", [0, 1].map(|side| runs.curves[side].metric.into())));
    lines.push(figure("best", |end| end.best.map(number)));
    lines.push(figure("best at step", |end| end.best_step.map(|step| step.to_string())));
    lines.push(figure("last", |end| end.last.map(number)));
    lines.push(figure("training loss", |end| end.train_loss.map(number)));
    lines.push(figure("steps", |end| Some(end.steps.to_string())));
    lines.push(figure("seconds", |end| Some(format!("{:.1}", end.seconds))));
    lines.join("\n")
}

/// A setting with its two values. Long values, such as paths, go on separate lines.
fn differs(labels: &[String; 2], name: &str, values: [String; 2]) -> Vec<String> {
    if values.iter().all(|value| value.chars().count() < VALUE_WIDTH) {
        return vec![row(name, values)];
    }
    let each = labels.iter().zip(values).map(|(label, value)| format!("    {label}: {value}"));
    [format!("  {name}")].into_iter().chain(each).collect()
}

/// The settings that only one run has, wrapped to a readable width.
fn only_one_has(label: &str, settings: &[Setting], side: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for setting in settings.iter().filter(|s| s.values[1 - side].is_none()) {
        let Some(value) = &setting.values[side] else { continue };
        let text = format!("{} {}", setting.name, plain(value));
        let start = if lines.is_empty() { format!("  only {label}: ") } else { "    ".into() };
        match lines.last_mut() {
            Some(line) if line.len() + text.len() < LINE_WIDTH => *line += &format!(", {text}"),
            _ => lines.push(start + &text),
        }
    }
    lines
}

fn row(name: &str, [a, b]: [String; 2]) -> String {
    format!("  {name:<width$}{a:>VALUE_WIDTH$}{b:>VALUE_WIDTH$}", width = NAME_WIDTH - 2)
}

/// A setting without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn number(x: f64) -> String {
    format!("{x:.4}")
}

/// Parameters with different shapes first, then by distance.
fn parameters(all: &[Parameter]) -> Vec<String> {
    let other = all.iter().filter(|p| p.distance.is_none()).count();
    let equal = all.iter().filter(|p| p.distance == Some(0.0)).count();
    let mut lines = vec![format!(
        "parameters: {} tensors; {other} with different shapes or only in one run, {} with different values, \
         {equal} the same",
        all.len(),
        all.len() - other - equal
    )];
    let mut differ: Vec<&Parameter> = all.iter().filter(|p| p.distance != Some(0.0)).collect();
    differ
        .sort_by(|a, b| b.distance.unwrap_or(f64::INFINITY).total_cmp(&a.distance.unwrap_or(f64::INFINITY)));
    for parameter in differ.iter().take(MAX_PARAMETERS) {
        let sizes = |side: usize| parameter.shapes[side].as_ref().map_or("-".into(), |s| shape(s));
        let distance = parameter.distance.map_or(String::new(), |d| format!("   distance {d:.3}"));
        lines.push(format!("{}{distance}", row(&parameter.name, [sizes(0), sizes(1)])));
    }
    if differ.len() > MAX_PARAMETERS {
        lines.push(format!("  (+{} more)", differ.len() - MAX_PARAMETERS));
    }
    lines
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
