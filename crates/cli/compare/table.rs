//! Formats the comparison as a table.

use super::functions::{Function, Kind, Own, Shapes, Use};
use super::result::{Comparison, Model, short_labels};
use crate::output::percent;
use crate::terminal::lines::wrap;
use crate::terminal::program::with_program;
use crate::terminal::table::{Narrow, Table};

/// Both steps as a table, shared functions first, followed by what it means.
pub fn text(comparison: &Comparison, columns: usize) -> String {
    let labels = short_labels(&comparison.labels(), columns);
    let introductions = labels.iter().zip(&comparison.models);
    let mut parts: Vec<String> =
        introductions.map(|(label, model)| wrap(&introduction(label, model), columns, 2)).collect();
    parts.push(String::new());
    parts.push(functions(comparison, &labels).render(columns));
    parts.push(String::new());
    parts.extend(sentences(comparison, &labels).iter().map(|sentence| wrap(sentence, columns, 2)));
    parts.join("\n")
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

fn functions(comparison: &Comparison, labels: &[String; 2]) -> Table {
    let mut table = Table::new().text("step", Narrow::Drop(1)).text("core function", Narrow::Keep);
    for label in labels {
        table = table
            .group(label.as_str())
            .number("calls", Narrow::Keep)
            .number("FLOPs", Narrow::Drop(3))
            .number("share", Narrow::Keep)
            .number("time", Narrow::Drop(2));
    }
    type Filter = fn(&Function) -> bool;
    let sides: [(String, Filter); 3] = [
        ("run by both".into(), |function| function.shared),
        (format!("only {}", labels[0]), |function| !function.shared && function.runs[0].is_some()),
        (format!("only {}", labels[1]), |function| !function.shared && function.runs[1].is_some()),
    ];
    for (heading, belongs) in sides {
        let mut stage = None;
        for function in comparison.functions.iter().filter(|function| belongs(function)) {
            if stage.is_none() {
                table.heading(heading.as_str());
            }
            let name = if stage == Some(function.stage) { "" } else { function.stage.name() };
            stage = Some(function.stage);
            let mut cells = vec![name.into(), function.name.into()];
            cells.extend(function.runs.iter().flat_map(|run| self::cells(function.kind, run.as_ref())));
            table.row(cells);
            table.below(vec![place(function)], " ");
            for (label, run) in labels.iter().zip(&function.runs).filter(|_| function.kind != Kind::Caller) {
                run.iter().for_each(|run| table.below(shapes(label, &run.shapes), " "));
            }
        }
    }
    own_code(comparison, labels, &mut table);
    table
}

/// The functions outside the core. They fetch the batch, which starts the step.
fn own_code(comparison: &Comparison, labels: &[String; 2], table: &mut Table) {
    let all = comparison.models.each_ref().map(|model| &model.own);
    for i in 0..all.iter().map(|own| own.len()).max().unwrap_or(0) {
        if i == 0 {
            table.heading("outside the core, never shared");
        }
        let both = all.map(|own| own.get(i));
        let cells = |own: Option<&Own>| match own {
            Some(own) => [own.calls.to_string(), String::new(), String::new(), time(own.seconds)],
            None => ["-".into(), String::new(), String::new(), String::new()],
        };
        let stage = both.iter().flatten().next().map_or("", |own| own.stage.name());
        table.row([stage.into(), "(own code)".into()].into_iter().chain(both.into_iter().flat_map(cells)));
        for (label, own) in labels.iter().zip(both) {
            let place = |own: &Own| own.place.as_ref().map_or(own.function.to_string(), ToString::to_string);
            own.iter().for_each(|own| table.below(vec![format!("{label}:"), place(own)], " "));
        }
    }
}

/// Calls, FLOPs, their share, time.
fn cells(kind: Kind, run: Option<&Use>) -> [String; 4] {
    match run {
        Some(run) if kind == Kind::Caller => {
            [run.calls.to_string(), String::new(), String::new(), String::new()]
        }
        Some(run) => [run.calls.to_string(), amount(run.flops), percent(run.flops_share), time(run.seconds)],
        None => ["-".into(), String::new(), String::new(), String::new()],
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

/// The first shapes and the number of others, as fields of a line.
fn shapes(label: &str, all: &[Shapes]) -> Vec<String> {
    let Some(first) = all.first() else { return Vec::new() };
    let mut fields = vec![format!("{label}:")];
    fields.extend(first.inputs.iter().map(|sizes| shape(sizes)));
    let mut outputs = first.outputs.iter().map(|sizes| shape(sizes));
    fields.extend(outputs.next().map(|output| format!("-> {output}")));
    fields.extend(outputs);
    if all.len() > 1 {
        fields.push(format!(" (+{} more)", all.len() - 1));
    }
    fields
}

/// A shape: `(10, 784)`.
pub fn shape(sizes: &[usize]) -> String {
    format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
}

/// The summary.
pub fn sentences(comparison: &Comparison, [a, b]: &[String; 2]) -> Vec<String> {
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
            "Each model fetches its batch with its own code,\nwhich is outside the core and never shared."
                .into(),
        );
    }
    for (label, model) in [(a, first), (b, second)] {
        lines.extend(model.notes.iter().map(|note| with_program(&format!("{label}: {note}."))));
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
    fn numbers_are_short() {
        let cases = [(0, "0"), (9_999, "9999"), (10_000, "10.0 k"), (2_345_678, "2345.7 k")];
        for (n, want) in cases.into_iter().chain([(98_765_432, "98.8 M"), (12_345_678_901, "12.3 G")]) {
            assert_eq!(amount(n), want);
        }
        assert_eq!((shape(&[10, 784]), shape(&[])), ("(10, 784)".into(), "()".into()));
    }
}
