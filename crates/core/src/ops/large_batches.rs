//! Kernels cut large batches into blocks of rows, for several threads. Each row must come out as in a small batch:
//! outputs to the last bit, gradients up to the rounding of the mean that the test takes.

#![allow(clippy::unwrap_used)]
use crate::gradcheck::constant;
use crate::ops::smoothed_cross_entropy::SmoothedTargets;
use crate::tokens::Tokens;
use crate::{Error, Grads, Mask, Params, Tape, Tensor, Var};

/// Sequences, and rows of each: blocks of 16,384 elements end within a sequence.
const B: usize = 3;
const T: usize = 400;

type Record<'a> = dyn Fn(&mut Tape<f32>, Var) -> Result<Var, Error> + 'a;

/// Numbers of `f32` between -1 and 1.
fn numbers(shape: &[usize], seed: f64) -> Tensor<f32> {
    let numbers = constant(shape, seed);
    Tensor::from_vec(shape, numbers.data().iter().map(|&x| x as f32).collect()).unwrap()
}

/// The output of an op, and its gradient of the sum of the products of the outputs and `dy`.
fn forward_and_backward(op: &Record<'_>, x: &[f32], shape: &[usize], dy: &[f32]) -> [Vec<f32>; 2] {
    let mut params = Params::new();
    let id = params.add("x", Tensor::from_vec(shape, x.to_vec()).unwrap()).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    tape.set_keep_values(true);
    let x = tape.param(&params, id);
    let y = op(&mut tape, x).unwrap();
    let out_shape = tape.value(y).shape().to_vec();
    let weights = tape.input(Tensor::from_vec(&out_shape, dy.to_vec()).unwrap());
    let products = tape.mul(y, weights).unwrap();
    // The mean divides by their number and the scale multiplies by it, which rounds each gradient twice.
    let mean = tape.mean(products).unwrap();
    let loss = tape.scale(mean, tape.value(products).data().len() as f64).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    [tape.value(y).data().to_vec(), grads.get(id).unwrap().data().to_vec()]
}

#[test]
fn a_sequence_has_the_same_bits_alone_and_in_a_large_batch() {
    let rows: [(&str, &Record<'_>); 8] = [
        ("swiglu", &|tape, x| tape.swiglu(x)),
        ("qk_norm", &|tape, x| tape.qk_norm(x, 2)),
        ("value_residual", &|tape, x| tape.value_residual(x, x)),
        ("rotary", &|tape, x| tape.rotary(x, 2, 3)),
        ("l2_normalize", &|tape, x| tape.l2_normalize(x)),
        ("reverse_features", &|tape, x| tape.reverse_features(x)),
        ("softmax", &|tape, x| tape.softmax(x)),
        ("gelu", &|tape, x| tape.gelu(x)),
    ];
    for (name, op) in rows {
        compare(name, op, &[T, 48]);
    }
    compare("masked_softmax", &|tape, x| tape.masked_softmax(x, Mask::Causal), &[1, T, T]);
}

/// Compares a batch of B sequences of this shape with each alone.
fn compare(name: &str, op: &Record<'_>, shape: &[usize]) {
    let whole = [&[B], shape].concat();
    let x = numbers(&whole, 1.0);
    let each = x.data().len() / B;
    let out = {
        let mut tape = Tape::new();
        let x = tape.input(x.clone());
        let y = op(&mut tape, x).unwrap();
        tape.value(y).shape().to_vec()
    };
    let dy = numbers(&out, 2.0);
    let (outs, one) = (dy.data().len() / B, [&[1], shape].concat());
    let [y, dx] = forward_and_backward(op, x.data(), &whole, dy.data());
    for b in 0..B {
        let (xs, ys) = (b * each..(b + 1) * each, b * outs..(b + 1) * outs);
        let [y_alone, dx_alone] =
            forward_and_backward(op, &x.data()[xs.clone()], &one, &dy.data()[ys.clone()]);
        assert!(y[ys] == y_alone, "{name}: output of sequence {b}");
        let pairs = dx[xs].iter().zip(&dx_alone);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-6, "{name}: gradient of sequence {b}, off by {worst}");
    }
}

#[test]
fn a_row_has_the_same_smoothed_loss_in_a_large_batch() {
    const V: usize = 100;
    let ids: Vec<u32> = (0..B * T).map(|i| (i * 7 % V) as u32).collect();
    let z = numbers(&[1, B * T, V], 1.0);
    let run = |z: &[f32], ids: &[u32]| {
        let targets = SmoothedTargets {
            tokens: Tokens::new([1, ids.len()], ids).unwrap(),
            padding: Some(7),
            smoothing: 0.1,
            rows: Some(8.0),
        };
        let mut params = Params::new();
        let id = params.add("z", Tensor::from_vec(&[1, ids.len(), V], z.to_vec()).unwrap()).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        let z = tape.param(&params, id);
        let loss = tape.smoothed_cross_entropy(z, targets).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        grads.get(id).unwrap().data().to_vec()
    };
    let whole = run(z.data(), &ids);
    for part in 0..B {
        let rows = part * T..(part + 1) * T;
        let elements = rows.start * V..rows.end * V;
        assert!(whole[elements.clone()] == run(&z.data()[elements], &ids[rows]), "part {part}");
    }
}

#[test]
fn a_row_has_the_same_largest_elements_in_a_large_batch() {
    let x = numbers(&[40, 2000], 1.0);
    let run = |x: &[f32]| {
        let mut tape = Tape::new();
        let x = tape.input(Tensor::from_vec(&[x.len() / 2000, 2000], x.to_vec()).unwrap());
        let y = tape.top_k(x, 5).unwrap();
        tape.value(y).data().to_vec()
    };
    let whole = run(x.data());
    for (row, found) in x.data().chunks_exact(2000).zip(whole.chunks_exact(whole.len() / 40)) {
        assert_eq!(run(row), found);
    }
}
