//! Shows the step, op by op.

use m2g_core::trace::{Phase, Record};
use m2g_text::source::with_thousands_separators;
use ndarray::Dimension;
use serde_json::{Value, json};

use super::axes::tuple;
use super::numbers::Statistics;
use super::step::Step;
use crate::output;

/// Prints all ops with their shapes, costs and output statistics.
pub fn print(step: &Step, layer: Option<usize>) -> anyhow::Result<()> {
    let letters = step.letters.iter().map(|l| format!("{} {} ({})", l.name, l.size, l.meaning));
    output::line(letters.collect::<Vec<_>>().join("   "))?;
    let (mut flops, mut phase) = (0, None);
    for (number, record) in step.records(layer) {
        if phase != Some(record.phase) {
            phase = Some(record.phase);
            output::line(format!("\n{}", direction(record)))?;
        }
        let name = record.to.and_then(|to| step.label(to)).unwrap_or("");
        let op = op_name(record);
        output::line(format!("{number:>4}  {op:<26} {name:<20} {}", record.equation))?;
        let (named, sizes) = shapes(step, record);
        output::line(format!("      {named}   {sizes}"))?;
        let costs = format!(
            "parameters {}  FLOPs {}",
            with_thousands_separators(parameters(step, record)),
            with_thousands_separators(record.flops)
        );
        let statistics = statistics(step, record).map_or(String::new(), |s| s.line());
        output::line(format!("      {costs}  {statistics}"))?;
        flops += record.flops;
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
