//! A step as JSON: the ops, and the matrices of each attention head.

use ndarray::Dimension;
use serde_json::{Value, json};

use super::axes::tuple;
use super::inspection::{AttentionGroup, AttentionLayer, AttentionLayout};
use super::statistics::Statistics;
use super::step::Step;
use crate::Var;
use crate::trace::{Phase, Record};

/// The matrices of a head, by the last part of their labels.
pub const MATRICES: [&str; 5] = ["q", "k", "v", "scores", "weights"];

/// One matrix of one head.
#[derive(Debug)]
pub struct HeadMatrix<'a> {
    /// The names of its two axes.
    pub axes: Vec<String>,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// The elements, row by row.
    pub data: &'a [f32],
}

impl Step {
    /// The shapes that go into an op and come out, in letters and in sizes: see [`Record::shapes`].
    pub fn shapes(&self, record: &Record) -> (String, String) {
        let output: Vec<Var> = record.to.into_iter().collect();
        let (from, to) = match record.phase {
            Phase::Backward => (output, record.gradients.iter().map(|(i, _)| record.from[*i]).collect()),
            _ => (record.from.clone(), output),
        };
        let axes =
            |vars: &[Var]| vars.iter().map(|&var| tuple(&self.axes(var))).collect::<Vec<_>>().join(" ");
        let sizes = |all: &[&[usize]]| all.iter().map(|&shape| tuple(shape)).collect::<Vec<_>>().join(" ");
        let (going_in, coming_out) = record.shapes();
        (
            format!("{} -> {}", axes(&from), axes(&to)),
            format!("{} -> {}", sizes(&going_in), sizes(&coming_out)),
        )
    }

    /// The equations of the gradients that a backward op computes, each with the statistics of its gradient: `None`
    /// where other ops add to the same gradient.
    pub fn gradients(&self, record: &Record) -> Vec<(&'static str, Option<Statistics>)> {
        let of = |record: &Record| record.gradients.iter().map(|(i, _)| record.from[*i]).collect::<Vec<_>>();
        let all: Vec<Var> = self.tape.trace.records().iter().flat_map(of).collect();
        let alone = |var: &Var| all.iter().filter(|other| *other == var).count() == 1;
        let statistics = |var: Var| self.gradient(var).map(|gradient| Statistics::of(gradient.data()));
        let equations = record.gradients.iter().map(|(_, equation)| *equation);
        equations.zip(of(record)).map(|(e, var)| (e, Some(var).filter(alone).and_then(statistics))).collect()
    }

    /// The number of parameters among an op's inputs.
    pub fn parameter_count(&self, record: &Record) -> u64 {
        self.parameters(record).into_iter().map(|id| self.params.get(id).value.len() as u64).sum()
    }

    /// Statistics of an op's output or, for a backward op, of the output's gradient.
    pub fn statistics(&self, record: &Record) -> Option<Statistics> {
        let to = record.to?;
        let tensor = match record.phase {
            Phase::Backward => self.gradient(to)?,
            _ => self.tape.value(to),
        };
        Some(Statistics::of(tensor.data()))
    }

    /// A matrix of one head, by one of [`MATRICES`].
    pub fn matrix_of_head(&self, layer: &AttentionLayer, head: usize, name: &str) -> Option<HeadMatrix<'_>> {
        let var = self.labelled(&format!("{}.{name}", layer.label))?;
        let tensor = self.tape.value(var);
        let &[_, _, rows, columns] = tensor.shape() else { return None };
        let data = tensor.data().get(head * rows * columns..(head + 1) * rows * columns)?;
        Some(HeadMatrix { axes: self.axes(var).split_off(2), shape: [rows, columns], data })
    }

    /// All ops as JSON values, of one layer or of the whole step. `inputs` and `output` of a backward op are the shapes
    /// of its forward op; its equation, its axes and its gradients are its own.
    pub fn ops(&self, layer: Option<usize>) -> Vec<Value> {
        let op = |(number, record): (usize, &Record)| {
            let (named, _) = self.shapes(record);
            let parameters = self.parameters(record).into_iter().map(|id| &self.params.get(id).name);
            let gradients = self.gradients(record).into_iter();
            let gradients = gradients.map(|(equation, s)| json!({"equation": equation, "statistics": s}));
            json!({
                "number": number, "phase": direction(record), "op": record.name,
                "label": record.to.and_then(|to| self.label(to)), "equation": record.equations(),
                "function": record.function, "caller": record.caller.to_string(), "axes": named,
                "inputs": record.inputs.iter().map(|s| s.slice()).collect::<Vec<_>>(),
                "output": record.output.slice(), "parameters": parameters.collect::<Vec<_>>(),
                "parameter_count": self.parameter_count(record), "flops": record.flops,
                "statistics": self.statistics(record), "gradients": gradients.collect::<Vec<_>>(),
            })
        };
        self.records(layer).into_iter().map(op).collect()
    }
}

/// The direction of an op: `forward` or `backward`.
pub fn direction(record: &Record) -> &'static str {
    if record.phase == Phase::Backward { "backward" } else { "forward" }
}

/// The attention layers of one block, or of all, each with its group.
pub fn attention_layers(
    layout: &AttentionLayout,
    block: Option<usize>,
) -> impl Iterator<Item = (&AttentionGroup, &AttentionLayer)> {
    layout.groups.iter().flat_map(move |group| group.layers_of(block).map(move |layer| (group, layer)))
}

/// One JSON value per attention layer and head: the shapes and statistics of its matrices and, with
/// `elements`, their elements.
pub fn heads(
    step: &Step,
    layout: &AttentionLayout,
    block: Option<usize>,
    chosen: &[usize],
    elements: bool,
) -> Vec<Value> {
    let mut all = Vec::new();
    for (group, layer) in attention_layers(layout, block) {
        for &head in chosen {
            let mut object = json!({
                "layer": layer.number, "head": head, "label": layer.label, "kind": group.name,
            });
            for name in MATRICES {
                let Some(HeadMatrix { axes, shape, data }) = step.matrix_of_head(layer, head, name) else {
                    continue;
                };
                let values = elements.then(|| nested(&shape, data));
                object[name] = json!({
                    "axes": tuple(&axes), "shape": shape, "statistics": Statistics::of(data), "values": values,
                });
            }
            all.push(object);
        }
    }
    all
}

/// Elements as nested JSON arrays.
pub fn nested(shape: &[usize], data: &[f32]) -> Value {
    match shape {
        [] => json!(data.first()),
        [_] => json!(data),
        [_, rest @ ..] => {
            let each = rest.iter().product::<usize>().max(1);
            Value::Array(data.chunks(each).map(|part| nested(rest, part)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_nest_by_shape() {
        let data = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(nested(&[2, 1, 2], &data), json!([[[1.0, 2.0]], [[3.0, 4.0]]]));
        assert_eq!(nested(&[], &data[..1]), json!(1.0));
    }
}
