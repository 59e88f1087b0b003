//! Shows the elements of one value.

use anyhow::{anyhow, bail};
use m2g_core::error::nearest;
use m2g_core::inspect::axes::tuple;
use m2g_core::inspect::{Statistics, Step, Text, nested};
use m2g_core::trace::Phase;
use m2g_core::{Tensor, Var};
use serde_json::{Value, json};

use super::numbers::{WHOLE, fields, matrix, number};
use crate::output;
use crate::terminal::lines::flow;
use crate::terminal::width::columns as terminal_columns;

/// A value to show, or one head of it.
pub struct Selected<'a> {
    step: &'a Step,
    name: &'a str,
    var: Var,
    head: Option<usize>,
    /// The texts, whose tokens name the rows of matrices over them.
    texts: &'a [Text],
}

impl<'a> Selected<'a> {
    /// Finds a value by its label, by the name of a parameter, or by the number of an op. `head`
    /// selects one head of it.
    pub fn find(
        step: &'a Step,
        name: &'a str,
        head: Option<usize>,
        texts: &'a [Text],
    ) -> anyhow::Result<Self> {
        let var = match name.trim_start_matches('#').parse::<usize>() {
            Ok(op) => by_number(step, op)?,
            Err(_) => by_name(step, name)?,
        };
        if head.is_some() && step.tape.value(var).shape().len() != 4 {
            bail!("{name} has no heads: leave out --head, or give q, k, v, scores or weights");
        }
        Ok(Self { step, name, var, head, texts })
    }

    /// Prints the elements, and those of the gradient, if any.
    pub fn print(&self) -> anyhow::Result<()> {
        self.print_one(self.name, self.step.tape.value(self.var))?;
        match self.step.gradient(self.var) {
            Some(gradient) => self.print_one(&format!("gradient of {}", self.name), gradient),
            None => Ok(()),
        }
    }

    /// One JSON object with all elements.
    pub fn json(&self) -> Value {
        let (shape, data) = self.part(self.step.tape.value(self.var));
        let gradient = self.step.gradient(self.var).map(|g| {
            let (shape, data) = self.part(g);
            nested(&shape, data)
        });
        json!({
            "event": "values", "name": self.name, "head": self.head, "axes": self.axes(), "shape": shape,
            "values": nested(&shape, data), "gradient": gradient,
        })
    }

    fn print_one(&self, title: &str, tensor: &Tensor<f32>) -> anyhow::Result<()> {
        let (shape, data) = self.part(tensor);
        output::line(format!("{title}  {}  {}", tuple(&self.axes()), tuple(&shape)))?;
        output::line(format!(
            "    {}",
            flow(&fields(&Statistics::of(data)), "  ", terminal_columns() - 4, 4)
        ))?;
        let (columns, rest) = match shape.split_last() {
            Some((&columns, rest)) => (columns, rest),
            None => {
                return output::line(format!(
                    "    {}",
                    number(data.first().copied().map_or(f64::NAN, f64::from))
                ));
            }
        };
        let rows = rest.last().copied().unwrap_or(1);
        let matrices = data.chunks(rows.saturating_mul(columns).max(1)).enumerate();
        let axes = self.axes();
        let text = axes.iter().rev().nth(1).and_then(|axis| self.texts.iter().find(|text| text.axis == axis));
        let names = text.map_or(&[][..], |text| &text.tokens);
        for (i, part) in matrices {
            if rest.len() > 1 {
                output::line(format!("  {}", index_of(i, &rest[..rest.len() - 1])))?;
            }
            for line in matrix(part, columns, names, WHOLE.within(terminal_columns())) {
                output::line(line)?;
            }
        }
        Ok(())
    }

    fn axes(&self) -> Vec<String> {
        let axes = self.step.axes(self.var);
        if self.head.is_some() { axes[2..].to_vec() } else { axes }
    }

    /// The shape and the elements, of all heads or of one.
    fn part<'t>(&self, tensor: &'t Tensor<f32>) -> (Vec<usize>, &'t [f32]) {
        match (self.head, tensor.shape()) {
            (Some(head), &[_, _, rows, columns]) => {
                (vec![rows, columns], &tensor.data()[head * rows * columns..][..rows * columns])
            }
            (_, shape) => (shape.to_vec(), tensor.data()),
        }
    }
}

/// The index of matrix number `i` over the leading axes: `[0, 3]`.
fn index_of(mut i: usize, axes: &[usize]) -> String {
    let mut indices: Vec<usize> = axes
        .iter()
        .rev()
        .map(|&n| {
            let index = i % n.max(1);
            i /= n.max(1);
            index
        })
        .collect();
    indices.reverse();
    format!("{indices:?}")
}

fn by_number(step: &Step, op: usize) -> anyhow::Result<Var> {
    step.output_of(op).ok_or_else(|| {
        let ops = step.tape.trace.records().iter().filter(|record| record.is_work());
        let last = match step.loss {
            Some(_) => ops.count(),
            None => ops.filter(|record| record.phase != Phase::Backward).count(),
        };
        anyhow!("--values is {op}: the ops are numbered from 1 to {last}")
    })
}

fn by_name(step: &Step, name: &str) -> anyhow::Result<Var> {
    if let Some(var) = step.named(name) {
        return Ok(var);
    }
    match nearest(name, step.value_names()) {
        Some(near) => bail!("no value is called \"{name}\": did you mean {near}?"),
        None => bail!(
            "no value is called \"{name}\": give a name or an op's number from `m2g inspect` without --values"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_count_the_last_axis_first() {
        assert_eq!(index_of(5, &[2, 3]), "[1, 2]");
    }
}
