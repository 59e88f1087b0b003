//! Names the axes of every value by letters: `(B, T, 3 C) -> (B, H, T, D)`.
//!
//! Sizes alone are ambiguous, since T may equal D. So the letters come from the parameters, whose
//! axes are known by name, and propagate through the ops.

use std::collections::HashMap;

use ndarray::Dimension;

use crate::trace::{Phase, Record};
use crate::{Params, Tape, Var};

/// The letters of a model's dimensions.
#[derive(Debug, Clone)]
pub struct Letters {
    letters: Vec<Letter>,
    /// The axes of a parameter, by its name.
    parameters: fn(&str) -> &'static [&'static str],
    /// The axes of input data, by the number of axes.
    data: fn(usize) -> &'static [&'static str],
    /// The letters of the sequences of tokens, in the order in which the model embeds them.
    sequences: &'static [&'static str],
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
        Self { letters, parameters, data, sequences: &["T"] }
    }

    /// For a model that reads several sequences of tokens: their letters, in the order in which it embeds
    /// them.
    pub fn with_sequences(self, sequences: &'static [&'static str]) -> Self {
        Self { sequences, ..self }
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

    /// The axes of an op's output, from those of its inputs. `sequence` is the letter of the tokens that
    /// were embedded last.
    fn output(&self, record: &Record, inputs: &[Names], sequence: &str) -> Names {
        let shape = record.output.slice();
        let axis = |input: usize, from_end: usize| -> &str {
            inputs.get(input).and_then(|names| names.iter().rev().nth(from_end)).map_or("", String::as_str)
        };
        let first = || inputs.first().map_or(&[][..], Vec::as_slice).iter().map(String::as_str);
        let all_but_last = || first().rev().skip(1).rev();
        let names: Vec<&str> = match record.name {
            "embedding" if axis(0, 1) == TOKENS => vec!["B", sequence, axis(0, 0)],
            "embedding" => vec!["1", sequence, "C"],
            "linear" => all_but_last().chain([axis(1, 1)]).collect(),
            "split_heads" => vec!["B", "H", axis(0, 1), "D"],
            "merge_heads" => vec!["B", axis(0, 1), "C"],
            "batched_matmul" | "matmul" => all_but_last().chain([axis(1, 0)]).collect(),
            "batched_matmul_transposed" | "additive_scores" | "negative_distance" => {
                all_but_last().chain([axis(1, 1)]).collect()
            }
            _ => first().collect(),
        };
        self.checked(&names, shape)
    }
}

/// The letter of the axis that counts the tokens of the vocabulary.
const TOKENS: &str = "V";

/// The names of the axes of every value on the tape.
pub fn of_values(letters: &Letters, tape: &Tape<f32>, params: &Params<f32>) -> HashMap<Var, Names> {
    let mut names: HashMap<Var, Names> = HashMap::new();
    let mut sequences = letters.sequences.iter();
    let mut sequence = "";
    for record in tape.trace.records().iter().filter(|r| r.is_work() && r.phase != Phase::Backward) {
        let mut first: Option<Names> = None;
        for (&var, shape) in record.from.iter().zip(&record.inputs) {
            let of_input = || match (tape.param_at(var), &first) {
                (Some(id), _) => letters.checked((letters.parameters)(&params.get(id).name), shape.slice()),
                // A table that is added to every sequence of a batch has the last axes of what it is added to.
                (None, Some(first)) if record.name == "add" && first.len() >= shape.slice().len() => {
                    let last: Vec<&str> = first.iter().map(String::as_str).collect();
                    letters.checked(&last[first.len() - shape.slice().len()..], shape.slice())
                }
                (None, _) => letters.checked((letters.data)(shape.slice().len()), shape.slice()),
            };
            first = Some(names.entry(var).or_insert_with(of_input).clone());
        }
        let inputs: Vec<Names> = record.from.iter().map(|var| names[var].clone()).collect();
        let reads_tokens =
            || inputs.first().and_then(|table| table.first()).is_some_and(|axis| axis == TOKENS);
        if record.name == "embedding" && reads_tokens() {
            sequence = sequences.next().unwrap_or(&sequence);
        }
        if let Some(to) = record.to {
            names.insert(to, letters.output(record, &inputs, sequence));
        }
    }
    names
}

/// Formats axes or sizes as `(B, T, C)`.
pub fn tuple<S: std::fmt::Display>(axes: &[S]) -> String {
    let axes: Vec<String> = axes.iter().map(S::to_string).collect();
    format!("({})", axes.join(", "))
}
