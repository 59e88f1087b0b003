//! The memory that training a translator needs, from its settings and the lengths of its sentences.
//!
//! With C = d_model, F = d_ff, H heads, V tokens in the vocabulary, and N tokens in a batch on each side, of sentences
//! of at most T tokens, a pass keeps these values until it ends:
//!
//! ```text
//! N (8 C + H + 2 F)     in each block of the encoder: two norms, Q K V, the heads, two sub-layers, and twice the hidden
//!                       layer
//! N (14 C + 2 H + 2 F)  in each block of the decoder: also those of cross-attention
//! N F                   in each block, with dropout of the hidden layer
//! N 3 C                 in each block, for rotary positions: Q K V once more
//! N (5 C + k H T)       in each attention layer, without fused ops, with k ops on its matrices, as
//!                       AttentionSettings::op_by_op_elements counts them
//! N C                   in each feed-forward layer, without fused ops: its output before it is added to the stream
//! N (2 V + 20 C)        once: the embeddings of both sides, the logits, and the gradients on their way back
//! N 2 H T               once, without fused ops: the gradients of the matrices of attention
//! 3 N                   for each batch of a shard: the source, the target as input, and the target
//! ```
//!
//! An evaluation drops nothing and has no gradients, and batches of its own size. It shares the memory of the steps, if
//! these are not much smaller or larger: see [`in_turn`]. If it translates, it has packed weights too. Its batches of
//! sentences fit into the memory that is left.

use m2g_core::memory::{Footprint, elements, in_turn, of_adamw, sum};
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

    /// The elements of all values of a source of S tokens and a target of T tokens that are kept to be inspected;
    /// `backward` with their gradients.
    pub(crate) fn inspected_elements(&self, s: usize, t: usize, backward: bool) -> u64 {
        let longest = s.max(t);
        let once = (self.vocab_size + 10 * self.d_model) as u64;
        let values = blocks(self, longest, false).saturating_add(once).saturating_mul(longest as u64);
        values.saturating_mul(if backward { 2 } else { 1 })
    }
}

/// A stack of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    Encoder,
    Decoder,
}

/// The elements that a block keeps for each token of sentences of at most T tokens, in a training step or without
/// dropout.
fn block(model: &TransformerConfig, stack: Stack, t: usize, is_step: bool) -> u64 {
    let &TransformerConfig { d_model: c, d_ff: f, n_head: h, .. } = model;
    let (attention_layers, usual) = match stack {
        Stack::Encoder => (1, 8 * c + 2 * f),
        Stack::Decoder => (2, 14 * c + 2 * f),
    };
    let dropped = if is_step && model.relu_dropout > 0.0 { f } else { 0 };
    let rotated = if model.positions == Positions::Rotary { 3 * c } else { 0 };
    let mut attention = model.block_settings(stack == Stack::Decoder, 0.0).attention;
    if !is_step {
        attention.dropout = 0.0;
    }
    let (of_attention, of_feed_forward) = match model.fused {
        true => (h as u64, 0),
        false => (attention.op_by_op_elements(c, t).saturating_add(c as u64), c as u64),
    };
    sum(&[(usual + dropped + rotated) as u64, of_attention.saturating_mul(attention_layers), of_feed_forward])
}

/// The elements that all blocks keep for each token.
fn blocks(model: &TransformerConfig, t: usize, is_step: bool) -> u64 {
    let of = |stack, layers: usize| block(model, stack, t, is_step).saturating_mul(layers as u64);
    of(Stack::Encoder, model.encoder_layers).saturating_add(of(Stack::Decoder, model.decoder_layers))
}

/// The elements of the values of a training step on a batch of `n` tokens on each side, of sentences of at most T
/// tokens.
fn step(model: &TransformerConfig, n: usize, t: usize) -> u64 {
    let &TransformerConfig { vocab_size: v, d_model: c, n_head: h, .. } = model;
    let gradients = if model.fused { 0 } else { elements(&[2, h, t]) };
    sum(&[blocks(model, t, true), (2 * v + 20 * c) as u64, gradients]).saturating_mul(n as u64)
}

/// The memory that training this model needs. The two lengths are those of the longest sentences, in tokens, of the
/// training pairs and of the validation pairs.
pub(crate) fn footprint(
    config: &Config,
    model: &TransformerConfig,
    [longest, longest_of_validation]: [usize; 2],
) -> Footprint {
    let &TransformerConfig { vocab_size: v, d_model: c, .. } = model;
    // A longer pair is a batch of its own.
    let n = config.batch_tokens.max(longest);
    let of_evaluation = EVALUATION_TOKENS.max(longest_of_validation);
    let evaluation = blocks(model, longest_of_validation, false).saturating_add((v + 10 * c) as u64);
    let values = in_turn(vec![
        (n, step(model, n, longest)),
        (of_evaluation, evaluation.saturating_mul(of_evaluation as u64)),
    ]);
    let parameters = model.parameter_count();
    let packed = if config.eval_translations > 0 { parameters } else { 0 };
    let optimizer = of_adamw(parameters, config.average);
    let batches = config.gradient_accumulation_steps;
    let tokens = elements(&[3, batches, n]);
    Footprint {
        parameters,
        optimizer,
        activations: sum(&[values, packed, tokens]),
        waiting_sums: waiting_sums(config.shards, batches),
    }
}

/// The elements that translating a source of N tokens holds, in each of the sentences of a batch:
///
/// ```text
/// N                   times what each block of the encoder keeps for a token
/// N (2 C)             in each block of the decoder: K and V of the source
/// 2 T (2 C)           for each hypothesis of T tokens in each block of the decoder: its K and V, and a copy
/// T                   instead, without a cache, times what each block keeps: all tokens are computed again
/// 2 V + 24 beam       for each hypothesis: the logits, and its likeliest next tokens
/// ```
///
/// A translation is taken to be `extra_length` tokens longer than its source.
pub(crate) fn decoding_elements(model: &TransformerConfig, options: &Options, source: usize) -> u64 {
    let &TransformerConfig { vocab_size: v, d_model: c, encoder_layers, decoder_layers, .. } = model;
    let target = source.saturating_add(options.extra_length).min(model.max_length);
    let longest = source.min(model.max_length).max(target);
    let [encoder, decoder] =
        [Stack::Encoder, Stack::Decoder].map(|stack| block(model, stack, longest, false));
    let earlier = if options.cache { 4 * c as u64 } else { decoder };
    let earlier = elements(&[target, decoder_layers]).saturating_mul(earlier);
    let hypothesis = sum(&[earlier, (2 * v + 24 * options.beam) as u64]);
    sum(&[
        elements(&[source, encoder_layers]).saturating_mul(encoder),
        elements(&[source, decoder_layers, 2 * c]),
        hypothesis.saturating_mul(options.beam as u64),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use m2g_core::rng::Streams;
    use m2g_core::train::Model;
    use m2g_core::{Grads, Tape, Tokens};

    use super::*;
    use crate::{PairBatch, Transformer};

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

    /// The estimate for a training step on B pairs of T tokens on each side, as a multiple of the buffers that it
    /// needs.
    fn estimated(model: &TransformerConfig, b: usize, t: usize) -> f64 {
        let transformer = Transformer::<f32>::new(model.clone(), 1).unwrap();
        let tokens = || Tokens::new([b, t], vec![1; b * t]).unwrap();
        let lengths: Arc<[usize]> = vec![t; b].into();
        let batch = PairBatch {
            source: tokens(),
            source_lengths: lengths.clone(),
            input: tokens(),
            target: tokens(),
            target_lengths: lengths,
            padding: 0,
            rows: None,
        };
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_dropout(Some(Streams::new(1).dropout(0)));
        let loss = transformer.loss(&mut tape, &batch).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        // The buffers of the tape hold the gradients of the parameters too.
        (step(model, b * t, t) + model.parameter_count()) as f64 / (tape.bytes() / 4) as f64
    }

    #[test]
    fn each_setting_that_keeps_more_values_needs_memory() {
        let usual = TransformerConfig { d_model: 64, d_ff: 128, n_head: 4, ..Config::default().model(64) };
        let with = |change: fn(&mut TransformerConfig)| {
            let mut model = usual.clone();
            change(&mut model);
            model
        };
        for model in [
            with(|_| {}),
            with(|model| (model.dropout, model.relu_dropout) = (0.1, 0.1)),
            with(|model| model.positions = Positions::Rotary),
            with(|model| model.norm = NormPlace::After),
            with(|model| model.fused = false),
        ] {
            let ratio = estimated(&model, 64, 16);
            assert!((0.75..1.3).contains(&ratio), "{ratio:.2} times what {model:?} needs");
        }
    }

    #[test]
    fn matrices_of_attention_op_by_op_need_memory() {
        let usual = TransformerConfig { d_model: 16, d_ff: 16, n_head: 8, ..Config::default().model(16) };
        for attention_dropout in [0.0, 0.1] {
            let model = TransformerConfig { fused: false, attention_dropout, ..usual.clone() };
            let ratio = estimated(&model, 4, 128);
            assert!((0.85..1.2).contains(&ratio), "{ratio:.2} times what {model:?} needs");
        }
        let config = Config { fused: false, ..Config::default() };
        let need = |longest| footprint(&config, &config.model(1000), longest).bytes();
        assert!(need([80, 40]) > need([40, 40]) && need([40, 80]) > need([40, 40]));
    }

    #[test]
    fn matrices_of_attention_that_are_inspected_need_memory() {
        let model = TransformerConfig { d_model: 16, d_ff: 16, fused: false, ..Config::default().model(16) };
        let need = |s, t, backward| model.inspected_elements(s, t, backward);
        assert!(need(2000, 2000, false) > 3 * need(1000, 1000, false));
        assert!(need(10, 1000, false) == need(1000, 10, false) && need(9, 9, true) == 2 * need(9, 9, false));
    }

    #[test]
    fn decoding_needs_memory_for_each_sentence_and_hypothesis() {
        let model = Config::default().model(1000);
        let usual = Options::default();
        let need = |options: &Options, source| decoding_elements(&model, options, source);
        let one = need(&usual, 20);
        assert!(need(&usual, 40) > one && need(&Options { beam: 8, ..usual }, 20) > one);
        assert!(need(&Options { cache: false, ..usual }, 20) > one);
        let op_by_op = TransformerConfig { fused: false, ..model.clone() };
        assert!(decoding_elements(&op_by_op, &usual, 20) > one);
        // What counts is a sentence, not how many a batch may have.
        assert_eq!(need(&Options { batch: 1 << 40, ..usual }, 20), one);
        assert_eq!(need(&usual, usize::MAX), u64::MAX);
    }

    #[test]
    fn evaluations_that_translate_need_packed_weights() {
        let config = Config::default();
        let model = config.model(1000);
        let need = |config: &Config| footprint(config, &model, [40; 2]).bytes() / 4;
        let without = Config { eval_translations: 0, ..config.clone() };
        assert_eq!(need(&config), need(&without) + model.parameter_count());
    }

    #[test]
    fn batches_and_shards_of_a_step_need_memory() {
        let usual = Config::default();
        let model = usual.model(1000);
        let need = |config: &Config| footprint(config, &model, [40; 2]).bytes() / 4;
        let (one, parameters) = (need(&usual), model.parameter_count());
        assert_eq!(need(&Config { shards: 8, ..usual.clone() }), one + 2 * parameters);
        let two = Config { gradient_accumulation_steps: 2, ..usual };
        assert_eq!(need(&two), one + 3 * 1024);
        assert_eq!(need(&Config { shards: 8, ..two.clone() }), need(&two) + 3 * parameters);
    }

    #[test]
    fn absurd_settings_need_absurd_memory() {
        let absurd = Config { d_model: 100_000, d_ff: 1_000_000, ..Config::default() };
        assert!(footprint(&absurd, &absurd.model(1 << 20), [40; 2]).bytes() > 1 << 40);
    }
}
