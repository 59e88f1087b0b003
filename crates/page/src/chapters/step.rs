//! One training step of a digit network, opened: `update_mini_batch` and `backprop`, line by line, with the
//! matrices that each line computes.

use m2g_core::inspect::{Inspection, Prediction};
use m2g_core::optim::{Optimizer, Sgd};
use m2g_core::settings::Settings as _;
use m2g_core::settings::words::in_words;
use m2g_core::train::Model as _;
use m2g_digits::{Config, Cost, MiniBatches, Network};
use m2g_gpt::data::OWN_FILES;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::models::Model;
use crate::server::reply::{Answer, Reply};
use crate::server::request::Request;
use crate::state::{Opened, State};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    model: String,
    step: Option<u64>,
}

/// What changes a step of a training, besides the gradient and the learning rate.
const MORE: [&str; 8] =
    ["optimizer", "momentum", "l2", "weight_decay", "grad_clip", "dropout", "schedule", "shards"];

/// The files of both functions.
const NETWORK: &str = "crates/digits/src/network.rs";
const BACKPROP: &str = "crates/digits/src/backprop.rs";

/// Takes one step on its mini-batch, and keeps it. The model itself does not change.
pub fn open(state: &State, request: &Request) -> Answer {
    let wanted: Wanted = request.json()?;
    let (network, description, step) = match wanted.model.as_str() {
        "training" => state.training.network()?,
        name => {
            let model = state.models.open(name)?;
            let (network, description) = model.digits()?;
            (network.clone(), description.clone(), 0)
        }
    };
    let step = wanted.step.unwrap_or(step);
    let config = &description.config;
    let transposed = (!description.data.is_empty()).then_some(description.transposed);
    let data = state.training.images.load(config, transposed)?;
    let batches = MiniBatches::new(&data.train, config.batch_size, description.classes, config.seed)?;
    let mut batches = batches.distorted(config.distort)?;
    let batch = batches.get(step).clone();
    let labels = batch.y.data().chunks(description.classes);
    let labels: Vec<Option<usize>> = labels.map(|row| row.iter().position(|&y| y == 1.0)).collect();
    let taken = network.inspect_batch(&batch)?;
    let mut updated = network.params().clone();
    if let Some(grads) = &taken.grads {
        Sgd::new().update(&mut updated, grads, 1.0, config.learning_rate);
    }
    let last = network.layers().count();
    let hidden = match taken.named(&format!("layer{last}.z")) {
        Some(z) => Some((format!("layer{last}.a"), network.last_activations(taken.tape.value(z))?)),
        None => None,
    };
    let mut answer = json!({
        "step": step, "batch": batch.x.shape()[0], "labels": labels, "loss": taken.loss,
        "learning_rate": config.learning_rate, "lines": lines(&network, batch.x.shape()[0]),
        "more": more(config),
        "functions": [function("update_mini_batch", NETWORK), function("backprop", BACKPROP)],
    });
    let prediction = None::<Prediction>;
    let inspection = Inspection { step: taken, texts: Vec::new(), attention: None, prediction };
    let model = Arc::new(Model::Digits(network, description));
    let id = state.keep(Opened { inspection, model, changed: None, updated: Some(updated), hidden });
    answer["id"] = json!(id);
    Ok(Reply::Json(answer))
}

/// The settings that make a run's own step differ from plain gradient descent, which is what the page shows:
/// its optimiser, its weight decay, and so on.
fn more(config: &Config) -> Vec<String> {
    let plain = Config::default();
    let changed = |name: &&str| {
        let write = Config::setting(name)?.stored.write;
        let value = write(config).ok().filter(|value| Some(value) != write(&plain).ok().as_ref())?;
        Some(format!("{name} = {}", in_words(&value)))
    };
    MORE.iter().filter_map(changed).collect()
}

/// A function with its source.
fn function(name: &str, file: &str) -> Value {
    let text = source(file);
    let is_start = |line: &&str| line.trim_start().starts_with(&format!("pub fn {name}"));
    let start = text.iter().position(is_start).unwrap_or(0);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let first = text.get(start).map_or(0, |line| indent(line));
    let end = text[start..].iter().position(|line| line.trim() == "}" && indent(line) == first);
    let end = end.map_or(text.len(), |end| start + end + 1);
    json!({"name": name, "file": file, "line": start + 1, "text": &text[start..end]})
}

fn source(file: &str) -> Vec<&'static str> {
    OWN_FILES.get(file).map(|text| text.lines().collect()).unwrap_or_default()
}

/// The number of the line of a file that begins like this, counted from 1.
fn line_of(file: &str, start: &str) -> Option<usize> {
    source(file).iter().position(|line| line.trim_start().starts_with(start)).map(|i| i + 1)
}

/// The lines in the order in which they run, each with the value that it computes.
fn lines(network: &Network<f32>, b: usize) -> Vec<Value> {
    let sizes: Vec<(usize, usize)> = network.layers().map(|(w, _)| (w.shape()[0], w.shape()[1])).collect();
    let mut all = Vec::new();
    let mut add = |start: &str, equation: &str, layer: usize, name: &str, value: String, how: How| {
        let (n, k) = sizes[layer - 1];
        let (shape, axes) = match name {
            "nabla_w" | "w" => (vec![n, k], vec!["N", "K"]),
            "nabla_b" | "b" => (vec![n], vec!["N"]),
            "x" => (vec![b, k], vec!["B", "K"]),
            _ => (vec![b, n], vec!["B", "N"]),
        };
        let (function, file) = match how {
            How::Updated => ("update_mini_batch", NETWORK),
            _ => ("backprop", BACKPROP),
        };
        all.push(json!({
            "function": function, "file": file, "line": line_of(file, start), "equation": equation, "layer": layer,
            "name": name, "value": value, "gradient": how == How::Gradient, "update": how == How::Updated,
            "shape": shape, "axes": axes,
        }));
    };
    let last = sizes.len();
    add("let mut activations", "a^0 = x", 1, "x", "x".into(), How::Value);
    for l in 1..=last {
        add("let z = activations[l]", "z = a w^T + b", l, "z", format!("layer{l}.z"), How::Value);
        add("activations.push(", "a = s(z)", l, "a", format!("layer{l}.a"), How::Value);
    }
    // With the other two costs, s'(z) cancels.
    let bp1 = match network.architecture().cost {
        Cost::Quadratic => "BP1: delta^L = dC/da * s'(z^L) / B",
        _ => "BP1: delta^L = (a^L - y) / B",
    };
    add("let mut delta", bp1, last, "delta", format!("layer{last}.z"), How::Gradient);
    for l in (1..=last).rev() {
        let (b, w) = (format!("layer{l}.bias"), format!("layer{l}.weight"));
        add("nabla_b[l] = ", "BP3: dC/db = sum_b delta", l, "nabla_b", b, How::Gradient);
        add("general_mat_mul(", "BP4: dC/dw = delta^T a", l, "nabla_w", w, How::Gradient);
        if l > 1 {
            let bp2 = "BP2: delta^l = delta^(l+1) w * s'(z^l)";
            add("delta = delta.dot(", bp2, l - 1, "delta", format!("layer{}.z", l - 1), How::Gradient);
        }
    }
    for l in 1..=last {
        let step = "Stepper::default().step(";
        add(step, "w = w - eta * dC/dw", l, "w", format!("layer{l}.weight"), How::Updated);
        add(step, "b = b - eta * dC/db", l, "b", format!("layer{l}.bias"), How::Updated);
    }
    all
}

/// Which of the values under a name a line computes.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Value,
    Gradient,
    Updated,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_step_of_more_than_gradient_descent_is_said_to_be_one() {
        assert!(more(&Config::default()).is_empty());
        let config = Config {
            optimizer: m2g_digits::config::OptimizerKind::AdamW,
            weight_decay: 0.1,
            schedule: m2g_core::optim::Schedule::Cosine { warmup: 0.02, floor: 0.5 },
            ..Config::default()
        };
        let schedule = "schedule = cosine (floor 0.5, warmup 0.02)";
        assert_eq!(more(&config), ["optimizer = adamw", "weight_decay = 0.1", schedule]);
    }

    #[test]
    fn every_line_is_found_in_the_source() {
        let network = Network::new(&[784, 30, 10]).unwrap();
        let lines = lines(&network, 10);
        assert_eq!(lines.len(), 1 + 4 + 1 + 5 + 4);
        for line in &lines {
            let file = line["file"].as_str().unwrap();
            assert!(line["line"].as_u64().is_some_and(|n| n > 10), "{line}");
            let name = if file == BACKPROP { "backprop" } else { "update_mini_batch" };
            let function = function(name, file);
            let first = function["line"].as_u64().unwrap();
            let count = function["text"].as_array().unwrap().len() as u64;
            assert!((first..first + count).contains(&line["line"].as_u64().unwrap()), "{line}");
        }
    }
}
