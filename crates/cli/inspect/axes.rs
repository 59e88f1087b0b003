//! Names the axes of every value by letters: `(B, T, 3 C) -> (B, H, T, D)`.
//!
//! Sizes alone are ambiguous, since T may equal D. So the letters come from the parameters, whose
//! axes are known by name, and propagate through the ops.

use std::collections::HashMap;

use m2g_core::trace::{Phase, Record};
use m2g_core::{Params, Tape, Var};
use ndarray::Dimension;

/// The letters of a model's dimensions.
#[derive(Debug, Clone)]
pub struct Letters {
    letters: Vec<Letter>,
    /// The axes of a parameter, by its name.
    parameters: fn(&str) -> &'static [&'static str],
    /// The axes of input data, by the number of axes.
    data: fn(usize) -> &'static [&'static str],
}

/// A letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The letter as written in a shape.
    pub name: &'static str,
    /// The length of the axis.
    pub size: usize,
    /// What the axis counts; empty for a multiple of another letter.
    pub meaning: &'static str,
}

/// The names of a value's axes.
pub type Names = Vec<String>;

impl Letters {
    /// Creates letters with their sizes and meanings. `parameters` returns the axes of a parameter by
    /// its name, `data` those of input data by the number of axes.
    pub fn new(
        letters: &[(&'static str, usize, &'static str)],
        parameters: fn(&str) -> &'static [&'static str],
        data: fn(usize) -> &'static [&'static str],
    ) -> Self {
        let letters = letters.iter().map(|&(name, size, meaning)| Letter { name, size, meaning }).collect();
        Self { letters, parameters, data }
    }

    /// The letters with a meaning.
    pub fn iter(&self) -> impl Iterator<Item = &Letter> {
        self.letters.iter().filter(|letter| !letter.meaning.is_empty())
    }

    /// Replaces each name that is unknown, or has another size, by the size of the axis.
    fn checked(&self, names: &[&str], shape: &[usize]) -> Names {
        let known = |name: &str, size| self.letters.iter().any(|l| l.name == name && l.size == size);
        let axis = |(i, &size): (usize, &usize)| match names.get(i) {
            Some(name) if names.len() == shape.len() && known(name, size) => name.to_string(),
            _ => size.to_string(),
        };
        shape.iter().enumerate().map(axis).collect()
    }

    /// The axes of an op's output, from those of its inputs.
    fn output(&self, record: &Record, inputs: &[Names]) -> Names {
        let shape = record.output.slice();
        let axis = |input: usize, from_end: usize| -> &str {
            inputs.get(input).and_then(|names| names.iter().rev().nth(from_end)).map_or("", String::as_str)
        };
        let first = || inputs.first().map_or(&[][..], Vec::as_slice).iter().map(String::as_str);
        let all_but_last = || first().rev().skip(1).rev();
        let names: Vec<&str> = match record.name {
            "embedding" if axis(0, 1) == "block_size" => vec!["1", "T", "C"],
            "embedding" => vec!["B", "T", axis(0, 0)],
            "linear" => all_but_last().chain([axis(1, 1)]).collect(),
            "split_heads" => vec!["B", "H", "T", "D"],
            "merge_heads" => vec!["B", "T", "C"],
            "batched_matmul" | "matmul" => all_but_last().chain([axis(1, 0)]).collect(),
            "batched_matmul_transposed" | "additive_scores" | "negative_distance" => {
                all_but_last().chain([axis(1, 1)]).collect()
            }
            _ => first().collect(),
        };
        self.checked(&names, shape)
    }
}

/// The names of the axes of every value on the tape.
pub fn of_values(letters: &Letters, tape: &Tape<f32>, params: &Params<f32>) -> HashMap<Var, Names> {
    let mut names: HashMap<Var, Names> = HashMap::new();
    for record in tape.trace.records().iter().filter(|r| r.is_work() && r.phase != Phase::Backward) {
        for (&var, shape) in record.from.iter().zip(&record.inputs) {
            names.entry(var).or_insert_with(|| match tape.param_at(var) {
                Some(id) => letters.checked((letters.parameters)(&params.get(id).name), shape.slice()),
                None => letters.checked((letters.data)(shape.slice().len()), shape.slice()),
            });
        }
        let inputs: Vec<Names> = record.from.iter().map(|var| names[var].clone()).collect();
        if let Some(to) = record.to {
            names.insert(to, letters.output(record, &inputs));
        }
    }
    names
}

/// Formats axes or sizes as `(B, T, C)`.
pub fn tuple<S: std::fmt::Display>(axes: &[S]) -> String {
    let axes: Vec<String> = axes.iter().map(S::to_string).collect();
    format!("({})", axes.join(", "))
}
