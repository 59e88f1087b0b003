//! Formats the comparison as text: a table and a summary.

use super::functions::{Function, Kind, Own, Shapes, Use};
use super::result::{Comparison, Model};
use crate::output::percent;

/// The width of the name of a function, and of the columns of one model, in characters.
const NAME_WIDTH: usize = 28;
const MODEL_WIDTH: usize = 36;

/// Both steps as a table, followed by the summary.
pub fn text(comparison: &Comparison) -> String {
    let labels = comparison.labels();
    let mut lines: Vec<String> =
        labels.iter().zip(&comparison.models).map(|(label, model)| introduction(label, model)).collect();
    lines.push(String::new());
    let [a, b] = labels.each_ref().map(|label| short(label, MODEL_WIDTH - 2));
    lines.push(format!("{:>9} {:<NAME_WIDTH$}{a:>MODEL_WIDTH$}{b:>MODEL_WIDTH$}", "", ""));
    let columns = format!("{:>7}{:>10}{:>9}{:>10}", "calls", "FLOPs", "share", "time");
    lines.push(format!("{:<9} {:<NAME_WIDTH$}{columns}{columns}   run by", "step", "core function"));
    lines.extend(own_code(comparison, &labels));
    let mut stage = None;
    for function in &comparison.functions {
        let name = if stage == Some(function.stage) { "" } else { function.stage.name() };
        stage = Some(function.stage);
        lines.push(row(name, function, &labels));
        lines.push(format!("{:>11} {}", "", place(function)));
        for (label, run) in labels.iter().zip(&function.runs).filter(|_| function.kind != Kind::Caller) {
            lines.extend(run.as_ref().map(|run| format!("{:>11} {label}: {}", "", shapes(&run.shapes))));
        }
    }
    lines.push(String::new());
    lines.extend(sentences(comparison));
    lines.join("\n")
}

/// Shortens a label to its last characters, the most specific part of a path.
pub fn short(label: &str, max_chars: usize) -> String {
    match label.chars().count() {
        n if n > max_chars => format!("...{}", label.chars().skip(n + 3 - max_chars).collect::<String>()),
        _ => label.into(),
    }
}

fn introduction(label: &str, model: &Model) -> String {
    format!(
        "{label}: {} parameters, one training step on {} of {}; {} core functions, {} FLOPs, {}",
        model.parameters,
        model.batch,
        model.data,
        model.functions,
        amount(model.flops),
        time(model.seconds)
    )
}

/// The functions outside the core. They fetch the batch, which starts the step.
fn own_code(comparison: &Comparison, labels: &[String; 2]) -> Vec<String> {
    let mut lines = Vec::new();
    let all = comparison.models.each_ref().map(|model| &model.own);
    for i in 0..all.iter().map(|own| own.len()).max().unwrap_or(0) {
        let both = all.map(|own| own.get(i));
        let cell = |own: Option<&Own>| match own {
            Some(own) => format!("{:>7}{:>29}", own.calls, time(own.seconds)),
            None => format!("{:>7}{:>29}", "-", ""),
        };
        let stage = both.iter().flatten().next().map_or("", |own| own.stage.name());
        let cells: String = both.into_iter().map(cell).collect();
        lines.push(format!("{stage:<9} {:<NAME_WIDTH$}{cells}   not shared", "(outside the core)"));
        for (label, own) in labels.iter().zip(both) {
            let place = |own: &Own| own.place.as_ref().map_or(own.function.to_string(), ToString::to_string);
            lines.extend(own.map(|own| format!("{:>11} {label}: {}", "", place(own))));
        }
    }
    lines
}

fn row(stage: &str, function: &Function, labels: &[String; 2]) -> String {
    let cells: String = function.runs.iter().map(|run| cell(function.kind, run.as_ref())).collect();
    format!("{stage:<9} {:<NAME_WIDTH$}{cells}   {}", function.name, run_by(function, labels))
}

fn cell(kind: Kind, run: Option<&Use>) -> String {
    match run {
        Some(run) if kind == Kind::Caller => format!("{:>7}{:>29}", run.calls, ""),
        Some(run) => format!(
            "{:>7}{:>10}{:>9}{:>10}",
            run.calls,
            amount(run.flops),
            percent(run.flops_share),
            time(run.seconds)
        ),
        None => format!("{:>7}{:>29}", "-", ""),
    }
}

/// The models that ran a function.
pub fn run_by(function: &Function, labels: &[String; 2]) -> String {
    match &function.runs {
        [Some(_), Some(_)] => "both".into(),
        [Some(_), None] => format!("only {}", labels[0]),
        _ => format!("only {}", labels[1]),
    }
}

/// The definition of a function.
pub fn place(function: &Function) -> String {
    function.place.as_ref().map_or(function.function.to_string(), ToString::to_string)
}

/// The first shapes and the number of others.
fn shapes(all: &[Shapes]) -> String {
    let Some(first) = all.first() else { return String::new() };
    let inputs: Vec<String> = first.inputs.iter().map(|s| shape(s)).collect();
    let more = match all.len() {
        1 => String::new(),
        n => format!("  (+{} more)", n - 1),
    };
    format!("{} -> {}{more}", inputs.join(" "), shape(&first.output))
}

/// A shape: `(10, 784)`.
pub fn shape(sizes: &[usize]) -> String {
    format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
}

/// The summary.
pub fn sentences(comparison: &Comparison) -> Vec<String> {
    let [a, b] = comparison.labels();
    let [first, second] = &comparison.models;
    let mut lines = vec![
        format!(
            "{} of {} core functions are run by both. They have {} of the FLOPs of {a} and {} of the FLOPs \
             of {b}.",
            comparison.shared_functions,
            comparison.functions.len(),
            percent(first.shared_flops_share),
            percent(second.shared_flops_share)
        ),
        format!(
            "Of the time in core functions, shared ones take {} in {a} and {} in {b}.",
            percent(first.shared_seconds_share),
            percent(second.shared_seconds_share)
        ),
    ];
    if comparison.models.iter().any(|model| !model.own.is_empty()) {
        lines.push(
            "Each model fetches its batch with its own code, which is outside the core and never shared."
                .into(),
        );
    }
    for (label, model) in [(&a, first), (&b, second)] {
        lines.extend(model.notes.iter().map(|note| format!("{label}: {note}.")));
    }
    lines
}

/// A count in a few digits.
fn amount(n: u64) -> String {
    let x = n as f64;
    match n {
        0..10_000 => n.to_string(),
        10_000..10_000_000 => format!("{:.1} k", x / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} M", x / 1e6),
        _ => format!("{:.1} G", x / 1e9),
    }
}

fn time(seconds: f64) -> String {
    format!("{:.3} ms", 1e3 * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_labels_are_short() {
        let cases = [(0, "0"), (9_999, "9999"), (10_000, "10.0 k"), (2_345_678, "2345.7 k")];
        for (n, want) in cases.into_iter().chain([(98_765_432, "98.8 M"), (12_345_678_901, "12.3 G")]) {
            assert_eq!(amount(n), want);
        }
        assert_eq!([short("runs/a", 6), short("runs/first", 7)], ["runs/a", "...irst"]);
        assert_eq!((shape(&[10, 784]), shape(&[])), ("(10, 784)".into(), "()".into()));
    }
}
