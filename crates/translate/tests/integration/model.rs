//! Properties of the model: padding, causality, caches, sharing.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use m2g_core::nn::{NormPlace, Positions};
use m2g_core::train::Model;
use m2g_core::{Float, Mask, Tape, Tokens};
use m2g_translate::model::Encoded;
use m2g_translate::{Config, PairBatch, Sharing, Transformer, TransformerConfig};

pub const V: usize = 11;
pub const PADDING: u32 = 10;
const BEGINNING: u32 = 9;

pub fn config() -> Config {
    Config {
        encoder_layers: 2,
        decoder_layers: 2,
        d_model: 32,
        d_ff: 48,
        n_head: 4,
        max_length: 60,
        ..Config::default()
    }
}

pub fn model<T: Float>(config: TransformerConfig) -> Transformer<T> {
    Transformer::new(config, 3).unwrap()
}

/// Pairs of sources and targets of these lengths, filled up to `to` with the token `fill`.
pub fn batch(lengths: &[(usize, usize)], to: (usize, usize), fill: u32) -> PairBatch {
    let rows = |lengths: Vec<usize>, to: usize, seed: usize, first: Option<u32>| {
        let ids: Vec<u32> = lengths
            .iter()
            .enumerate()
            .flat_map(|(row, &length)| {
                (0..to).map(move |i| match (i, first) {
                    _ if i >= length => fill,
                    (0, Some(first)) => first,
                    _ => ((i * 7 + row * 3 + seed + i * i) % 9) as u32,
                })
            })
            .collect();
        Tokens::new([lengths.len(), to], ids).unwrap()
    };
    let (source, target): (Vec<usize>, Vec<usize>) = lengths.iter().copied().unzip();
    PairBatch {
        source: rows(source.clone(), to.0, 1, None),
        input: rows(target.clone(), to.1, 4, Some(BEGINNING)),
        target: rows(target.clone(), to.1, 5, None),
        source_lengths: source.into(),
        target_lengths: target.into(),
        padding: PADDING,
        rows: None,
    }
}

fn logits<T: Float>(model: &Transformer<T>, batch: &PairBatch) -> Vec<T> {
    logits_with(model, batch, false)
}

fn logits_with<T: Float>(model: &Transformer<T>, batch: &PairBatch, gradients: bool) -> Vec<T> {
    let mut tape = Tape::new();
    tape.set_gradients(gradients);
    let logits = model.forward(&mut tape, batch).unwrap();
    tape.value(logits).data().to_vec()
}

/// A width at which the products of a few rows have a kernel of their own.
fn wide() -> Config {
    Config { d_model: 128, d_ff: 256, ..config() }
}

/// Every kind of position, place of the norm, and both ways to run.
fn variants() -> Vec<TransformerConfig> {
    let mut all = Vec::new();
    for positions in [Positions::Sinusoidal, Positions::Learned, Positions::Rotary, Positions::None] {
        for norm in [NormPlace::After, NormPlace::Before] {
            for fused in [false, true] {
                all.push(Config { positions, norm, fused, ..config() }.model(V));
            }
        }
    }
    all
}

/// The logits of a sentence are the same to the last bit, alone and beside longer ones. Op by op, where the
/// matrices of attention have the size of the longest, to rounding.
#[test]
fn longer_neighbours_change_no_bit() {
    for config in variants().into_iter().chain([wide().model(V)]) {
        let tolerance = if config.fused { 0.0 } else { 1e-5 };
        let model = model::<f32>(config);
        for gradients in [false, true] {
            let logits = |batch| logits_with(&model, &batch, gradients);
            let together = logits(batch(&[(5, 4), (40, 50), (1, 1)], (40, 50), PADDING));
            let alone = logits(batch(&[(5, 4)], (5, 4), PADDING));
            let worst = together[..4 * V].iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(alone.len() == 4 * V && worst <= tolerance, "{worst} {gradients} {:?}", model.config());
        }
    }
}

#[test]
fn the_token_of_the_padding_does_not_matter() {
    for config in variants() {
        let model = model::<f32>(config);
        let [a, b] = [PADDING, 2].map(|fill| logits(&model, &batch(&[(5, 4), (7, 9)], (7, 9), fill)));
        assert!(a[..4 * V] == b[..4 * V] && a[9 * V..] == b[9 * V..], "{:?}", model.config());
        assert!(a[..4 * V].iter().all(|x| x.is_finite()));
    }
    // Without the mask, it does.
    let model = model::<f32>(Config { padding_mask: false, ..config() }.model(V));
    let [a, b] = [PADDING, 2].map(|fill| logits(&model, &batch(&[(5, 4), (7, 9)], (7, 9), fill)));
    assert!(a[..4 * V] != b[..4 * V]);
}

#[test]
fn a_target_token_changes_no_logit_before_it() {
    for config in variants() {
        let model = model::<f32>(config);
        let batch = batch(&[(6, 8)], (6, 8), PADDING);
        let before = logits(&model, &batch);
        for t in 1..8 {
            let mut ids = batch.input.ids.to_vec();
            ids[t] = (ids[t] + 1) % 9;
            let changed = PairBatch { input: Tokens::new([1, 8], ids).unwrap(), ..batch.clone() };
            let after = logits(&model, &changed);
            assert!(after[..t * V] == before[..t * V], "{t} {:?}", model.config());
            assert!(after[t * V..(t + 1) * V] != before[t * V..(t + 1) * V], "{t}");
        }
    }
}

#[test]
fn shared_matrices_are_stored_once() {
    let count = |sharing| model::<f32>(Config { sharing, ..config() }.model(V)).params().count();
    let table = V * 32;
    assert_eq!(count(Sharing::TwoWay), count(Sharing::ThreeWay) + table);
    assert_eq!(count(Sharing::None), count(Sharing::ThreeWay) + 2 * table);
}

/// Token by token with caches, the decoder computes the hidden states of the whole target.
#[test]
fn cached_decoding_gives_the_states_of_the_whole_target() {
    for config in variants() {
        let model = model::<f64>(config);
        let batch = batch(&[(5, 6), (3, 6)], (5, 6), PADDING);
        let whole = logits(&model, &batch);
        let mut tape = Tape::without_gradients();
        let lengths: Arc<[usize]> = batch.source_lengths.clone();
        let memory = model.encode(&mut tape, &batch.source, &lengths).unwrap();
        let layers = model.keys_values(&mut tape, memory).unwrap();
        let mut cache = model.cache(2, 6);
        for t in 0..6 {
            let ids: Vec<u32> = (0..2).map(|row| batch.input.ids[row * 6 + t]).collect();
            let token = Tokens::new([2, 1], ids).unwrap();
            let source = (Encoded::KeysValues(&layers), &lengths);
            let x = model.decode(&mut tape, &token, &Mask::Causal, source, Some(&mut cache)).unwrap();
            let step = model.logits(&mut tape, x).unwrap();
            for (row, step) in tape.value(step).data().chunks(V).enumerate() {
                let want = &whole[(row * 6 + t) * V..][..V];
                assert!(
                    step.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12),
                    "{t} {:?}",
                    model.config()
                );
            }
        }
    }
}

#[test]
fn sequences_that_do_not_fit_are_refused() {
    let model = model::<f32>(Config { max_length: 8, ..config() }.model(V));
    let mut tape = Tape::new();
    for (lengths, to) in [((9, 3), (9, 3)), ((3, 9), (3, 9))] {
        let error = model.forward(&mut tape, &batch(&[lengths], to, PADDING)).unwrap_err().to_string();
        assert!(error.starts_with("the number of tokens is 9: a model sees at most max_length"), "{error}");
    }
    let other = batch(&[(3, 3)], (3, 3), PADDING);
    let other = PairBatch { source: Tokens::new([1, 3], vec![1, 99, 2]).unwrap(), ..other };
    assert!(model.forward(&mut tape, &other).is_err());
}
