//! The memory that training a GPT needs, from its settings alone.
//!
//! With B sequences of T tokens, C channels, H heads, V tokens in the vocabulary and L blocks, a pass keeps
//! these values until it ends:
//!
//! ```text
//! B T (16 C + H)     in each block: two norms, Q K V, the heads, two sub-layers, the hidden layer twice
//! B T (3 H T + 4 C)  in each block, if attention runs op by op: scores, masked weights, dropout
//! B T (2 V + 13 C)   once: the logits, and the gradients on their way back
//! 2 B T              for each pass of a shard: its tokens and their targets
//! ```
//!
//! An evaluation uses the memory of the steps: what counts is the larger of the two batches.

use m2g_core::memory::{Footprint, elements};
use m2g_core::nn::{MlpActivation, NormKind, NormPlace, Positions, Score};
use m2g_core::ranks::waiting_sums;

use crate::evaluation::full_pass_batch_size;
use crate::{Config, GptConfig};

impl GptConfig {
    /// The number of parameters, without a model being built.
    pub fn parameter_count(&self) -> u64 {
        let &Self { vocab_size: v, block_size: t, n_layer, n_embd: c, bias, norm, activation, .. } = self;
        let hidden = activation.usual_hidden(c);
        let biases = |n: usize| if bias { n as u64 } else { 0 };
        let linear =
            |inputs: usize, outputs: usize| elements(&[inputs, outputs]).saturating_add(biases(outputs));
        let norm_biases = if self.norm_kind == NormKind::Layer { biases(c) } else { 0 };
        let norms = |n: u64| if norm == NormPlace::None { 0 } else { n * (c as u64 + norm_biases) };
        let block = [
            norms(2),
            linear(c, 3 * c),
            linear(c, c),
            if self.score == Score::Additive { c as u64 } else { 0 },
            linear(c, activation.layers() * hidden),
            linear(hidden, c),
        ];
        let outside = [
            elements(&[v, c]),
            if self.positions == Positions::Learned { elements(&[t, c]) } else { 0 },
            if norm == NormPlace::Before { norms(1) } else { 0 },
            if self.tie_weights { 0 } else { elements(&[c, v]) },
        ];
        sum(&outside).saturating_add(sum(&block).saturating_mul(n_layer as u64))
    }

    /// The elements of the values that a pass over B sequences keeps.
    fn activations(&self, b: usize) -> u64 {
        let &Self { vocab_size: v, block_size: t, n_layer, n_head: h, n_embd: c, .. } = self;
        let op_by_op = !self.fused || !self.score.is_scaled_dot();
        let attention = if op_by_op { elements(&[3, h, t]).saturating_add(4 * c as u64) } else { 0 };
        // What the usual block, with a fused feed-forward layer, does not keep.
        let hidden = match self.activation {
            MlpActivation::Swiglu => 3 * self.activation.usual_hidden(c) - 8 * c,
            _ => 0,
        };
        let heads = 3 * c * (usize::from(self.qk_norm) + usize::from(self.value_residual));
        let block = (16 * c + h + hidden + heads) as u64 + attention;
        let capped = if self.logit_cap > 0.0 { 3 * v } else { 0 };
        let once = (2 * v + capped + 13 * c) as u64;
        elements(&[b, t]).saturating_mul(sum(&[once, block.saturating_mul(n_layer as u64)]))
    }
}

/// The memory that training this model needs.
pub(crate) fn footprint(config: &Config, model: &GptConfig) -> Footprint {
    let parameters = model.parameter_count();
    // An evaluation uses the memory of the steps.
    let values = model.activations(config.batch_size.max(full_pass_batch_size(model)));
    let passes = config.gradient_accumulation_steps;
    let tokens = elements(&[2, passes, config.batch_size, model.block_size]);
    // AdamW has two moments, and the parameters of several evaluations may be kept to be averaged.
    let kept = if config.average > 1 { config.average } else { 0 };
    let optimizer = parameters.saturating_mul(2 + kept as u64);
    Footprint {
        parameters,
        optimizer,
        activations: values.saturating_add(tokens),
        waiting_sums: waiting_sums(config.shards, passes),
    }
}

fn sum(terms: &[u64]) -> u64 {
    terms.iter().fold(0, |sum: u64, term| sum.saturating_add(*term))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::train::Model;
    use proptest::prelude::*;

    use super::*;
    use crate::Gpt;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_number_of_parameters_is_that_of_the_model(
            (v, t, n_layer, heads, d) in (1..40_usize, 1..9_usize, 1..4_usize, 1..4_usize, 1..4_usize),
            (bias, tie_weights) in any::<(bool, bool)>(),
            (positions, norm, score) in (0..5_usize, 0..3_usize, 0..2_usize),
            (norm_kind, activation) in (0..2_usize, 0..4_usize),
        ) {
            use MlpActivation::{Gelu, Relu, ReluSquared, Swiglu};
            use Positions::{Alibi, Learned, None, Rotary, Sinusoidal};
            let config = GptConfig {
                block_size: t,
                n_layer,
                n_head: heads,
                n_embd: 2 * heads * d,
                bias,
                tie_weights,
                positions: [Learned, Sinusoidal, Rotary, Alibi, None][positions],
                norm_kind: [NormKind::Layer, NormKind::Rms][norm_kind],
                activation: [Gelu, Relu, ReluSquared, Swiglu][activation],
                norm: [NormPlace::Before, NormPlace::After, NormPlace::None][norm],
                score: [Score::ScaledDot, Score::Additive][score],
                ..Config::default().model(v)
            };
            let gpt = Gpt::<f32>::zeros(config.clone()).unwrap();
            prop_assert_eq!(config.parameter_count(), gpt.params().count() as u64);
        }
    }

    #[test]
    fn batches_and_shards_of_a_step_need_memory() {
        let usual = Config::default();
        let need = |config: &Config| footprint(config, &config.model(65)).bytes() / 4;
        let (one, parameters) = (need(&usual), usual.model(65).parameter_count());
        assert_eq!(need(&Config { shards: 8, ..usual.clone() }), one + 2 * parameters);
        let passes = |n| Config { gradient_accumulation_steps: n, ..usual.clone() };
        assert_eq!(need(&Config { shards: 8, ..passes(2) }), need(&passes(2)) + 3 * parameters);
        assert_eq!(need(&passes(1 << 20)) - one, 2 * ((1 << 20) - 1) * 12 * 64);
    }

    #[test]
    fn absurd_settings_need_absurd_memory() {
        let usual = Config::default();
        let need = |config: &Config, v: usize| footprint(config, &config.model(v)).bytes();
        assert!(need(&usual, 65) < 1 << 29);
        for absurd in [
            Config { n_embd: 100_000, ..usual.clone() },
            Config { block_size: 1 << 20, batch_size: 1 << 20, fused: false, ..usual.clone() },
            Config { n_layer: 1000, n_head: 10_000, n_embd: 100_000, ..usual.clone() },
        ] {
            assert!(need(&absurd, 1 << 24) > 1 << 40);
        }
    }
}
