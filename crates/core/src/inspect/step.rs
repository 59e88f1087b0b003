//! One step of a model that keeps all its values.

use std::collections::{HashMap, HashSet};

use super::axes::{self, Letters, Names};
use crate::trace::{Phase, Record};
use crate::{Error, Grads, ParamId, Params, Tape, Tensor, Var};

/// The trace of a step, and all its values and gradients. Dropout is off.
#[derive(Debug)]
pub struct Step {
    /// The tape, with its trace.
    pub tape: Tape<f32>,
    /// The model's parameters.
    pub params: Params<f32>,
    /// The letters of the model's dimensions.
    pub letters: Letters,
    /// The loss, if the step has one.
    pub loss: Option<f64>,
    /// The gradients of the parameters, if the step ran backward.
    pub grads: Option<Grads<f32>>,
    names: HashMap<Var, Names>,
    layers: Vec<Layer>,
}

/// The extent of a layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The number of the layer.
    pub number: usize,
    /// The label of the last value before the layer; `None` if the layer starts the step.
    pub after: Option<String>,
    /// The label of the layer's last value; `None` if the layer ends the step.
    pub last: Option<String>,
}

impl Step {
    /// Records a step of a model with these parameters. If `forward` returns a loss, also runs the backward
    /// pass.
    ///
    /// # Errors
    /// Those of `forward`.
    pub fn record(
        params: &Params<f32>,
        backward: bool,
        letters: Letters,
        layers: Vec<Layer>,
        forward: impl FnOnce(&mut Tape<f32>) -> Result<Option<Var>, Error>,
    ) -> Result<Self, Error> {
        let mut tape = Tape::new();
        tape.set_gradients(backward);
        tape.set_keep_values(true);
        tape.trace.switch(true);
        let loss = forward(&mut tape)?;
        let grads = match loss {
            None => None,
            Some(loss) => {
                let mut grads = Grads::new();
                tape.backward(loss, &mut grads)?;
                Some(grads)
            }
        };
        let params = params.clone();
        let names = axes::of_values(&letters, &tape, &params);
        let loss = loss.map(|loss| f64::from(tape.read_loss(loss)));
        Ok(Self { tape, params, letters, loss, grads, names, layers })
    }

    /// The value with this label.
    pub fn labelled(&self, label: &str) -> Option<Var> {
        self.tape.trace.labelled(label)
    }

    /// The value with this label, or the parameter with this name.
    pub fn named(&self, name: &str) -> Option<Var> {
        self.labelled(name).or_else(|| {
            self.used_parameters().find(|(id, _)| self.params.get(*id).name == name).map(|(_, var)| var)
        })
    }

    /// The output of the op with this number, counted from 1; of a backward op, its gradient belongs to it.
    pub fn output_of(&self, op: usize) -> Option<Var> {
        let mut ops = self.tape.trace.records().iter().filter(|record| record.is_work());
        ops.nth(op.checked_sub(1)?)?.to
    }

    /// The names of all values and parameters.
    pub fn value_names(&self) -> impl Iterator<Item = &str> {
        let labels = self.tape.trace.labels().iter().map(|(_, name)| &name[..]);
        labels.chain(self.used_parameters().map(|(id, _)| &self.params.get(id).name[..]))
    }

    /// The parameters that the step used, and their values on the tape.
    fn used_parameters(&self) -> impl Iterator<Item = (ParamId, Var)> {
        let used = self.tape.trace.records().iter().flat_map(|record| &record.from);
        used.filter_map(|&var| Some((self.tape.param_at(var)?, var)))
    }

    /// The name of a value: its last label, or the name of the parameter.
    pub fn label(&self, var: Var) -> Option<&str> {
        match self.tape.param_at(var) {
            Some(id) => Some(&self.params.get(id).name),
            None => self.tape.trace.labels().iter().rev().find(|(v, _)| *v == var).map(|(_, name)| &name[..]),
        }
    }

    /// The names of a value's axes.
    pub fn axes(&self, var: Var) -> Names {
        let sizes = || self.tape.value(var).shape().iter().map(usize::to_string).collect();
        self.names.get(&var).cloned().unwrap_or_else(sizes)
    }

    /// The gradient of a value or of a parameter, if the step ran backward.
    pub fn gradient(&self, var: Var) -> Option<&Tensor<f32>> {
        match self.tape.param_at(var) {
            Some(id) => self.grads.as_ref()?.get(id),
            None => self.tape.grad(var),
        }
    }

    /// The parameters among the inputs of an op.
    pub fn parameters(&self, record: &Record) -> Vec<ParamId> {
        record.from.iter().filter_map(|&var| self.tape.param_at(var)).collect()
    }

    /// The numbers of the first and the last layer.
    pub fn layer_numbers(&self) -> (usize, usize) {
        let number = |layer: Option<&Layer>| layer.map_or(0, |layer| layer.number);
        (number(self.layers.first()), number(self.layers.last()))
    }

    /// The ops with their numbers, of one layer or of the whole step.
    pub fn records(&self, layer: Option<usize>) -> Vec<(usize, &Record)> {
        let outputs = layer
            .and_then(|number| self.layers.iter().find(|l| l.number == number))
            .map(|l| self.outputs_of(l));
        let wanted = |record: &Record| match (&outputs, record.to) {
            (Some(outputs), Some(to)) => outputs.contains(&to),
            (outputs, _) => outputs.is_none(),
        };
        // The records of layers only group ops and produce no values.
        let ops = self.tape.trace.records().iter().filter(|record| record.is_work());
        let all = ops.enumerate().map(|(i, record)| (i + 1, record));
        all.filter(|(_, record)| wanted(record)).collect()
    }

    /// The number of the layer that each value belongs to; values between layers are missing.
    pub fn layer_numbers_of_values(&self) -> HashMap<Var, usize> {
        let each = self.layers.iter().map(|layer| (layer.number, self.outputs_of(layer)));
        each.flat_map(|(number, outputs)| outputs.into_iter().map(move |var| (var, number))).collect()
    }

    /// The outputs of the ops of a layer.
    fn outputs_of(&self, layer: &Layer) -> HashSet<Var> {
        let all: Vec<Var> = self
            .tape
            .trace
            .records()
            .iter()
            .filter(|r| r.phase != Phase::Backward)
            .filter_map(|r| r.to)
            .collect();
        let position = |label: &Option<String>| {
            let var = self.labelled(label.as_ref()?)?;
            all.iter().position(|v| *v == var)
        };
        let start = position(&layer.after).map_or(0, |i| i + 1);
        let end = position(&layer.last).map_or(all.len(), |i| i + 1);
        all.get(start..end).unwrap_or_default().iter().copied().collect()
    }
}
