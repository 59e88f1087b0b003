//! Properties that hold for GPTs of any configuration. `PROPTEST_CASES=25600` tries a hundred times as
//! many.
#![allow(clippy::unwrap_used)]

use m2g_core::gradcheck::{self, TOLERANCE};
use m2g_core::nn::{GeluForm, MlpActivation, NormKind, NormPlace, Positions, Score};
use m2g_core::rng::{Streams, below, permutation};
use m2g_core::settings::SettingValue;
use m2g_core::train::Model;
use m2g_core::{Float, Grads, Mask, Precision, Tape, Tokens};
use m2g_gpt::data::Corpus;
use m2g_gpt::{Config, Gpt, GptConfig, TokenBatch};
use m2g_text::TokenizerKind;
use proptest::prelude::*;
use proptest::sample::select;

/// A configuration of a small model, with every setting that changes what it computes.
fn configurations() -> impl Strategy<Value = GptConfig> {
    let scores = Score::names().iter().map(|name| serde_json::from_value((*name).into()).unwrap());
    let positions =
        [Positions::Learned, Positions::Sinusoidal, Positions::Rotary, Positions::Alibi, Positions::None];
    let shape = (1..=2_usize, 1..=3_usize, select(vec![2_usize, 4, 6, 16]), 1..=40_usize, 2..=30_usize);
    let kinds = (
        select(positions.to_vec()),
        select(scores.collect::<Vec<Score>>()),
        prop_oneof![Just(Mask::Causal), (1..20_usize).prop_map(Mask::Window)],
        select(vec![NormPlace::Before, NormPlace::After, NormPlace::None]),
        select(vec![GeluForm::Tanh, GeluForm::Exact]),
        select(vec![Precision::F32, Precision::Bf16]),
    );
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    // Not ReLU, whose gradient jumps.
    let recent = (
        select(vec![NormKind::Layer, NormKind::Rms]),
        select(vec![MlpActivation::Gelu, MlpActivation::ReluSquared, MlpActivation::Swiglu]),
        (any::<bool>(), any::<bool>()),
        select(vec![0.0, 5.0]),
    );
    (shape, kinds, switches, recent).prop_map(
        |(shape, kinds, (bias, tie_weights, residual, fused), recent)| {
            let (norm_kind, activation, (qk_norm, value_residual), logit_cap) = recent;
            // Without residual connections, silent ReLUs leave tokens of zeros, around which a norm turns sharply.
            let activation = if residual { activation } else { MlpActivation::Gelu };
            let (n_layer, n_head, channels_per_head, block_size, vocab_size) = shape;
            let (positions, score, mask, norm, gelu, precision) = kinds;
            // Only a dot product has fixed biases, as it has one with a position.
            let score = if positions == Positions::Alibi { Score::ScaledDot } else { score };
            GptConfig {
                n_layer,
                n_head,
                n_embd: n_head * channels_per_head,
                block_size,
                bias,
                tie_weights,
                residual,
                fused,
                positions,
                score,
                mask,
                norm,
                gelu,
                norm_kind,
                activation,
                qk_norm,
                value_residual,
                logit_cap,
                precision,
                ..Config::default().model(vocab_size)
            }
        },
    )
}

/// A model with confident predictions, unlike one with its initial weights.
fn confident<T: Float>(config: GptConfig) -> Gpt<T> {
    let mut gpt = Gpt::new(config, 1).unwrap();
    for p in gpt.params_mut().iter_mut().filter(|p| p.decay) {
        p.value.data_mut().iter_mut().for_each(|w| *w *= T::of(12.0));
    }
    gpt
}

fn tokens(b: usize, t: usize, v: usize, seed: u64) -> Tokens {
    let mut rng = Streams::new(seed).stream("test", 0);
    Tokens::new([b, t], (0..b * t).map(|_| below(&mut rng, v as u32)).collect::<Vec<_>>()).unwrap()
}

/// The bits of the logits, `(B, T, V)`.
fn bits(gpt: &Gpt<f32>, tokens: &Tokens) -> Vec<u32> {
    let mut tape = Tape::without_gradients();
    let logits = gpt.forward(&mut tape, tokens).unwrap();
    tape.value(logits).data().iter().map(|x| x.to_bits()).collect()
}

/// The loss and all gradients, with dropout.
fn gradients<T: Float>(gpt: &Gpt<T>, batch: &TokenBatch) -> Vec<f64> {
    let (mut tape, mut grads) = (Tape::new(), Grads::new());
    tape.set_dropout(Some(Streams::new(1).dropout(3)));
    let loss = gpt.gradients(&mut tape, batch, &mut grads).unwrap();
    let all = grads.iter().take(gpt.params().len()).flat_map(|g| g.unwrap().data().to_vec());
    std::iter::once(loss).chain(all).map(T::as_f64).collect()
}

/// The largest difference, relative to the largest value or 1.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let largest = a.iter().fold(1.0, |most: f64, x| x.abs().max(most));
    a.iter().zip(b).fold(0.0, |most: f64, (a, b)| (a - b).abs().max(most)) / largest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 4).max(1)))]

    #[test]
    fn a_token_changes_no_bit_before_it(
        config in configurations(), b in 1..4_usize, at in any::<prop::sample::Index>(), seed: u64,
    ) {
        let (t, v) = (config.block_size, config.vocab_size);
        let (row, index) = (at.index(b), at.index(t));
        let gpt = confident::<f32>(config);
        let before = tokens(b, t, v, seed);
        let mut ids = before.ids.to_vec();
        ids[row * t + index] = (ids[row * t + index] + 1) % v as u32;
        let (a, c) = (bits(&gpt, &before), bits(&gpt, &Tokens::new([b, t], ids).unwrap()));
        for (i, (a, c)) in a.chunks(t * v).zip(c.chunks(t * v)).enumerate() {
            let same = if i == row { index * v } else { t * v };
            prop_assert_eq!(&a[..same], &c[..same], "sequence {}", i);
        }
    }

    #[test]
    fn permuting_the_sequences_permutes_their_logits(
        config in configurations(), b in 1..9_usize, seed: u64,
    ) {
        let (t, v) = (config.block_size, config.vocab_size);
        let gpt = confident::<f32>(config);
        let tokens = tokens(b, t, v, seed);
        let order = permutation(&mut Streams::new(seed).stream("order", 0), b as u32);
        let moved: Vec<u32> = order.iter().flat_map(|&i| tokens.ids[i as usize * t..][..t].to_vec()).collect();
        let (before, after) = (bits(&gpt, &tokens), bits(&gpt, &Tokens::new([b, t], moved).unwrap()));
        for (&i, after) in order.iter().zip(after.chunks(t * v)) {
            prop_assert_eq!(&before[i as usize * t * v..][..t * v], after);
        }
    }

    #[test]
    fn fused_and_primitive_models_have_the_same_gradients(
        config in configurations(), b in 1..3_usize, dropout in select(vec![0.0, 0.3]), seed: u64,
    ) {
        // bf16 rounds what the primitive ops keep in between.
        let config = GptConfig { precision: Precision::F32, dropout, ..config };
        // Near 0, a reciprocal magnifies every rounding.
        prop_assume!(config.score != Score::InverseDot);
        let (t, v) = (config.block_size, config.vocab_size);
        let batch = TokenBatch { x: tokens(b, t, v, seed), y: tokens(b, t, v, seed ^ 1) };
        let of = |fused| gradients(&confident::<f64>(GptConfig { fused, ..config.clone() }), &batch);
        let (fused, primitive) = (of(true), of(false));
        prop_assert!(difference(&fused, &primitive) < 1e-9, "{}", difference(&fused, &primitive));
        let of = |fused| gradients(&Gpt::<f32>::new(GptConfig { fused, ..config.clone() }, 1).unwrap(), &batch);
        let (fused, primitive) = (of(true), of(false));
        prop_assert!(difference(&fused, &primitive) < 1e-4, "{} in f32", difference(&fused, &primitive));
    }

    #[test]
    fn cached_logits_are_those_of_the_whole_text(
        config in configurations(), b in 1..3_usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        seed: u64,
    ) {
        // What can be cached; see `GptConfig::can_cache`. bf16 rounds the products without the cache alone.
        let config =
            GptConfig { mask: Mask::Causal, score: Score::ScaledDot, precision: Precision::F32, ..config };
        let (t, v) = (config.block_size, config.vocab_size);
        let gpt = Gpt::<f32>::new(config, 1).unwrap();
        let all = tokens(b, t, v, seed);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(t)).chain([0, t]).collect();
        ends.sort_unstable();
        ends.dedup();
        let logits = |tape: &Tape<f32>, logits| -> Vec<f64> {
            tape.value(logits).data().iter().map(|x| f64::from(*x)).collect()
        };
        let mut tape = Tape::without_gradients();
        let whole = gpt.forward(&mut tape, &all).unwrap();
        let whole = logits(&tape, whole);
        let mut cache = gpt.cache(b);
        for part in ends.windows(2) {
            let (start, end) = (part[0], part[1]);
            let ids: Vec<u32> = all.ids.chunks(t).flat_map(|row| row[start..end].to_vec()).collect();
            let part = Tokens::new([b, end - start], ids).unwrap();
            tape.reset();
            let part = gpt.forward_cached(&mut tape, &part, &mut cache).unwrap();
            let part = logits(&tape, part);
            for (cached, whole) in part.chunks((end - start) * v).zip(whole.chunks(t * v)) {
                let difference = difference(cached, &whole[start * v..end * v]);
                prop_assert!(difference < 1e-5, "tokens {}..{}: {}", start, end, difference);
            }
        }
        prop_assert_eq!(cache.len(), t);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 64).max(1)))]

    #[test]
    fn gradients_agree_with_finite_differences(
        config in configurations(), mask in select(vec![None, Some(Mask::None), Some(Mask::Reversed), Some(Mask::Finite)]),
        dropout in select(vec![0.0, 0.3]), seed: u64,
    ) {
        let config = GptConfig {
            n_embd: 4 * config.n_head.min(2),
            n_head: config.n_head.min(2),
            vocab_size: config.vocab_size.min(5),
            block_size: config.block_size.min(4),
            mask: mask.unwrap_or(config.mask),
            precision: Precision::F32,
            // Dropout may leave a token no channel. Then q . k is 0, the pole of the reciprocal, and without
            // residual connections a norm turns sharply around a token of zeros.
            dropout: if config.residual && config.score != Score::InverseDot { dropout } else { 0.0 },
            ..config
        };
        let (t, v) = (config.block_size, config.vocab_size);
        let mut gpt = confident::<f64>(config);
        let batch = TokenBatch { x: tokens(2, t, v, seed), y: tokens(2, t, v, seed ^ 1) };
        let mut params = gpt.params().clone();
        let worst = gradcheck::worst(&mut params, |tape, params| {
            *gpt.params_mut() = params.clone();
            // The same mask each time.
            tape.set_dropout(Some(Streams::new(1).dropout(3)));
            gpt.loss(tape, &batch)
        }).unwrap();
        prop_assert!(worst.error < TOLERANCE, "{:?}", worst);
    }

    #[test]
    fn the_splits_of_a_text_are_its_two_parts(
        text in "[a-zé \\n]{200,900}", kind in select(vec!["char", "byte", "gpt2", "bpe:300"]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text.txt");
        std::fs::write(&path, &text).unwrap();
        let corpus = Corpus::load(path.to_str().unwrap(), kind.parse::<TokenizerKind>().unwrap()).unwrap();
        let tokenizer = corpus.tokenizer.as_ref().unwrap();
        let decoded = [&corpus.train, &corpus.val].map(|split| {
            let mut ids = vec![0; split.len()];
            split.read(0, &mut ids).unwrap();
            tokenizer.decode(&ids)
        });
        prop_assert_eq!(decoded.concat(), &*text);
        let nine_tenths = (text.chars().count() as f64 * 0.9) as usize;
        prop_assert_eq!(decoded[0].chars().count(), nine_tenths);
    }
}
