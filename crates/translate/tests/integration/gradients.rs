//! The gradients of a model with any settings agree with finite differences.
#![allow(clippy::unwrap_used)]

use m2g_core::gradcheck::{self, TOLERANCE};
use m2g_core::nn::{NormPlace, Positions};
use m2g_core::rng::Streams;
use m2g_core::train::Model;
use m2g_core::{Precision, Tokens};
use m2g_translate::{Config, PairBatch, Sharing, TransformerConfig};
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{PADDING, V, batch, config, model};

/// Small models with every setting that changes what they compute.
fn configurations() -> impl Strategy<Value = TransformerConfig> {
    let positions = [Positions::Sinusoidal, Positions::Learned, Positions::Rotary, Positions::None];
    let kinds = (
        select(vec![Sharing::ThreeWay, Sharing::TwoWay, Sharing::None]),
        select(positions.to_vec()),
        select(vec![NormPlace::After, NormPlace::Before, NormPlace::None]),
    );
    let share = || select(vec![0.0, 0.3]);
    let shares = (share(), share(), share(), share());
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    let layers = (1..=2_usize, 1..=2_usize);
    (kinds, shares, switches, layers).prop_map(|(kinds, shares, switches, (encoder, decoder))| {
        let (sharing, positions, norm) = kinds;
        let (dropout, attention_dropout, relu_dropout, label_smoothing) = shares;
        let (scale_embeddings, padding_mask, fused) = switches;
        let small = Config { d_model: 4, d_ff: 6, n_head: 2, max_length: 6, ..config() };
        let settings = Config {
            encoder_layers: encoder,
            decoder_layers: decoder,
            sharing,
            positions,
            norm,
            dropout,
            attention_dropout,
            relu_dropout,
            label_smoothing,
            scale_embeddings,
            padding_mask,
            fused,
            precision: Precision::F32,
            ..small
        };
        settings.model(V)
    })
}

/// The targets with padding after their lengths.
fn padded(batch: &PairBatch) -> Tokens {
    let t = batch.target.shape[1];
    let ids = batch.target.ids.iter().enumerate();
    let ids = ids.map(|(i, &id)| if i % t < batch.target_lengths[i / t] { id } else { PADDING });
    Tokens::new(batch.target.shape, ids.collect::<Vec<_>>()).unwrap()
}

/// The largest relative difference, with the same dropout mask each time.
fn worst(settings: TransformerConfig, lengths: &[(usize, usize)]) -> gradcheck::Worst {
    let mut model = model::<f64>(settings);
    let batch = batch(lengths, (5, 4), PADDING);
    let batch = PairBatch { target: padded(&batch), ..batch };
    let mut params = model.params().clone();
    gradcheck::worst(&mut params, |tape, params| {
        *model.params_mut() = params.clone();
        tape.set_dropout(Some(Streams::new(1).dropout(3)));
        model.loss(tape, &batch)
    })
    .unwrap()
}

#[test]
fn gradients_match_finite_differences() {
    for (sharing, positions, norm) in [
        (Sharing::ThreeWay, Positions::Sinusoidal, NormPlace::After),
        (Sharing::TwoWay, Positions::Learned, NormPlace::Before),
        (Sharing::None, Positions::Rotary, NormPlace::After),
    ] {
        let small =
            Config { encoder_layers: 1, decoder_layers: 1, d_model: 4, d_ff: 6, n_head: 2, ..config() };
        let config = Config { max_length: 6, sharing, positions, norm, dropout: 0.0, ..small };
        let worst = worst(config.model(V), &[(3, 2), (5, 4)]);
        assert!(worst.error < TOLERANCE, "{sharing:?}: {worst:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 32).max(1)))]

    #[test]
    fn gradients_of_any_settings_match_finite_differences(
        settings in configurations(), first in (1..=5_usize, 1..=4_usize), second in (1..=5_usize, 1..=4_usize),
    ) {
        let worst = worst(settings, &[first, second]);
        prop_assert!(worst.error < TOLERANCE && !worst.param.is_empty(), "{:?}", worst);
    }
}
