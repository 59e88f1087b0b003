//! The memory that training a translator needs, from its settings alone.
//!
//! With C = d_model, F = d_ff, V tokens in the vocabulary, and N tokens in a batch on each side, a pass keeps
//! these values until it ends:
//!
//! ```text
//! N (9 C + 3 F)     in each block of the encoder: two norms, Q K V, the heads, two sub-layers, the hidden layer
//! N (15 C + 3 F)    in each block of the decoder: also those of cross-attention
//! N (2 V + 13 C)    once: the logits, and the gradients on their way back
//! 3 N               for each batch of a shard: the source, the target as input, and the target
//! ```
//!
//! An evaluation has the logits, but no gradients, and batches of its own size. It uses the memory of the steps. If it
//! translates, it has packed weights too. Its batches of sentences fit into the memory that is left.

use m2g_core::memory::{Footprint, elements};
use m2g_core::nn::{NormPlace, Positions};
use m2g_core::ranks::waiting_sums;

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
    let packed = if config.eval_translations > 0 { parameters } else { 0 };
    // AdamW has two moments, and the parameters of several evaluations may be kept to be averaged.
    let kept = if config.average > 1 { config.average } else { 0 };
    let optimizer = parameters.saturating_mul(2 + kept as u64);
    let batches = config.gradient_accumulation_steps;
    let tokens = elements(&[3, batches, config.batch_tokens]);
    Footprint {
        parameters,
        optimizer,
        activations: sum(&[step.max(evaluation), packed, tokens]),
        waiting_sums: waiting_sums(config.shards, batches),
    }
}

/// The elements that translating a source of N tokens holds, in each of the sentences of a batch:
///
/// ```text
/// N (9 C + 3 F)       in each block of the encoder
/// N (2 C)             in each block of the decoder: K and V of the source
/// 2 T (2 C)           for each hypothesis of T tokens in each block of the decoder: its K and V, and a copy
/// T (15 C + 3 F)      instead, without a cache: all tokens are computed again
/// 2 V + 24 beam       for each hypothesis: the logits, and its likeliest next tokens
/// ```
///
/// A translation is taken to be `extra_length` tokens longer than its source.
pub(crate) fn decoding_elements(model: &TransformerConfig, options: &Options, source: usize) -> u64 {
    let &TransformerConfig { vocab_size: v, d_model: c, d_ff: f, encoder_layers, decoder_layers, .. } = model;
    let target = source.saturating_add(options.extra_length).min(model.max_length);
    let earlier = if options.cache { 4 * c } else { 15 * c + 3 * f };
    let hypothesis = sum(&[elements(&[target, decoder_layers, earlier]), (2 * v + 24 * options.beam) as u64]);
    sum(&[
        elements(&[source, encoder_layers, 9 * c + 3 * f]),
        elements(&[source, decoder_layers, 2 * c]),
        hypothesis.saturating_mul(options.beam as u64),
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
        let need = |options: &Options, source| decoding_elements(&model, options, source);
        let one = need(&usual, 20);
        assert!(need(&usual, 40) > one && need(&Options { beam: 8, ..usual }, 20) > one);
        assert!(need(&Options { cache: false, ..usual }, 20) > one);
        // What counts is a sentence, not how many a batch may have.
        assert_eq!(need(&Options { batch: 1 << 40, ..usual }, 20), one);
        assert_eq!(need(&usual, usize::MAX), u64::MAX);
    }

    #[test]
    fn evaluations_that_translate_need_packed_weights() {
        let config = Config::default();
        let model = config.model(1000);
        let need = |config: &Config| footprint(config, &model).bytes() / 4;
        let without = Config { eval_translations: 0, ..config.clone() };
        assert_eq!(need(&config), need(&without) + model.parameter_count());
    }

    #[test]
    fn batches_and_shards_of_a_step_need_memory() {
        let usual = Config::default();
        let model = usual.model(1000);
        let need = |config: &Config| footprint(config, &model).bytes() / 4;
        let (one, parameters) = (need(&usual), model.parameter_count());
        assert_eq!(need(&Config { shards: 8, ..usual.clone() }), one + 2 * parameters);
        let two = Config { gradient_accumulation_steps: 2, ..usual };
        assert_eq!(need(&two), one + 3 * 1024);
        assert_eq!(need(&Config { shards: 8, ..two.clone() }), need(&two) + 3 * parameters);
    }

    #[test]
    fn absurd_settings_need_absurd_memory() {
        let absurd = Config { d_model: 100_000, d_ff: 1_000_000, ..Config::default() };
        assert!(footprint(&absurd, &absurd.model(1 << 20)).bytes() > 1 << 40);
    }
}
