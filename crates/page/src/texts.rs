//! Tests that the page has a text for every name that the core gives.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use m2g_core::Mask;
use m2g_core::nn::{MlpActivation, NormKind, Positions, Score};
use m2g_gpt::inspect::{default_tokens, untrained};
use m2g_gpt::{Gpt, GptConfig};

/// The keys of all texts of the page: `gpt.title`.
fn keys() -> HashSet<String> {
    let strings = include_str!("../assets/strings.js");
    let mut group = String::new();
    let mut keys = HashSet::new();
    for line in strings.split('`').nth_back(1).unwrap().trim().lines() {
        match line.split_once('\t') {
            Some((key, _)) => assert!(keys.insert(format!("{group}{key}")), "{group}{key} twice"),
            None => group = format!("{}.", line.strip_prefix("# ").unwrap()),
        }
    }
    keys
}

#[test]
fn every_score_mask_and_measure_has_a_text() {
    let keys = keys();
    let scores = Score::ALL.map(|score| format!("score.{}", serde_json::json!(score).as_str().unwrap()));
    let masks = ["causal", "reversed", "none", "window:8", "finite"].map(|name| {
        let mask: Mask = name.parse().unwrap();
        format!("mask.{}", mask.to_string().split(':').next().unwrap())
    });
    let measures = ["val_loss", "validation_accuracy", "train_loss", "loss", "val_bleu", "lr", "grad_norm"];
    let measures = measures.map(|name| format!("metric.{name}"));
    for key in scores.iter().chain(&masks).chain(&measures) {
        assert!(keys.contains(key), "{key}");
    }
}

#[test]
fn every_op_of_a_gpt_has_a_text() {
    let keys = keys();
    let (_, description) = untrained().unwrap();
    let base = GptConfig {
        vocab_size: 12,
        n_layer: 1,
        n_head: 2,
        n_embd: 8,
        block_size: 8,
        fused: false,
        ..description.model
    };
    let mut all: Vec<GptConfig> =
        Score::ALL.into_iter().map(|score| GptConfig { score, ..base.clone() }).collect();
    for positions in [Positions::Sinusoidal, Positions::Rotary, Positions::Alibi, Positions::None] {
        all.push(GptConfig { positions, ..base.clone() });
    }
    for activation in [MlpActivation::Relu, MlpActivation::ReluSquared, MlpActivation::Swiglu] {
        all.push(GptConfig { activation, ..base.clone() });
    }
    all.push(GptConfig { norm_kind: NormKind::Rms, qk_norm: true, ..base.clone() });
    all.push(GptConfig { value_residual: true, n_layer: 2, ..base.clone() });
    all.push(GptConfig { logit_cap: 30.0, ..base.clone() });
    let mut without = HashSet::new();
    for config in all {
        let gpt = Gpt::new(config, 1).unwrap();
        let inspection = gpt.inspect(None, &default_tokens(None, 12, 8), false).unwrap();
        for op in inspection.step.ops(None) {
            let (label, name) = (op["label"].as_str().unwrap_or_default(), op["op"].as_str().unwrap());
            // As ops.js names it: by the last part of its label, else by its function.
            let last = label.rsplit('.').next().unwrap_or_default();
            let is_block = !last.is_empty() && last.chars().all(|c| c.is_ascii_digit());
            let known = |name: &str| keys.contains(&format!("op.{name}"));
            if !is_block && !known(last) && !known(name) {
                without.insert(format!("{name} ({label})"));
            }
        }
    }
    assert!(without.is_empty(), "{without:?}");
}
