//! Parity with PyTorch: `tests/torch` holds an `nn.Transformer` with random weights, post-norm and
//! pre-norm, and PyTorch's results for three pairs of different lengths: the logits, the loss with and
//! without label smoothing, and the gradient of every weight. `make_golden.py` wrote them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use m2g_core::nn::NormPlace;
use m2g_core::train::Model;
use m2g_core::{Float, Grads, Number, Tape, Tokens};
use m2g_translate::{Config, PairBatch, Transformer};

const BEGINNING: u32 = 10;
const END: u32 = 11;
const PADDING: u32 = 12;
const V: usize = 13;
const C: usize = 8;

type Tensors = BTreeMap<String, Vec<f32>>;

fn golden(norm: &str) -> Tensors {
    let path = format!("{}/tests/torch/golden-{norm}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str| {
        let bytes = file.tensor(name).unwrap().data().to_vec();
        let mut values = vec![0.0_f32; bytes.len() / 4];
        Number::from_le_bytes(&bytes, &mut values);
        values
    };
    file.names().into_iter().map(|name| (name.to_string(), values(name))).collect()
}

/// PyTorch's name of one of our parameters, and whether it is the first C rows of theirs or the others.
fn theirs(name: &str) -> (String, Option<bool>) {
    let part = match name {
        _ if name.contains("cross_attn.c_q") => Some(true),
        _ if name.contains("cross_attn.c_kv") => Some(false),
        _ => None,
    };
    let mut name = name
        .replace("cross_attn.c_q.", "multihead_attn.in_proj_")
        .replace("cross_attn.c_kv.", "multihead_attn.in_proj_")
        .replace("cross_attn.c_proj", "multihead_attn.out_proj")
        .replace("attn.c_attn.", "self_attn.in_proj_")
        .replace("attn.c_proj", "self_attn.out_proj")
        .replace("mlp.c_fc", "linear1")
        .replace("mlp.c_proj", "linear2")
        .replace("ln_1", "norm1")
        .replace("ln_cross", "norm2")
        .replace("ln_2", if name.starts_with("decoder") { "norm3" } else { "norm2" });
    for stack in ["encoder", "decoder"] {
        for i in 0..2 {
            name = name.replace(&format!("{stack}.{i}."), &format!("{stack}.layers.{i}."));
        }
    }
    (name, part)
}

/// The values of a parameter, or of its gradient.
fn values<'a>(tensors: &'a Tensors, name: &str, prefix: &str) -> &'a [f32] {
    let (theirs, part) = theirs(name);
    let all = &tensors[&format!("{prefix}{theirs}")][..];
    let (first, others) = all.split_at(all.len() / 3);
    part.map_or(all, |is_first| if is_first { first } else { others })
}

fn model<T: Float>(tensors: &Tensors, norm: NormPlace, fused: bool) -> Transformer<T> {
    let config = Config {
        encoder_layers: 2,
        decoder_layers: 2,
        d_model: C,
        d_ff: 12,
        n_head: 2,
        max_length: 7,
        dropout: 0.0,
        label_smoothing: 0.1,
        norm,
        fused,
        ..Config::default()
    };
    let mut model = Transformer::new(config.model(V), 1).unwrap();
    for param in model.params_mut().iter_mut() {
        let values = values(tensors, &param.name, "");
        assert_eq!(values.len(), param.value.len(), "{}", param.name);
        for (ours, theirs) in param.value.data_mut().iter_mut().zip(values) {
            *ours = T::of(f64::from(*theirs));
        }
    }
    model
}

/// Rows of tokens, filled up with padding, and their lengths.
fn rows(sequences: &[Vec<u32>]) -> (Tokens, Vec<usize>) {
    let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
    let longest = *lengths.iter().max().unwrap();
    let fill = |s: &Vec<u32>| [&s[..], &vec![PADDING; longest - s.len()]].concat();
    let ids = sequences.iter().flat_map(fill).collect::<Vec<_>>();
    (Tokens::new([sequences.len(), longest], ids).unwrap(), lengths)
}

fn batch() -> PairBatch {
    let (source, source_lengths) = rows(&[vec![1, 2, 3, 4, 5, END], vec![6, 7, END], vec![9, 8, 7, 0, END]]);
    let targets = [vec![3, 2, END], vec![4, 5, 6, 7, 8, 9, END], vec![0, 1, END]];
    let inputs = targets.clone().map(|t| [&[BEGINNING], &t[..t.len() - 1]].concat());
    let (target, target_lengths) = rows(&targets);
    PairBatch {
        source,
        source_lengths: source_lengths.into(),
        input: rows(&inputs).0,
        target,
        target_lengths: target_lengths.into(),
        padding: PADDING,
        rows: None,
    }
}

fn check<T: Float>(norm: (&str, NormPlace), fused: bool, tolerance: f64) {
    let tensors = golden(norm.0);
    let what = format!("norm {}, fused {fused}", norm.0);
    let close = |name: &str, ours: &mut dyn Iterator<Item = f64>, theirs: &[f32]| {
        for (i, (ours, theirs)) in ours.zip(theirs).enumerate() {
            let error = (ours - f64::from(*theirs)).abs();
            assert!(error <= tolerance, "{what}: {name}[{i}] is {ours}, but PyTorch says {theirs}");
        }
    };
    let (model, batch) = (model::<T>(&tensors, norm.1, fused), batch());
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    let logits = model.forward(&mut tape, &batch).unwrap();
    let rows = tape.value(logits).data().chunks(V).zip(&batch.target.ids[..]);
    let mut unpadded =
        rows.flat_map(|(row, id)| row.iter().map(move |x| if *id == PADDING { 0.0 } else { x.as_f64() }));
    close("logits", &mut unpadded, &tensors["logits"]);
    let plain = tape.smoothed_cross_entropy(logits, batch.targets(0.0)).unwrap();
    close("unsmoothed", &mut [tape.read_loss(plain).as_f64()].into_iter(), &tensors["unsmoothed_loss"]);
    tape.reset();
    let loss = model.gradients(&mut tape, &batch, &mut grads).unwrap();
    close("loss", &mut [loss.as_f64()].into_iter(), &tensors["loss"]);
    let mut compared = 0;
    for (param, gradient) in model.params().iter().zip(grads.iter()) {
        let theirs = values(&tensors, &param.name, "gradient.");
        close(&param.name, &mut gradient.unwrap().data().iter().map(|x| x.as_f64()), theirs);
        compared += 1;
    }
    assert_eq!(compared, model.params().len());
}

#[test]
fn logits_losses_and_every_gradient_are_those_of_pytorch() {
    for norm in [("after", NormPlace::After), ("before", NormPlace::Before)] {
        for fused in [false, true] {
            check::<f64>(norm, fused, 1e-6);
            check::<f32>(norm, fused, 1e-5);
        }
    }
}
