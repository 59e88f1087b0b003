//! Properties of every GPT, whatever its settings.
#![allow(clippy::unwrap_used)]

use m2g_core::gradcheck;
use m2g_core::nn::Positions;
use m2g_core::optim::AdamW;
use m2g_core::rng::{Streams, below};
use m2g_core::threads::with_threads;
use m2g_core::train::{Model, Stepper};
use m2g_core::{Float, Tape, Tokens};
use m2g_gpt::{Config, Gpt, GptConfig, TokenBatch};

const POSITIONS: [Positions; 5] =
    [Positions::Learned, Positions::Sinusoidal, Positions::Rotary, Positions::Alibi, Positions::None];

fn config(positions: Positions) -> GptConfig {
    GptConfig {
        block_size: 12,
        n_layer: 2,
        n_head: 2,
        n_embd: 8,
        bias: true,
        positions,
        ..Config::default().model(13)
    }
}

fn tokens(b: usize, t: usize, v: u32, seed: u64) -> Tokens {
    let mut rng = Streams::new(seed).stream("test", 0);
    Tokens::new([b, t], (0..b * t).map(|_| below(&mut rng, v)).collect::<Vec<_>>()).unwrap()
}

fn logits<T: Float>(gpt: &Gpt<T>, tokens: &Tokens) -> Vec<T> {
    let mut tape = Tape::without_gradients();
    let logits = gpt.forward(&mut tape, tokens).unwrap();
    assert_eq!(tape.value(logits).shape(), [tokens.shape[0], tokens.shape[1], gpt.config().vocab_size]);
    tape.value(logits).data().to_vec()
}

#[test]
fn gradient_of_a_whole_model() {
    for (tie_weights, bias, positions) in
        [(true, true, Positions::Learned), (false, false, Positions::Rotary), (true, true, Positions::Alibi)]
    {
        let mut gpt = Gpt::<f64>::new(GptConfig { tie_weights, bias, ..config(positions) }, 1).unwrap();
        // Larger than initial weights, so that every part matters.
        for p in gpt.params_mut().iter_mut() {
            p.value.data_mut().iter_mut().for_each(|w| *w *= if *w == 1.0 { 1.0 } else { 20.0 });
        }
        let batch = TokenBatch { x: tokens(2, 5, 13, 1), y: tokens(2, 5, 13, 2) };
        let mut params = gpt.params().clone();
        let worst = gradcheck::worst(&mut params, |tape, params| {
            *gpt.params_mut() = params.clone();
            gpt.loss(tape, &batch)
        })
        .unwrap();
        assert!(worst.error < gradcheck::TOLERANCE && !worst.param.is_empty(), "{worst:?}");
    }
}

#[test]
fn later_tokens_change_no_bit() {
    for positions in POSITIONS {
        for fused in [true, false] {
            let gpt = Gpt::<f32>::new(GptConfig { fused, ..config(positions) }, 3).unwrap();
            let before = tokens(2, 12, 13, 1);
            for index in 0..12 {
                let mut ids = before.ids.to_vec();
                ids[index] = (ids[index] + 1) % 13;
                let after = Tokens::new([2, 12], ids).unwrap();
                let (a, b) = (logits(&gpt, &before), logits(&gpt, &after));
                assert_eq!(a[..index * 13], b[..index * 13], "{positions:?} fused {fused} {index}");
                assert_ne!(a[index * 13..12 * 13], b[index * 13..12 * 13]);
                assert_eq!(a[12 * 13..], b[12 * 13..], "the other sequence");
            }
        }
    }
}

#[test]
fn cached_and_uncached_logits_agree() {
    for positions in POSITIONS {
        let gpt = Gpt::<f32>::new(config(positions), 3).unwrap();
        let all = tokens(2, 12, 13, 1);
        for first in 1..12 {
            let mut cache = gpt.cache(2);
            let mut tape = Tape::without_gradients();
            // The first tokens at once, the others one by one.
            for (start, end) in std::iter::once((0, first)).chain((first..12).map(|t| (t, t + 1))) {
                let cut = |start, end| {
                    let rows = all.ids.chunks(12).flat_map(|row| row[start..end].to_vec());
                    Tokens::new([2, end - start], rows.collect::<Vec<_>>()).unwrap()
                };
                let y = gpt.forward_cached(&mut tape, &cut(start, end), &mut cache).unwrap();
                let cached = tape.value(y).data().to_vec();
                tape.reset();
                let whole = logits(&gpt, &cut(0, end));
                for (b, cached) in cached.chunks((end - start) * 13).enumerate() {
                    let whole = &whole[(b * end + start) * 13..(b + 1) * end * 13];
                    let worst = cached.iter().zip(whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 1e-5, "{positions:?} {start}..{end}: {worst}");
                }
            }
            assert_eq!(cache.len(), 12);
            let error = gpt.forward_cached(&mut tape, &tokens(2, 1, 13, 1), &mut cache).unwrap_err();
            assert!(error.to_string().contains("block_size"), "{error}");
        }
    }
}

#[test]
fn initial_loss_is_ln_v() {
    let gpt = Gpt::<f32>::new(config(Positions::Learned), 1).unwrap();
    let mut tape = Tape::new();
    let loss = gpt.loss(&mut tape, &TokenBatch { x: tokens(8, 12, 13, 1), y: tokens(8, 12, 13, 2) }).unwrap();
    assert!((tape.read_loss(loss) - 13.0_f32.ln()).abs() < 0.02);
}

#[test]
fn parameters_match_nano_gpt() {
    // nanoGPT counts 10.65 million for its Shakespeare model: 6, 6, 384, block 256, V 65,
    // no bias, and without the 256 x 384 positions.
    let shakespeare = GptConfig {
        vocab_size: 65,
        block_size: 256,
        n_layer: 6,
        n_head: 6,
        n_embd: 384,
        bias: false,
        ..config(Positions::Learned)
    };
    let gpt = Gpt::<f32>::new(shakespeare, 1).unwrap();
    assert_eq!(gpt.params().count() - 256 * 384, 10_646_784);
    let names: Vec<&str> = gpt.params().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names[..8],
        [
            "wte.weight",
            "wpe.weight",
            "h.0.ln_1.weight",
            "h.0.attn.c_attn.weight",
            "h.0.attn.c_proj.weight",
            "h.0.ln_2.weight",
            "h.0.mlp.c_fc.weight",
            "h.0.mlp.c_proj.weight"
        ]
    );
    assert!(gpt.params().iter().all(|p| p.decay == (p.value.shape().len() == 2)));
}

#[test]
fn invalid_models_are_rejected() {
    let base = || config(Positions::Learned);
    for (config, word) in [
        (GptConfig { n_head: 3, ..base() }, "multiple of n_head"),
        (GptConfig { n_head: 0, ..base() }, "n_head is 0"),
        (GptConfig { dropout: 1.0, ..base() }, "dropout is 1"),
        (GptConfig { vocab_size: 0, ..base() }, "vocab_size is 0"),
        (GptConfig { n_head: 8, positions: Positions::Rotary, ..base() }, "even"),
    ] {
        let error = Gpt::<f32>::new(config, 1).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let gpt = Gpt::<f32>::new(base(), 1).unwrap();
    let too_long = gpt.forward(&mut Tape::new(), &tokens(1, 13, 13, 1)).unwrap_err();
    assert!(too_long.to_string().contains("block_size"), "{too_long}");
    let unknown = gpt.forward(&mut Tape::new(), &Tokens::new([1, 1], vec![13]).unwrap()).unwrap_err();
    assert!(unknown.to_string().contains("token 13"), "{unknown}");
}

/// All weights after five training steps on this number of threads.
fn trained(threads: usize, positions: Positions, accumulate: usize) -> Vec<Vec<f32>> {
    with_threads(threads, || {
        let config = GptConfig { block_size: 70, n_embd: 64, dropout: 0.1, ..config(positions) };
        let mut gpt = Gpt::<f32>::new(config, 1).unwrap();
        let (mut stepper, mut adamw) = (Stepper::default(), AdamW::new(0.1));
        for step in 0..5 {
            stepper.tape.set_dropout(Some(Streams::new(1).dropout(step)));
            let batches: Vec<TokenBatch> = (0..accumulate as u64)
                .map(|i| TokenBatch { x: tokens(6, 70, 13, 10 * step + i), y: tokens(6, 70, 13, 99 + step) })
                .collect();
            stepper.step(&mut gpt, &batches, &mut adamw, 1e-2, Some(1.0), step).unwrap();
        }
        gpt.params().iter().map(|p| p.value.data().to_vec()).collect()
    })
    .unwrap()
}

#[test]
fn same_bits_for_any_number_of_threads() {
    for (positions, accumulate) in [(Positions::Learned, 1), (Positions::Rotary, 2)] {
        let one = trained(1, positions, accumulate);
        assert!(one == trained(2, positions, accumulate) && one == trained(3, positions, accumulate));
    }
}

#[test]
fn accumulated_batches_equal_one_large_batch() {
    let gpt = Gpt::<f64>::new(config(Positions::Learned), 1).unwrap();
    let (x, y) = (tokens(4, 6, 13, 1), tokens(4, 6, 13, 2));
    let part = |from: usize, to: usize| TokenBatch {
        x: Tokens::new([to - from, 6], x.ids[from * 6..to * 6].to_vec()).unwrap(),
        y: Tokens::new([to - from, 6], y.ids[from * 6..to * 6].to_vec()).unwrap(),
    };
    let step = |batches: &[TokenBatch]| {
        let (mut gpt, mut stepper) = (gpt.clone(), Stepper::default());
        let report = stepper.step(&mut gpt, batches, &mut AdamW::new(0.1), 1e-2, Some(1.0), 0).unwrap();
        (report.loss, report.grad_norm.unwrap())
    };
    let (whole, parts) = (step(&[part(0, 4)]), step(&[part(0, 2), part(2, 4)]));
    assert!((whole.0 - parts.0).abs() < 1e-12 && (whole.1 - parts.1).abs() < 1e-12, "{whole:?} {parts:?}");
}
