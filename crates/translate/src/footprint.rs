//! The memory that training a translator needs, from its settings alone.
//!
//! With C = d_model, F = d_ff, V tokens in the vocabulary, and N tokens in a batch on each side, a pass keeps
//! these values until it ends:
//!
//! ```text
//! N (9 C + 3 F)     in each block of the encoder: two norms, Q K V, the heads, two sub-layers, the hidden layer
//! N (15 C + 3 F)    in each block of the decoder: also those of cross-attention
//! N (2 V + 13 C)    once: the logits, and the gradients on their way back
//! ```
//!
//! An evaluation has the logits, but no gradients, and batches of its own size. It uses the memory of the steps.

use m2g_core::memory::{Footprint, elements};
use m2g_core::nn::{NormPlace, Positions};

use crate::data::EVALUATION_TOKENS;
use crate::decode::Options;
use crate::{Config, Sharing, TransformerConfig};

impl TransformerConfig {
    /// The number of parameters, without a model being built.
    pub fn parameter_count(&self) -> u64 {
        let &Self { vocab_size: v, d_model: c, d_ff: f, norm, .. } = self;
        let linear = |inputs: usize, outputs: usize| elements(&[inputs + 1, outputs]);
        let norms = |n: usize| if norm == NormPlace::None { 0 } else { elements(&[2 * n, c]) };
        let encoder = sum(&[norms(2), linear(c, 3 * c), linear(c, c), linear(c, f), linear(f, c)]);
        let decoder = sum(&[encoder, norms(1), linear(c, c), linear(c, 2 * c), linear(c, c)]);
        let tables = match self.sharing {
            Sharing::ThreeWay => 1,
            Sharing::TwoWay => 2,
            Sharing::None => 3,
        };
        sum(&[
            elements(&[tables, v, c]),
            if self.positions == Positions::Learned { elements(&[2, self.max_length, c]) } else { 0 },
            encoder.saturating_mul(self.encoder_layers as u64),
            decoder.saturating_mul(self.decoder_layers as u64),
            if norm == NormPlace::Before { norms(2) } else { 0 },
        ])
    }
}

/// The memory that training this model needs.
pub(crate) fn footprint(config: &Config, model: &TransformerConfig) -> Footprint {
    let &TransformerConfig { vocab_size: v, d_model: c, d_ff: f, encoder_layers, decoder_layers, .. } = model;
    let blocks =
        sum(&[elements(&[encoder_layers, 9 * c + 3 * f]), elements(&[decoder_layers, 15 * c + 3 * f])]);
    let step = sum(&[blocks, (2 * v + 13 * c) as u64]).saturating_mul(config.batch_tokens as u64);
    let evaluation = sum(&[blocks, v as u64]).saturating_mul(EVALUATION_TOKENS as u64);
    let parameters = model.parameter_count();
    // AdamW has two moments, and the parameters of several evaluations may be kept to be averaged.
    let kept = if config.average > 1 { config.average } else { 0 };
    let optimizer = parameters.saturating_mul(2 + kept as u64);
    Footprint { parameters, optimizer, activations: step.max(evaluation) }
}

/// The elements that translating a batch of sources of this length holds: the values of the encoder, `N (9 C + 3 F)` in each block for N tokens
/// with padding; K and V of the source in each decoder block; those of every hypothesis, and the copies that they came
/// from; and the logits. A translation is taken to be `extra_length` tokens longer than its source.
pub(crate) fn decoding_elements(
    model: &TransformerConfig,
    options: &Options,
    (batch, source): (usize, usize),
) -> u64 {
    let &TransformerConfig { vocab_size: v, d_model: c, d_ff: f, encoder_layers, decoder_layers, .. } = model;
    let hypotheses = batch.saturating_mul(options.beam);
    let target = source.saturating_add(options.extra_length).min(model.max_length);
    sum(&[
        elements(&[batch, source, encoder_layers, 9 * c + 3 * f]),
        elements(&[batch, source, decoder_layers, 2 * c]),
        elements(&[2, hypotheses, target, decoder_layers, 2 * c]),
        elements(&[2, hypotheses, v]),
    ])
}

fn sum(terms: &[u64]) -> u64 {
    terms.iter().fold(0, |sum: u64, term| sum.saturating_add(*term))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::train::Model;

    use super::*;
    use crate::Transformer;

    #[test]
    fn the_number_of_parameters_is_that_of_the_model() {
        for sharing in [Sharing::ThreeWay, Sharing::TwoWay, Sharing::None] {
            for norm in [NormPlace::Before, NormPlace::After, NormPlace::None] {
                for positions in [Positions::Learned, Positions::Sinusoidal] {
                    let config = TransformerConfig {
                        encoder_layers: 1,
                        decoder_layers: 2,
                        d_model: 8,
                        d_ff: 12,
                        n_head: 2,
                        max_length: 7,
                        sharing,
                        norm,
                        positions,
                        ..Config::default().model(11)
                    };
                    let model = Transformer::<f32>::new(config.clone(), 1).unwrap();
                    assert_eq!(config.parameter_count(), model.params().count() as u64, "{config:?}");
                }
            }
        }
    }

    #[test]
    fn decoding_needs_memory_for_each_sentence_and_hypothesis() {
        let model = Config::default().model(1000);
        let usual = Options::default();
        let need = |options: &Options, size| decoding_elements(&model, options, size);
        let one = need(&usual, (1, 20));
        assert_eq!(need(&usual, (32, 20)), 32 * one);
        assert!(need(&usual, (1, 40)) > one && need(&Options { beam: 8, ..usual }, (1, 20)) > one);
        // What counts is how many sentences there are, not how many a batch may have.
        assert_eq!(need(&Options { batch: 1 << 40, ..usual }, (1, 20)), one);
        assert_eq!(need(&usual, (usize::MAX, 20)), u64::MAX);
    }

    #[test]
    fn absurd_settings_need_absurd_memory() {
        let absurd = Config { d_model: 100_000, d_ff: 1_000_000, ..Config::default() };
        assert!(footprint(&absurd, &absurd.model(1 << 20)).bytes() > 1 << 40);
    }
}
