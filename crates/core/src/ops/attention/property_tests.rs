//! Properties of attention besides its gradient: hidden tokens do not affect the result, memory
//! grows linearly with the length of a text, NaN propagates, and the fused op agrees with primitive
//! ops.
#![allow(clippy::unwrap_used)]

use super::AttentionOptions;
use crate::gradcheck::constant;
use crate::kernels::attention::Dims;
use crate::mask::Mask;
use crate::rng::Streams;
use crate::{Error, Float, Grads, ParamId, Params, Tape, Tensor, Var};

/// For a text of twice the length, a T x T matrix would need four times the memory.
#[test]
fn memory_grows_linearly_with_the_length_of_a_text() {
    let scratch = |t| {
        let dims = Dims { b: 1, t_q: t, t_k: t, h: 2, d: 4 };
        [dims.forward_scratch(), dims.backward_scratch()]
    };
    for (one, two) in [1024, 2048].map(|t| (scratch(t), scratch(2 * t))) {
        assert!(one.iter().zip(two).all(|(&one, two)| one < two && two <= 2 * one), "{one:?} {two:?}");
    }
    let step = |t| {
        let mut params = Params::new();
        let qkv = params.add("qkv", Tensor::<f32>::zeros(&[1, t, 24])).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        let qkv = tape.param(&params, qkv);
        let y = tape.attention(qkv, AttentionOptions::new(2, Mask::Causal)).unwrap();
        let loss = tape.mean(y).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        tape.bytes()
    };
    let [one, two] = [1024, 2048].map(step);
    assert!(one < two && two <= 2 * one, "{one} {two}");
    // The matrix alone would have more bytes.
    assert!(two < 2048 * 2048 * size_of::<f32>(), "{two}");
}

fn waves(shape: &[usize]) -> Tensor<f32> {
    let mut n = 0.0_f32;
    Tensor::from_fn(shape, || {
        n += 1.0;
        (n * 0.37).sin()
    })
}

/// The output, and the gradient of the weighted sum of its first `upto` rows.
fn gradient_of_first_rows(qkv: Tensor<f32>, upto: usize, options: AttentionOptions) -> [Vec<f32>; 2] {
    let mut params = Params::new();
    let qkv = params.add("qkv", qkv).unwrap();
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    tape.set_dropout(Some(Streams::new(1).dropout(0)));
    let x = tape.param(&params, qkv);
    let y = tape.attention(x, options).unwrap();
    let out = tape.value(y).data().to_vec();
    let mut factors = waves(tape.value(y).shape());
    let c = factors.shape()[2];
    factors.data_mut()[upto * c..].fill(0.0);
    let factors = tape.input(factors);
    let product = tape.mul(y, factors).unwrap();
    let loss = tape.mean(product).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    [out, grads.get(qkv).unwrap().data().to_vec()]
}

#[test]
fn hidden_tokens_do_not_affect_the_output() {
    let (b, t, c, h) = (2, 100, 16, 2);
    let base = waves(&[b, t, 3 * c]);
    let output = |x: &Tensor<f32>, mask: Mask| {
        let mut tape = Tape::new();
        let x = tape.input(x.clone());
        let y = tape.attention(x, AttentionOptions::new(h, mask)).unwrap();
        tape.value(y).data().to_vec()
    };
    let mut changed = base.clone();
    // Sequence 0 from token 70 on.
    changed.data_mut()[70 * 3 * c..t * 3 * c].iter_mut().for_each(|x| *x = 3.0 - *x);
    let (before, after) = (output(&base, Mask::Causal), output(&changed, Mask::Causal));
    assert_eq!(before[..70 * c], after[..70 * c]);
    assert_ne!(before[70 * c..t * c], after[70 * c..t * c]);
    assert_eq!(before[t * c..], after[t * c..]);
    for padding in [Mask::Padding([70, t].into()), Mask::CausalPadding([70, t].into())] {
        let (before, after) = (output(&base, padding.clone()), output(&changed, padding));
        assert_eq!(before[..70 * c], after[..70 * c]);
    }
}

/// The gradient of the loss of the first tokens is bitwise independent of the tokens that follow.
#[test]
fn hidden_tokens_do_not_affect_the_gradient() {
    let (t, c) = (100, 16);
    let base = waves(&[1, t, 3 * c]);
    let mut changed = base.clone();
    changed.data_mut()[70 * 3 * c..].iter_mut().for_each(|x| *x = 3.0 - *x);
    for dropout in [0.0, 0.3] {
        let options = || AttentionOptions { dropout, ..AttentionOptions::new(2, Mask::Causal) };
        let [_, before] = gradient_of_first_rows(base.clone(), 70, options());
        let [_, after] = gradient_of_first_rows(changed.clone(), 70, options());
        assert_eq!(before[..70 * 3 * c], after[..70 * 3 * c]);
        assert!(after[70 * 3 * c..].iter().all(|&d| d == 0.0));
        assert!(before.iter().any(|&d| d != 0.0));
    }
}

/// NaN also propagates through dropped weights: a training run must stop instead of ignoring a
/// token.
#[test]
fn nan_in_a_query_reaches_its_output_and_the_gradients_of_all_tokens_that_it_sees() {
    let (t, c) = (40, 8);
    let mut qkv = waves(&[1, t, 3 * c]);
    qkv.data_mut()[30 * 3 * c..][..c].fill(f32::NAN);
    for dropout in [0.0, 0.5] {
        let options = AttentionOptions { dropout, ..AttentionOptions::new(1, Mask::Causal) };
        let [y, dqkv] = gradient_of_first_rows(qkv.clone(), t, options);
        assert_eq!(y.len(), t * c);
        for (i, y) in y.chunks(c).enumerate() {
            assert!(y.iter().all(|y| y.is_nan() == (i == 30)), "output {i}");
        }
        for (j, d) in dqkv.chunks(3 * c).enumerate() {
            let [dq, dk, dv] = [&d[..c], &d[c..2 * c], &d[2 * c..]];
            assert!(dq.iter().all(|d| d.is_nan() == (j == 30)), "dQ {j}");
            assert!(dv.iter().all(|d| d.is_nan() == (j <= 30)), "dV {j}");
            // dK of later keys may be NaN too: 0 times the query is NaN.
            assert!(j > 30 || dk.iter().all(|d| d.is_nan()), "dK {j}");
        }
    }
}

/// A function that records cross-attention.
type CrossAttention<T> = fn(&mut Tape<T>, Var, Var, AttentionOptions) -> Result<Var, Error>;

/// Cross-attention made of primitive ops.
fn primitive<T: Float>(tape: &mut Tape<T>, q: Var, kv: Var, options: AttentionOptions) -> Result<Var, Error> {
    let h = options.n_head;
    let q = tape.split_heads(q, 0, 1, h)?; // (B, T, C) -> (B, H, T, D)
    let k = tape.split_heads(kv, 0, 2, h)?; // (B, S, 2 C) -> (B, H, S, D)
    let v = tape.split_heads(kv, 1, 2, h)?;
    let scale = options.scale.unwrap_or(1.0 / (tape.value(q).shape()[3] as f64).sqrt());
    let scores = tape.batched_matmul_transposed(q, k)?; // (B, H, T, S)
    let scores = tape.scale(scores, scale)?;
    let weights = tape.masked_softmax(scores, options.mask)?;
    let weights = tape.dropout(weights, options.dropout)?;
    let y = tape.batched_matmul(weights, v)?; // (B, H, T, D)
    tape.merge_heads(y) // (B, T, C)
}

/// The numbers in the precision of `T`.
fn rounded<T: Float>(x: &Tensor<f64>) -> Tensor<T> {
    Tensor::from_vec(x.shape(), x.data().iter().map(|&x| T::of(x)).collect()).unwrap()
}

/// The output, and the gradients of its weighted sum with respect to `q` and `kv`.
fn gradients<T: Float>(
    attention: CrossAttention<T>,
    q: Tensor<T>,
    kv: Tensor<T>,
    options: &AttentionOptions,
) -> [Tensor<T>; 3] {
    let mut params = Params::new();
    let [q, kv]: [ParamId; 2] = [("q", q), ("kv", kv)].map(|(name, x)| params.add(name, x).unwrap());
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    tape.set_dropout(Some(Streams::new(1).dropout(0)));
    let inputs = [q, kv].map(|x| tape.param(&params, x));
    let y = attention(&mut tape, inputs[0], inputs[1], options.clone()).unwrap();
    let out = tape.value(y).clone();
    let factors = tape.input(rounded(&constant(out.shape(), 9.0)));
    let product = tape.mul(y, factors).unwrap();
    let mean = tape.mean(product).unwrap();
    let loss = tape.scale(mean, out.len() as f64).unwrap();
    tape.backward(loss, &mut grads).unwrap();
    [out, grads.get(q).unwrap().clone(), grads.get(kv).unwrap().clone()]
}

/// How far the fused op is from the primitive ones, and the largest value: of the output, and of the gradients with
/// respect to `q` and `kv`.
fn differences<T: Float>(q: &Tensor<f64>, kv: &Tensor<f64>, options: &AttentionOptions) -> [(f64, f64); 3] {
    let [q, kv]: [Tensor<T>; 2] = [q, kv].map(rounded);
    let fused = gradients::<T>(Tape::cross_attention, q.clone(), kv.clone(), options);
    let primitive = gradients::<T>(primitive, q, kv, options);
    std::array::from_fn(|i| {
        assert_eq!(fused[i].shape(), primitive[i].shape());
        let numbers = |x: &Tensor<T>| x.data().iter().map(|&x| x.as_f64()).collect::<Vec<f64>>();
        let (fused, primitive) = (numbers(&fused[i]), numbers(&primitive[i]));
        assert!(fused.iter().all(|x| x.is_finite()));
        let differences = fused.iter().zip(&primitive).map(|(a, b)| (a - b).abs());
        (differences.fold(0.0, f64::max), primitive.iter().fold(0.0, |most: f64, x| x.abs().max(most)))
    })
}

#[test]
fn fused_cross_attention_agrees_with_primitive_ops() {
    let lengths = || [50, 0, 200].into();
    let masks = [
        Mask::None,
        Mask::Causal,
        Mask::Reversed,
        Mask::Window(9),
        Mask::Finite,
        Mask::Padding(lengths()),
        Mask::CausalPadding(lengths()),
    ];
    for (t_q, t_k) in [(70, 110), (130, 60), (66, 66), (1, 100), (20, 3)] {
        for mask in &masks {
            for (scale, dropout) in [(None, 0.0), (Some(0.7), 0.25)] {
                let (h, d) = (2, 5);
                let options = AttentionOptions { scale, dropout, ..AttentionOptions::new(h, mask.clone()) };
                let (q, kv) = (constant(&[3, t_q, h * d], 1.0), constant(&[3, t_k, 2 * h * d], 5000.0));
                let exact = differences::<f64>(&q, &kv, &options);
                // In f32, other lanes and stripes compute it.
                let single = differences::<f32>(&q, &kv, &options);
                for ((exact, single), name) in exact.iter().zip(&single).zip(["y", "dq", "dkv"]) {
                    let at = format!("{mask} {t_q} {t_k} dropout {dropout}, {name}");
                    assert!(exact.0 < 1e-12, "{at}: {exact:?}");
                    // Relative to the largest element, but to 1 if all are smaller: a query that sees a single key
                    // has no gradient, only rounding errors.
                    assert!(single.0 < 3e-5 * single.1.max(1.0), "{at}, in f32: {single:?}");
                }
            }
        }
    }
}

#[test]
fn cross_attention_of_a_sequence_with_itself_is_self_attention() {
    let (b, t, c, h) = (2, 100, 16, 2);
    let qkv = waves(&[b, t, 3 * c]);
    let columns = |from: usize, to: usize| {
        let rows = qkv.data().chunks_exact(3 * c).flat_map(|row| row[from..to].to_vec());
        Tensor::from_vec(&[b, t, to - from], rows.collect()).unwrap()
    };
    let mut tape = Tape::new();
    let [all, q, kv] = [qkv.clone(), columns(0, c), columns(c, 3 * c)].map(|x| tape.input(x));
    let options = || AttentionOptions::new(h, Mask::CausalPadding([100, 30].into()));
    let one = tape.attention(all, options()).unwrap();
    let two = tape.cross_attention(q, kv, options()).unwrap();
    assert_eq!(tape.value(one).data(), tape.value(two).data());
}

#[test]
fn padded_keys_do_not_affect_the_result_and_get_no_gradient() {
    let (t_q, t_k, c) = (70, 100, 8);
    let (q, kv) = (constant(&[2, t_q, c], 1.0), constant(&[2, t_k, 2 * c], 5000.0));
    let mut changed = kv.clone();
    // NaN in the padding of sequence 0, and in all of sequence 1.
    changed.data_mut()[60 * 2 * c..].fill(f64::NAN);
    for mask in [Mask::Padding([60, 0].into()), Mask::CausalPadding([60, 0].into())] {
        for dropout in [0.0, 0.3] {
            let options = AttentionOptions { dropout, ..AttentionOptions::new(2, mask.clone()) };
            let before = gradients(Tape::cross_attention, q.clone(), kv.clone(), &options);
            let after = gradients(Tape::cross_attention, q.clone(), changed.clone(), &options);
            assert_eq!(before[0].shape(), [2, t_q, c]);
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before.data(), after.data());
            }
            let [y, dq, dkv] = after;
            assert!(dkv.data()[60 * 2 * c..].iter().all(|&d| d == 0.0));
            assert!(dkv.data()[..60 * 2 * c].iter().any(|&d| d != 0.0));
            // Sequence 1 is all padding.
            assert!([&y, &dq].iter().all(|x| x.data()[t_q * c..].iter().all(|&x| x == 0.0)));
        }
    }
}

/// The output of a frozen encoder, for example, needs no gradient.
#[test]
fn either_input_may_be_a_constant() {
    let (q, kv) = (constant(&[1, 3, 4], 1.0), constant(&[1, 5, 8], 5000.0));
    let options = AttentionOptions::new(2, Mask::None);
    let [_, dq, dkv] = gradients(Tape::cross_attention, q.clone(), kv.clone(), &options);
    for (trained, want) in [(0, dq), (1, dkv)] {
        let mut params = Params::new();
        let param = params.add("x", [q.clone(), kv.clone()][trained].clone()).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        let mut inputs = [q.clone(), kv.clone()].map(|x| tape.input(x));
        inputs[trained] = tape.param(&params, param);
        let y = tape.cross_attention(inputs[0], inputs[1], options.clone()).unwrap();
        let factors = tape.input(constant(&[1, 3, 4], 9.0));
        let product = tape.mul(y, factors).unwrap();
        let mean = tape.mean(product).unwrap();
        let loss = tape.scale(mean, 12.0).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        assert_eq!(grads.get(param).unwrap().data(), want.data());
    }
}
