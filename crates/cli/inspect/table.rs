//! Shows the step, op by op.

use m2g_core::inspect::{Statistics, Step, direction};
use m2g_core::trace::{Phase, Record};
use m2g_text::source::with_thousands_separators;

use super::numbers::fields;
use crate::output;
use crate::terminal::lines::{flow, wrap};
use crate::terminal::width::{columns, width};

/// Prints the ops with their shapes, costs and output statistics. All layers but `full` are folded
/// to a line each; `None` folds none.
pub fn print(step: &Step, full: Option<usize>) -> anyhow::Result<()> {
    let columns = columns();
    let letters = step.letters.iter().map(|l| format!("{} {} ({})", l.name, l.size, l.meaning));
    output::line(flow(&letters.collect::<Vec<_>>(), "   ", columns, 0))?;
    let layers = step.layer_numbers_of_values();
    let layer_of = |record: &Record| record.to.and_then(|to| layers.get(&to).copied());
    let (mut flops, mut phase) = (0, None);
    let records = step.records(None);
    // Neighbours of the same layer and direction belong together.
    for group in records.chunk_by(|(_, a), (_, b)| layer_of(a) == layer_of(b) && direction(a) == direction(b))
    {
        let Some((_, first)) = group.first() else { continue };
        if phase != Some(direction(first)) {
            phase = Some(direction(first));
            output::line(format!("\n{}", direction(first)))?;
        }
        flops += group.iter().map(|(_, record)| record.flops).sum::<u64>();
        match (layer_of(first), full) {
            (Some(layer), Some(full)) if layer != full => output::line(folded(step, layer, group))?,
            _ => group.iter().try_for_each(|(number, record)| output::line(op(step, *number, record)))?,
        }
    }
    output::line("")?;
    if let Some(loss) = step.loss {
        output::line(format!("loss        {loss:.4}"))?;
    }
    output::line(format!("FLOPs       {}", with_thousands_separators(flops)))?;
    output::line(format!(
        "parameters  {} in the whole model",
        with_thousands_separators(step.params.count() as u64)
    ))
}

/// From this width on, the names of ops and of their outputs are aligned, and equations that fit on a line stay whole.
const ALIGNED_COLUMNS: usize = 60;
/// The columns of an op's number and name, where names of outputs are aligned.
const OP_COLUMNS: usize = 32;
/// The indent of what stands below the name of an op.
const INDENT: usize = 6;

/// An op: its name and equation, its shapes, its costs and the statistics of its output. For a backward op, the
/// statistics are those of the gradient that goes in; below stand the gradients that come out, with their equations.
fn op(step: &Step, number: usize, record: &Record) -> String {
    let columns = columns();
    let inside = columns.saturating_sub(INDENT);
    let name = record.to.and_then(|to| step.label(to)).unwrap_or("");
    let mut head = vec![format!("{number:>4}  {}", op_name(record)), name.into()];
    if columns >= ALIGNED_COLUMNS.max(OP_COLUMNS + 1 + width(name)) {
        let equation = wrap(record.equation, inside, 0).replace('\n', &format!("\n{}", " ".repeat(INDENT)));
        head = vec![format!("{:<OP_COLUMNS$} {name:<20}", head[0]), equation];
    } else {
        head.extend(record.equation.split(' ').map(String::from));
    }
    let (named, sizes) = step.shapes(record);
    let costs = [
        format!("parameters {}", with_thousands_separators(step.parameter_count(record))),
        format!("FLOPs {}", with_thousands_separators(record.flops)),
    ];
    let mut statistics = step.statistics(record).map_or(Vec::new(), |statistics| fields(&statistics));
    if let Some(first) = statistics.first_mut().filter(|_| record.phase == Phase::Backward) {
        *first = format!("in: {first}");
    }
    // A line may break after an arrow.
    let arrows = |text: String| text.split_inclusive("-> ").map(|part| part.trim().to_string()).collect();
    let shapes: [Vec<String>; 2] = [named, sizes].map(arrows);
    let shapes = shapes.map(|parts| flow(&parts, " ", inside, 2));
    let mut lines = vec![
        without_trailing_spaces(&flow(&head, " ", columns, INDENT)),
        indented(&flow(&shapes, "   ", inside, 0)),
        indented(&flow(&[&costs[..], &statistics].concat(), "  ", inside, 0)),
    ];
    lines.extend(step.gradients(record).into_iter().map(|gradient| indented(&outgoing(gradient, inside))));
    lines.join("\n")
}

/// A gradient that comes out of a backward op: its equation, and its statistics if it is all of the gradient.
fn outgoing((equation, statistics): (&str, Option<Statistics>), columns: usize) -> String {
    let numbers =
        statistics.map_or(vec!["one part of its gradient".into()], |statistics| fields(&statistics));
    flow(&[&[wrap(equation, columns, 2)][..], &numbers].concat(), "  ", columns, 2)
}

/// A folded layer.
fn folded(step: &Step, layer: usize, group: &[(usize, &Record)]) -> String {
    let numbers = group.iter().map(|(number, _)| *number);
    let (first, last) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(0));
    let sum = |of: &dyn Fn(&Record) -> u64| {
        with_thousands_separators(group.iter().map(|(_, record)| of(record)).sum())
    };
    let fields = [
        format!("{first:>4}-{last}  layer {layer}, folded: {} ops", group.len()),
        format!("parameters {}", sum(&|record| step.parameter_count(record))),
        format!("FLOPs {}", sum(&|record| record.flops)),
        format!("(see --layer {layer})"),
    ];
    flow(&fields, "  ", columns(), 6)
}

fn without_trailing_spaces(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    let indent = " ".repeat(INDENT);
    format!("{indent}{}", text.replace('\n', &format!("\n{indent}")))
}

fn op_name(record: &Record) -> String {
    match record.phase {
        Phase::Backward => format!("{}'", record.name),
        _ => record.name.into(),
    }
}
