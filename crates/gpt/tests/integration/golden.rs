//! Parity with PyTorch: `tests/gpt2-tiny` holds a small GPT-2 of Hugging Face with random weights,
//! and PyTorch's results for it in f64: logits, loss, the gradient of every tensor, ten steps of
//! AdamW, and greedy generation.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use m2g_core::optim::AdamW;
use m2g_core::train::{Model, Stepper};
use m2g_core::{Float, Grads, Number, Tape, Tensor, Tokens};
use m2g_gpt::gpt2::import;
use m2g_gpt::token_rows::TokenRows;
use m2g_gpt::{Gpt, TokenBatch};
use serde_json::Value;

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gpt2-tiny");
/// Layers run op by op, and fused.
const FUSED: [bool; 2] = [false, true];

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(format!("{TINY}/golden.json")).unwrap()).unwrap()
}

/// The model with the weights of the folder.
fn model<T: Float>(fused: bool) -> Gpt<T> {
    let mut imported = import(Path::new(TINY)).unwrap();
    imported.config.fused = fused;
    let mut gpt = Gpt::new(imported.config, 1).unwrap();
    assert_eq!(gpt.params().len(), imported.params.len());
    for param in gpt.params_mut().iter_mut() {
        let theirs = imported.params.iter().find(|p| p.name == param.name).unwrap();
        let mut values = theirs.value.data().iter().map(|x| T::of(f64::from(*x)));
        param.value = Tensor::from_fn(theirs.value.shape(), || values.next().unwrap());
    }
    gpt
}

/// Inputs are all tokens of a row but the last, targets all but the first.
fn batch(golden: &Value) -> TokenBatch {
    let rows: Vec<Vec<u32>> = serde_json::from_value(golden["tokens"].clone()).unwrap();
    let tokens = |from: usize| {
        let ids: Vec<u32> = rows.iter().flat_map(|row| row[from..from + row.len() - 1].to_vec()).collect();
        Tokens::new([rows.len(), rows[0].len() - 1], ids).unwrap()
    };
    TokenBatch { x: tokens(0), y: tokens(1) }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn logits_written_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logits.safetensors");
    let gpt = model::<f32>(true);
    let rows = TokenRows::read(Path::new(&format!("{TINY}/golden.json")), gpt.config()).unwrap();
    let mut file = std::fs::File::create(&path).unwrap();
    let loss = rows.loss_and_logits(&gpt, &mut file, &path).unwrap();
    assert!((loss - golden()["loss"].as_f64().unwrap()).abs() <= 1e-4, "{loss}");
    let [ours, theirs] =
        [path, format!("{TINY}/logits.safetensors").into()].map(|path: std::path::PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(file.names(), ["logits"]);
            let tensor = file.tensor("logits").unwrap();
            assert_eq!(tensor.shape(), [2, 32, 101]);
            let mut values = vec![0.0_f32; 2 * 32 * 101];
            Number::from_le_bytes(tensor.data(), &mut values);
            values
        });
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() <= 1e-4));
}

#[test]
fn logits() {
    let bytes = std::fs::read(format!("{TINY}/logits.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let theirs = file.tensor("logits").unwrap();
    let mut want = Tensor::<f32>::zeros(theirs.shape());
    Number::from_le_bytes(theirs.data(), want.data_mut());
    for fused in FUSED {
        let gpt = model::<f32>(fused);
        let mut tape = Tape::new();
        let logits = gpt.forward(&mut tape, &batch(&golden()).x).unwrap();
        let found = tape.value(logits);
        assert_eq!(found.shape(), want.shape());
        let far = |i: &usize| (found.data()[*i] - want.data()[*i]).abs();
        let worst = (0..want.len()).max_by(|i, j| far(i).total_cmp(&far(j))).unwrap();
        let (f, w) = (found.data()[worst], want.data()[worst]);
        assert!(far(&worst) <= 1e-4, "fused {fused}: logit {worst} is {f}, not {w}");
    }
}

/// Compares our gradient of a tensor with the golden one by its norm, its sum and its first elements:
/// the largest relative deviation, and where it is.
fn largest_deviation<T: Float>(ours: &Tensor<T>, golden: &Value) -> (f64, String) {
    let shape: Vec<usize> = serde_json::from_value(golden["shape"].clone()).unwrap();
    let values: Vec<f64> = ours.data().iter().map(|x| x.as_f64()).collect();
    // Hugging Face stores the weights of linear layers as (inputs, outputs).
    let conv1d = shape != ours.shape() || (shape.len() == 2 && shape[0] == shape[1]);
    let at = |i: usize| match shape[..] {
        [rows, cols] if conv1d => values[(i % cols) * rows + i / cols],
        _ => values[i],
    };
    let norm = golden["norm"].as_f64().unwrap();
    let typical = norm / (values.len() as f64).sqrt();
    let sum = golden["sum"].as_f64().unwrap();
    let found_norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut deviations = vec![
        ((found_norm - norm).abs() / norm, format!("norm {found_norm}, not {norm}")),
        ((values.iter().sum::<f64>() - sum).abs() / sum.abs().max(norm), format!("a sum other than {sum}")),
    ];
    for (i, want) in floats(&golden["first"]).into_iter().enumerate() {
        let off = (at(i) - want).abs() / want.abs().max(typical);
        deviations.push((off, format!("element {i} is {}, not {want}", at(i))));
    }
    deviations.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

/// Checks the loss and all gradients in this element type to a tolerance.
fn check_gradients<T: Float>(fused: bool, tolerance: f64) {
    let golden = golden();
    let gpt = model::<T>(fused);
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let loss = gpt.gradients(&mut tape, &batch(&golden), &mut grads).unwrap().as_f64();
    let want = golden["loss"].as_f64().unwrap();
    assert!((loss - want).abs() <= tolerance, "fused {fused}: loss {loss}, not {want}");
    assert_eq!(golden["grads"].as_object().unwrap().len(), gpt.params().len());
    let mut worst = (0.0, String::new());
    for (param, grad) in gpt.params().iter().zip(grads.iter()) {
        let theirs = &golden["grads"][format!("transformer.{}", param.name)];
        let grad = grad.unwrap_or_else(|| panic!("{} has no gradient", param.name));
        let (off, what) = largest_deviation(grad, theirs);
        assert!(off.is_finite(), "{}: {what}", param.name);
        if off > worst.0 {
            worst = (off, format!("{}: {what}", param.name));
        }
    }
    assert!(worst.0 <= tolerance, "fused {fused}, off by {:.1e}: {}", worst.0, worst.1);
}

#[test]
fn loss_and_the_gradient_of_every_tensor() {
    for fused in FUSED {
        check_gradients::<f32>(fused, 1e-4);
        // PyTorch computed in f64: the equations agree exactly, not only approximately.
        check_gradients::<f64>(fused, 1e-9);
    }
}

#[test]
fn ten_steps_of_adamw() {
    let golden = golden();
    let setting = |name: &str| golden["adamw"][name].as_f64().unwrap();
    let want = floats(&golden["adamw_losses"]);
    for fused in FUSED {
        let mut gpt = model::<f32>(fused);
        // As in nanoGPT, matrices decay, norms and biases do not.
        let mut adamw = AdamW::new(setting("weight_decay"));
        let betas = floats(&golden["adamw"]["betas"]);
        (adamw.betas, adamw.eps) = ((betas[0], betas[1]), setting("eps"));
        let mut stepper = Stepper::default();
        let batch = [batch(&golden)];
        for (step, want) in (0..).zip(&want) {
            let (lr, clip) = (setting("lr"), Some(setting("clip")));
            let loss = stepper.step(&mut gpt, &batch, &mut adamw, lr, clip, step).unwrap().loss;
            assert!((loss - want).abs() <= 1e-4, "fused {fused}: loss {loss} at step {step}, not {want}");
        }
    }
}

#[test]
fn greedy_generation() {
    let golden = golden();
    let tokens = |name: &str| -> Vec<u32> { serde_json::from_value(golden["greedy"][name].clone()).unwrap() };
    let want = tokens("tokens");
    for fused in FUSED {
        let gpt = model::<f32>(fused);
        let mut found = tokens("prompt");
        while found.len() < want.len() {
            let mut tape = Tape::without_gradients();
            let logits =
                gpt.forward(&mut tape, &Tokens::new([1, found.len()], found.clone()).unwrap()).unwrap();
            let logits = tape.value(logits).matrix();
            let last = logits.row(found.len() - 1);
            let likeliest = (0..last.len()).max_by(|i, j| last[*i].total_cmp(&last[*j])).unwrap();
            found.push(likeliest as u32);
        }
        assert_eq!(found, want, "fused {fused}");
    }
}
