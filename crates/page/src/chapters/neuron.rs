//! One neuron, ten neurons, a layer: its output, its cost, its gradient, and steps down the gradient.

use m2g_core::ndarray::Dimension;
use m2g_core::optim::{Optimizer, Sgd};
use m2g_core::trace::Record;
use m2g_core::{Error, Grads, ParamId, Params, Tape, Tensor, Var};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::reply::{Answer, Refusal, Reply};
use crate::server::request::Request;
use crate::state::State;

/// The most examples, inputs and neurons.
const MOST: usize = 64;
/// The most steps, and the most places of a sweep.
const MOST_STEPS: usize = 2000;
const MOST_PLACES: usize = 1001;

/// A layer of N neurons with K inputs, and B examples.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    /// `(B, K)`.
    x: Vec<Vec<f64>>,
    /// `(N, K)`.
    w: Vec<Vec<f64>>,
    /// `(N)`.
    b: Vec<f64>,
    /// The desired outputs, `(B, N)`.
    y: Option<Vec<Vec<f64>>>,
    #[serde(default)]
    activation: Activation,
    #[serde(default)]
    cost: Cost,
    #[serde(default)]
    lr: f64,
    #[serde(default)]
    steps: usize,
    sweep: Option<Sweep>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Activation {
    #[default]
    Sigmoid,
    Tanh,
    Relu,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Cost {
    #[default]
    Quadratic,
    CrossEntropy,
}

/// One weight or bias that takes several values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {
    of: String,
    #[serde(default)]
    row: usize,
    #[serde(default)]
    column: usize,
    from: f64,
    to: f64,
    n: usize,
}

/// The values of one pass.
struct Pass {
    z: Tensor<f64>,
    a: Tensor<f64>,
    cost: Option<f64>,
    dz: Option<Tensor<f64>>,
    grads: Grads<f64>,
    records: Vec<Record>,
}

/// A layer on the core's tape.
struct Ready {
    x: Tensor<f64>,
    y: Option<Tensor<f64>>,
    activation: Activation,
    cost: Cost,
    params: Params<f64>,
    w: ParamId,
    b: ParamId,
}

/// Answers with outputs, cost and gradients before the steps, and with the path of the steps.
pub fn answer(_: &State, request: &Request) -> Answer {
    let layer: Layer = request.json()?;
    let mut ready = Ready::new(&layer)?;
    let first = ready.run(true)?;
    let sweep = layer.sweep.as_ref().map(|sweep| ready.sweep(sweep)).transpose()?;
    let mut path = Vec::new();
    if layer.steps > 0 && ready.y.is_none() {
        return Err(Refusal::bad("a step needs the desired outputs: give y"));
    }
    for _ in 0..layer.steps.min(MOST_STEPS) {
        let Pass { grads, .. } = ready.run(true)?;
        Sgd::new().update(&mut ready.params, &grads, 1.0, layer.lr);
        let cost = ready.run(false)?.cost;
        path.push(json!({
            "w": rows(&ready.params.get(ready.w).value), "b": ready.params.get(ready.b).value.data(), "cost": cost,
        }));
    }
    Ok(Reply::Json(json!({
        "z": rows(&first.z), "a": rows(&first.a), "cost": first.cost, "dz": first.dz.as_ref().map(rows),
        "dw": first.grads.get(ready.w).map(rows), "db": first.grads.get(ready.b).map(|b| b.data()),
        "path": path, "sweep": sweep, "ops": ops(&first.records),
    })))
}

impl Ready {
    fn new(layer: &Layer) -> Result<Self, Refusal> {
        let (x, w) = (matrix("x", &layer.x)?, matrix("w", &layer.w)?);
        let y = layer.y.as_ref().map(|y| matrix("y", y)).transpose()?;
        let ([b, k], [n, inputs]) = (shape(&x), shape(&w));
        if inputs != k || layer.b.len() != n || y.as_ref().is_some_and(|y| shape(y) != [b, n]) {
            return Err(Refusal::bad(
                "the shapes do not fit: x is (B, K), w is (N, K), b is (N), y is (B, N)",
            ));
        }
        if layer.cost == Cost::CrossEntropy && layer.activation != Activation::Sigmoid {
            return Err(Refusal::bad("the cross-entropy cost belongs to the sigmoid"));
        }
        if !layer.b.iter().chain([&layer.lr]).all(|x| x.is_finite()) {
            return Err(Refusal::bad("every number must be finite"));
        }
        let mut params = Params::new();
        let w = params.add("w", w)?;
        let b = params.add("b", Tensor::from_vec(&[n], layer.b.clone())?)?;
        Ok(Self { x, y, activation: layer.activation, cost: layer.cost, params, w, b })
    }

    /// Forward and, with `backward` and desired outputs, backward.
    fn run(&self, backward: bool) -> Result<Pass, Error> {
        let mut tape = Tape::new();
        tape.set_keep_values(true);
        tape.trace.switch(true);
        let x = tape.input(self.x.clone());
        let (w, b) = (tape.param(&self.params, self.w), tape.param(&self.params, self.b));
        let z = tape.linear(x, w, Some(b))?; // (B, K) (N, K) -> (B, N)
        let a = match self.activation {
            Activation::Sigmoid => tape.sigmoid(z)?,
            Activation::Tanh => tape.tanh(z)?,
            Activation::Relu => tape.relu(z)?,
        };
        let mut grads = Grads::new();
        let mut cost: Option<Var> = None;
        if let Some(y) = &self.y {
            let y = tape.input(y.clone());
            cost = Some(match self.cost {
                Cost::Quadratic => tape.quadratic_cost(a, y)?,
                Cost::CrossEntropy => tape.sigmoid_cross_entropy(z, y)?,
            });
        }
        if let Some(cost) = cost.filter(|_| backward) {
            tape.backward(cost, &mut grads)?;
        }
        Ok(Pass {
            z: tape.value(z).clone(),
            a: tape.value(a).clone(),
            cost: cost.map(|cost| tape.value(cost).data()[0]),
            dz: tape.grad(z).cloned(),
            grads,
            records: tape.trace.take(),
        })
    }

    /// The cost and an output where one parameter takes evenly spaced values.
    fn sweep(&self, sweep: &Sweep) -> Result<Value, Refusal> {
        let columns = shape(&self.params.get(self.w).value)[1];
        let (id, at) = match sweep.of.as_str() {
            "w" if sweep.column < columns => (self.w, sweep.row * columns + sweep.column),
            "b" => (self.b, sweep.row),
            _ => return Err(Refusal::bad("a sweep is of w, with row and column, or of b, with row")),
        };
        let fits = sweep.row < self.params.get(self.b).value.len();
        let finite = sweep.from.is_finite() && sweep.to.is_finite();
        if !fits || !finite || !(2..=MOST_PLACES).contains(&sweep.n) {
            return Err(Refusal::bad(
                "a sweep needs a row of the layer, finite ends, and from 2 to 1001 places",
            ));
        }
        let mut moved = Self {
            x: self.x.clone(),
            y: self.y.clone(),
            params: self.params.clone(),
            activation: self.activation,
            cost: self.cost,
            w: self.w,
            b: self.b,
        };
        let (mut places, mut costs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..sweep.n {
            let value = sweep.from + (sweep.to - sweep.from) * i as f64 / (sweep.n - 1) as f64;
            moved.params.get_mut(id).value.data_mut()[at] = value;
            let pass = moved.run(false)?;
            places.push(value);
            costs.push(pass.cost);
            outputs.push(pass.a.data()[sweep.row]);
        }
        Ok(json!({"at": places, "cost": costs, "a": outputs}))
    }
}

fn matrix(name: &str, rows: &[Vec<f64>]) -> Result<Tensor<f64>, Refusal> {
    let columns = rows.first().map_or(0, Vec::len);
    let sizes = [rows.len(), columns];
    if !sizes.iter().all(|size| (1..=MOST).contains(size)) || rows.iter().any(|row| row.len() != columns) {
        return Err(Refusal::bad(format!(
            "{name} must be a matrix of 1 to {MOST} rows of 1 to {MOST} numbers"
        )));
    }
    if !rows.iter().flatten().all(|x| x.is_finite()) {
        return Err(Refusal::bad("every number must be finite"));
    }
    Ok(Tensor::from_vec(&sizes, rows.concat())?)
}

fn shape(matrix: &Tensor<f64>) -> [usize; 2] {
    [matrix.shape()[0], matrix.shape()[1]]
}

/// The rows of a matrix.
fn rows(matrix: &Tensor<f64>) -> Vec<&[f64]> {
    matrix.data().chunks(shape(matrix)[1].max(1)).collect()
}

/// The ops with their equations and shapes; a backward op has the shapes of its forward op.
fn ops(records: &[Record]) -> Vec<Value> {
    let ops = records.iter().filter(|record| record.is_work());
    let op = |record: &Record| {
        json!({
            "op": record.name, "phase": m2g_core::inspect::direction(record), "equation": record.equations(),
            "function": record.function, "caller": record.caller.to_string(),
            "inputs": record.inputs.iter().map(|s| s.slice()).collect::<Vec<_>>(), "output": record.output.slice(),
        })
    };
    ops.map(op).collect()
}
