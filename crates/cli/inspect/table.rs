//! Shows the step, op by op.

use m2g_core::trace::{Phase, Record};
use m2g_text::source::with_thousands_separators;
use ndarray::Dimension;
use serde_json::{Value, json};

use super::axes::tuple;
use super::numbers::Statistics;
use super::step::Step;
use crate::output;
use crate::terminal::lines::flow;
use crate::terminal::width::columns;

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

/// From this width on, the names of ops and of their outputs are aligned, and equations stay whole.
const ALIGNED_COLUMNS: usize = 60;

/// An op: its name and equation, its shapes, its costs and the statistics of its output.
fn op(step: &Step, number: usize, record: &Record) -> String {
    let columns = columns();
    let name = record.to.and_then(|to| step.label(to)).unwrap_or("");
    let mut head = vec![format!("{number:>4}  {}", op_name(record)), name.into()];
    if columns >= ALIGNED_COLUMNS {
        head = vec![format!("{:<32} {name:<20}", head[0]), record.equation.into()];
    } else {
        head.extend(record.equation.split(' ').map(String::from));
    }
    let (named, sizes) = shapes(step, record);
    let costs = [
        format!("parameters {}", with_thousands_separators(parameters(step, record))),
        format!("FLOPs {}", with_thousands_separators(record.flops)),
    ];
    let statistics = statistics(step, record).map_or(Vec::new(), |statistics| statistics.fields());
    // A line may break after an arrow.
    let arrows = |text: String| text.split_inclusive("-> ").map(|part| part.trim().to_string()).collect();
    let shapes: [Vec<String>; 2] = [named, sizes].map(arrows);
    let shapes = shapes.map(|parts| flow(&parts, " ", columns.saturating_sub(6), 2));
    [
        without_trailing_spaces(&flow(&head, " ", columns, 6)),
        indented(&flow(&shapes, "   ", columns.saturating_sub(6), 0)),
        indented(&flow(&[&costs[..], &statistics].concat(), "  ", columns.saturating_sub(6), 0)),
    ]
    .join("\n")
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
        format!("parameters {}", sum(&|record| parameters(step, record))),
        format!("FLOPs {}", sum(&|record| record.flops)),
        format!("(see --layer {layer})"),
    ];
    flow(&fields, "  ", columns(), 6)
}

fn without_trailing_spaces(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    format!("      {}", text.replace('\n', "\n      "))
}

/// All ops as JSON values.
pub fn json(step: &Step, layer: Option<usize>) -> Vec<Value> {
    let op = |(number, record): (usize, &Record)| {
        let (named, _) = shapes(step, record);
        let parameters = step.parameters(record).into_iter().map(|id| &step.params.get(id).name);
        json!({
            "number": number, "phase": direction(record), "op": record.name,
            "label": record.to.and_then(|to| step.label(to)), "equation": record.equation,
            "function": record.function, "caller": record.caller.to_string(), "axes": named,
            "inputs": record.inputs.iter().map(|s| s.slice()).collect::<Vec<_>>(),
            "output": record.output.slice(), "parameters": parameters.collect::<Vec<_>>(),
            "parameter_count": self::parameters(step, record), "flops": record.flops,
            "statistics": statistics(step, record),
        })
    };
    step.records(layer).into_iter().map(op).collect()
}

fn direction(record: &Record) -> &'static str {
    if record.phase == Phase::Backward { "backward" } else { "forward" }
}

fn op_name(record: &Record) -> String {
    match record.phase {
        Phase::Backward => format!("{}'", record.name),
        _ => record.name.into(),
    }
}

/// Input and output shapes, in letters and in sizes. For a backward op, the input is the gradient of
/// the forward op's output.
fn shapes(step: &Step, record: &Record) -> (String, String) {
    let list = |all: Vec<String>| all.join(" ");
    let inputs = (
        list(record.from.iter().map(|&var| tuple(&step.axes(var))).collect()),
        list(record.inputs.iter().map(|shape| tuple(shape.slice())).collect()),
    );
    let output = (record.to.map_or(String::new(), |to| tuple(&step.axes(to))), tuple(record.output.slice()));
    let (from, to) = if record.phase == Phase::Backward { (output, inputs) } else { (inputs, output) };
    (format!("{} -> {}", from.0, to.0), format!("{} -> {}", from.1, to.1))
}

/// The number of parameters among the op's inputs.
fn parameters(step: &Step, record: &Record) -> u64 {
    step.parameters(record).into_iter().map(|id| step.params.get(id).value.len() as u64).sum()
}

/// Statistics of the op's output or, for a backward op, of the output's gradient.
fn statistics(step: &Step, record: &Record) -> Option<Statistics> {
    let to = record.to?;
    let tensor = match record.phase {
        Phase::Backward => step.gradient(to)?,
        _ => step.tape.value(to),
    };
    Some(Statistics::of(tensor.data()))
}
