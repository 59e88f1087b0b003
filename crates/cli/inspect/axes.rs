//! The axes of every value by their letters: `(B, T, 3 C) -> (B, H, T, D)`.
//!
//! Sizes alone do not tell: a model may have as many tokens as numbers in a head. So the
//! letters begin at the parameters, whose axes are known by name, and go along with the
//! ops.

use std::collections::HashMap;

use m2g_core::trace::{Phase, Record};
use m2g_core::{Params, Tape, Var};
use m2g_gpt::GptConfig;
use ndarray::Dimension;

/// The letters of a model's dimensions.
#[derive(Debug, Clone)]
pub struct Letters(Vec<Letter>);

/// One of them.
#[derive(Debug, Clone)]
pub struct Letter {
    /// As it stands in a shape.
    pub name: &'static str,
    /// How long the axis is.
    pub size: usize,
    /// What it counts; empty for multiples.
    pub meaning: &'static str,
}

/// The names of a value's axes.
pub type Names = Vec<String>;

impl Letters {
    /// Those of a GPT that reads B sequences of T tokens.
    pub fn gpt(config: &GptConfig, b: usize, t: usize) -> Self {
        let (c, h) = (config.n_embd, config.n_head);
        Self::new(&[
            ("B", b, "sequences"),
            ("T", t, "tokens"),
            ("C", c, "numbers for a token"),
            ("H", h, "heads"),
            ("D", c / h, "numbers for a head"),
            ("V", config.vocab_size, "tokens in the vocabulary"),
            ("block_size", config.block_size, "the most tokens at a time"),
            ("3 C", 3 * c, ""),
            ("4 C", 4 * c, ""),
        ])
    }

    /// Those of a digit network that reads B images; its layers have numbers for letters.
    pub fn digits(b: usize) -> Self {
        Self::new(&[("B", b, "images")])
    }

    fn new(letters: &[(&'static str, usize, &'static str)]) -> Self {
        Self(letters.iter().map(|&(name, size, meaning)| Letter { name, size, meaning }).collect())
    }

    /// All that have a meaning of their own.
    pub fn iter(&self) -> impl Iterator<Item = &Letter> {
        self.0.iter().filter(|letter| !letter.meaning.is_empty())
    }

    /// These names, and the number itself where a name is not known or not of that size.
    fn checked(&self, names: &[&str], shape: &[usize]) -> Names {
        let known = |name: &str, size| self.0.iter().any(|l| l.name == name && l.size == size);
        let axis = |(i, &size): (usize, &usize)| match names.get(i) {
            Some(name) if names.len() == shape.len() && known(name, size) => name.to_string(),
            _ => size.to_string(),
        };
        shape.iter().enumerate().map(axis).collect()
    }

    /// The axes of a parameter.
    pub fn parameter(&self, name: &str, shape: &[usize]) -> Names {
        let names: &[&str] = match name {
            "wte.weight" | "lm_head.weight" => &["V", "C"],
            "wpe.weight" => &["block_size", "C"],
            _ if name.ends_with("attn.c_attn.weight") => &["3 C", "C"],
            _ if name.ends_with("attn.c_attn.bias") => &["3 C"],
            _ if name.ends_with("attn.c_proj.weight") => &["C", "C"],
            _ if name.ends_with("score.weight") => &["H", "D"],
            _ if name.ends_with("mlp.c_fc.weight") => &["4 C", "C"],
            _ if name.ends_with("mlp.c_fc.bias") => &["4 C"],
            _ if name.ends_with("mlp.c_proj.weight") => &["C", "4 C"],
            _ if name.starts_with("layer") => &[],
            _ => &["C"],
        };
        self.checked(names, shape)
    }

    /// The axes of data: images, wished-for outputs, positions, distances.
    fn data(&self, shape: &[usize]) -> Names {
        let images = !self.0.iter().any(|l| l.name == "T");
        let names: &[&str] = match shape.len() {
            2 if images => &["B", ""],
            2 => &["T", "C"],
            3 => &["H", "T", "T"],
            _ => &[],
        };
        self.checked(names, shape)
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
                Some(id) => letters.parameter(&params.get(id).name, shape.slice()),
                None => letters.data(shape.slice()),
            });
        }
        let inputs: Vec<Names> = record.from.iter().map(|var| names[var].clone()).collect();
        if let Some(to) = record.to {
            names.insert(to, letters.output(record, &inputs));
        }
    }
    names
}

/// `(B, T, C)`
pub fn tuple<S: std::fmt::Display>(axes: &[S]) -> String {
    let axes: Vec<String> = axes.iter().map(S::to_string).collect();
    format!("({})", axes.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use m2g_core::Tokens;
    use m2g_core::nn::Score;
    use m2g_core::train::Model;
    use m2g_gpt::{Config, Gpt};

    #[test]
    fn letters_are_right_where_all_sizes_are_alike() {
        // T = H = D = 4, V = 3 C = 48, block_size = C.
        let config = Config {
            n_layer: 1,
            n_head: 4,
            n_embd: 16,
            block_size: 16,
            fused: false,
            score: Score::Cosine,
            tie_weights: false,
            ..Config::default()
        };
        let gpt = Gpt::<f32>::new(config.model(48), 1).unwrap();
        let mut tape = Tape::new();
        tape.trace.switch(true);
        gpt.forward(&mut tape, &Tokens::new([1, 4], vec![1, 2, 3, 4]).unwrap()).unwrap();
        let names = of_values(&Letters::gpt(gpt.config(), 1, 4), &tape, gpt.params());
        let of = |label: &str| {
            let (var, _) = tape.trace.labels().iter().find(|(_, name)| name == label).unwrap();
            tuple(&names[var])
        };
        for (label, want) in [
            ("wte", "(B, T, C)"),
            ("wpe", "(1, T, C)"),
            ("embedded", "(B, T, C)"),
            ("h.0.attn.c_attn", "(B, T, 3 C)"),
            ("h.0.attn.q", "(B, H, T, D)"),
            ("h.0.attn.scores", "(B, H, T, T)"),
            ("h.0.attn.weights", "(B, H, T, T)"),
            ("h.0.attn.c_proj", "(B, T, C)"),
            ("h.0.mlp.gelu", "(B, T, 4 C)"),
            ("logits", "(B, T, V)"),
        ] {
            assert_eq!(of(label), want, "{label}");
        }
    }
}
