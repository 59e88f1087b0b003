//! One step of a model, all of whose values can be looked at afterwards.

use std::collections::{HashMap, HashSet};

use m2g_core::Tokens;
use m2g_core::trace::{Phase, Record};
use m2g_core::train::Model;
use m2g_core::{Error, Grads, ParamId, Params, Tape, Tensor, Var};
use m2g_digits::{MiniBatch, Network};
use m2g_gpt::{Gpt, TokenBatch};

use super::axes::{self, Letters, Names};

/// What ran, and every value and gradient that came of it. Nothing is dropped out.
pub struct Step {
    /// The tape, with its trace.
    pub tape: Tape<f32>,
    /// The model's parameters.
    pub params: Params<f32>,
    /// The letters of its dimensions.
    pub letters: Letters,
    /// The loss, if the step had one.
    pub loss: Option<f64>,
    /// The gradients of the parameters, if the step went backward.
    pub grads: Option<Grads<f32>>,
    names: HashMap<Var, Names>,
    layers: Vec<Layer>,
}

/// Where a layer begins and ends: behind the value of one label, with that of another.
struct Layer {
    number: usize,
    after: Option<String>,
    last: Option<String>,
}

impl Step {
    /// One image through a digit network; backward too, if it is known what it shows.
    pub fn digits(network: &Network<f32>, image: &Tensor<f32>, digit: Option<usize>) -> Result<Self, Error> {
        let layers = network.layers().count();
        let classes = network.architecture().sizes[layers];
        let layer = |number| Layer {
            number,
            after: (number > 1).then(|| format!("layer{}.a", number - 1)),
            last: (number < layers).then(|| format!("layer{number}.a")),
        };
        let tape = tape(digit.is_some());
        let letters = Letters::digits(1);
        Self::run(network, tape, letters, (1..=layers).map(layer).collect(), |tape| match digit {
            None => network.feedforward_on(tape, image).map(|_| None),
            Some(digit) => {
                let mut y = Tensor::zeros(&[1, classes]);
                y.data_mut()[digit] = 1.0;
                network.loss(tape, &MiniBatch { x: image.clone(), y }).map(Some)
            }
        })
    }

    /// One text through a GPT. Backward, it predicts each token but the first, from those
    /// before, so that it reads all but the last.
    pub fn gpt(gpt: &Gpt<f32>, ids: &[u32], backward: bool) -> Result<Self, Error> {
        let t = if backward { ids.len() - 1 } else { ids.len() };
        let layer = |i: usize| Layer {
            number: i,
            after: Some(if i == 0 { "embedded".into() } else { format!("h.{}", i - 1) }),
            last: Some(format!("h.{i}")),
        };
        let letters = Letters::gpt(gpt.config(), 1, t);
        let layers = (0..gpt.config().n_layer).map(layer).collect();
        let x = Tokens::new([1, t], &ids[..t])?;
        Self::run(gpt, tape(backward), letters, layers, |tape| match backward {
            false => gpt.forward(tape, &x).map(|_| None),
            true => gpt.loss(tape, &TokenBatch { x, y: Tokens::new([1, t], &ids[1..])? }).map(Some),
        })
    }

    fn run<M: Model<f32>>(
        model: &M,
        mut tape: Tape<f32>,
        letters: Letters,
        layers: Vec<Layer>,
        forward: impl FnOnce(&mut Tape<f32>) -> Result<Option<Var>, Error>,
    ) -> Result<Self, Error> {
        let loss = forward(&mut tape)?;
        let grads = match loss {
            None => None,
            Some(loss) => {
                let mut grads = Grads::new();
                tape.backward(loss, &mut grads)?;
                Some(grads)
            }
        };
        let params = model.params().clone();
        let names = axes::of_values(&letters, &tape, &params);
        let loss = loss.map(|loss| f64::from(tape.value(loss).data()[0]));
        Ok(Self { tape, params, letters, loss, grads, names, layers })
    }

    /// The value that a label names.
    pub fn labelled(&self, label: &str) -> Option<Var> {
        self.tape.trace.labels().iter().find(|(_, name)| name == label).map(|(var, _)| *var)
    }

    /// What a value is called: the label that was given last, or the parameter's name.
    pub fn label(&self, var: Var) -> Option<&str> {
        match self.tape.param_at(var) {
            Some(id) => Some(&self.params.get(id).name),
            None => self.tape.trace.labels().iter().rev().find(|(v, _)| *v == var).map(|(_, name)| &name[..]),
        }
    }

    /// The names of a value's axes.
    pub fn axes(&self, var: Var) -> Names {
        let numbers = || self.tape.value(var).shape().iter().map(usize::to_string).collect();
        self.names.get(&var).cloned().unwrap_or_else(numbers)
    }

    /// The gradient of a value or of a parameter, if the step went backward.
    pub fn gradient(&self, var: Var) -> Option<&Tensor<f32>> {
        match self.tape.param_at(var) {
            Some(id) => self.grads.as_ref()?.get(id),
            None => self.tape.grad(var),
        }
    }

    /// The parameters that an op takes.
    pub fn parameters(&self, record: &Record) -> Vec<ParamId> {
        record.from.iter().filter_map(|&var| self.tape.param_at(var)).collect()
    }

    /// The numbers of the first and the last layer.
    pub fn layer_numbers(&self) -> (usize, usize) {
        let number = |layer: Option<&Layer>| layer.map_or(0, |layer| layer.number);
        (number(self.layers.first()), number(self.layers.last()))
    }

    /// What ran, each with its number; only what belongs to a layer, if one is named.
    pub fn records(&self, layer: Option<usize>) -> Vec<(usize, &Record)> {
        let inside =
            layer.and_then(|number| self.layers.iter().find(|l| l.number == number)).map(|l| self.inside(l));
        let wanted = |record: &Record| match (&inside, record.to) {
            (Some(inside), Some(to)) => inside.contains(&to),
            (inside, _) => inside.is_none(),
        };
        // Layers and the like only call ops, and make no value of their own.
        let ops = self.tape.trace.records().iter().filter(|record| record.is_work());
        let all = ops.enumerate().map(|(i, record)| (i + 1, record));
        all.filter(|(_, record)| wanted(record)).collect()
    }

    /// The values that the ops of a layer made.
    fn inside(&self, layer: &Layer) -> HashSet<Var> {
        let made: Vec<Var> = self
            .tape
            .trace
            .records()
            .iter()
            .filter(|r| r.phase != Phase::Backward)
            .filter_map(|r| r.to)
            .collect();
        let place = |label: &Option<String>| {
            let var = self.labelled(label.as_ref()?)?;
            made.iter().position(|v| *v == var)
        };
        let start = place(&layer.after).map_or(0, |i| i + 1);
        let end = place(&layer.last).map_or(made.len(), |i| i + 1);
        made.get(start..end).unwrap_or_default().iter().copied().collect()
    }
}

/// A tape that keeps everything.
fn tape(backward: bool) -> Tape<f32> {
    let mut tape = Tape::new();
    tape.set_gradients(backward);
    tape.set_keep_values(true);
    tape.trace.switch(true);
    tape
}
