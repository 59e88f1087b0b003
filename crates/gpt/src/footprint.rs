//! The memory that training a GPT needs, from its settings and the size of its data.
//!
//! With B sequences of T tokens, C channels, H heads, V tokens in the vocabulary and L blocks, a pass keeps
//! these values until it ends:
//!
//! ```text
//! B T (16 C + H)     in each block: two norms, Q K V, the heads, two sub-layers, the hidden layer twice
//! B T 3 C            in each block, each, for rotary positions, qk_norm and value_residual: Q K V once more
//! B T 2 C            in each block, without fused ops: the sub-layers before they are added to the stream
//! B T (4 C + k H T)  in each block, if attention runs op by op, with k ops on its matrices, as
//!                    AttentionSettings::op_by_op_elements counts them
//! H T T              in each block, if so: ALiBi's distances
//! B T (2 V + 13 C)   once: the logits, and the gradients on their way back
//! B T 4 V            once, with a cap: the steps to the capped logits, and one more gradient
//! B T 2 H T          once, if attention runs op by op: the gradients of its matrices
//! 2 B T              for each pass of a shard: its tokens and their targets
//! ```
//!
//! An evaluation drops nothing and has no gradients, and batches of its own size. It shares the memory of the steps, if
//! these are not much smaller or larger: see [`in_turn`].

use m2g_core::memory::{Footprint, elements, in_turn, of_adamw, sum};
use m2g_core::nn::{AttentionSettings, MlpActivation, NormKind, NormPlace, Positions, Score};
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

    /// The elements of the matrices between the embeddings and the output, which Muon updates.
    fn hidden_matrices(&self) -> u64 {
        let &Self { n_layer, n_embd: c, activation, .. } = self;
        let (layers, hidden) = (activation.layers() + 1, activation.usual_hidden(c));
        elements(&[4, c, c]).saturating_add(elements(&[layers, c, hidden])).saturating_mul(n_layer as u64)
    }

    /// The elements of the values of a pass over B sequences.
    fn activations(&self, b: usize, pass: Pass) -> u64 {
        let &Self { vocab_size: v, block_size: t, n_layer, n_head: h, n_embd: c, .. } = self;
        let op_by_op = !self.fused || !self.score.is_scaled_dot();
        let (matrices, gradients, distances) = if op_by_op {
            let dropout = if pass == Pass::Step { self.dropout } else { 0.0 };
            let attention = AttentionSettings { dropout, ..self.block_settings(0.0).attention };
            let alibi = self.positions == Positions::Alibi;
            let distances = if alibi { elements(&[n_layer, h, t, t]) } else { 0 };
            (attention.op_by_op_elements(c, t), elements(&[2, h, t]), distances)
        } else {
            (0, 0, 0)
        };
        // What the usual block, with a fused feed-forward layer, does not keep.
        let hidden = match self.activation {
            MlpActivation::Swiglu => 3 * self.activation.usual_hidden(c) - 8 * c,
            _ => 0,
        };
        let more_qkv = [self.positions == Positions::Rotary, self.qk_norm, self.value_residual];
        let more_qkv = 3 * c * more_qkv.into_iter().filter(|&copies| copies).count();
        let branches = if self.fused { 0 } else { 2 * c };
        let block = ((16 * c + h + hidden + more_qkv + branches) as u64).saturating_add(matrices);
        // With a cap, three more steps to the logits, and one more gradient.
        let capped = self.logit_cap > 0.0;
        let (logits, vectors, gradients) = match pass {
            Pass::Step => (if capped { 6 } else { 2 }, 13, gradients),
            Pass::Evaluation => (if capped { 4 } else { 1 }, 3, 0),
        };
        let once = (logits * v + vectors * c) as u64;
        let of_tokens = sum(&[once, gradients, block.saturating_mul(n_layer as u64)]);
        elements(&[b, t]).saturating_mul(of_tokens).saturating_add(distances)
    }

    /// The elements of all values of T tokens that are kept to be inspected; `backward` with their gradients.
    pub(crate) fn inspected_elements(&self, t: usize, backward: bool) -> u64 {
        let values = Self { block_size: t, ..self.clone() }.activations(1, Pass::Evaluation);
        values.saturating_mul(if backward { 2 } else { 1 })
    }
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// A training step: with dropout, and gradients.
    Step,
    /// An evaluation: without.
    Evaluation,
}

/// The memory that training this model needs. `val` is the number of tokens of the validation split, if it is known.
pub(crate) fn footprint(config: &Config, model: &GptConfig, val: Option<usize>) -> Footprint {
    let b = config.batch_size;
    let mut values = vec![(b, model.activations(b, Pass::Step))];
    values.extend(evaluated(model, val).map(|b| (b, model.activations(b, Pass::Evaluation))));
    let values = in_turn(values);
    let passes = config.gradient_accumulation_steps;
    let tokens = elements(&[2, passes, b, model.block_size]);
    Footprint {
        parameters: model.parameter_count(),
        optimizer: optimizer(config, model),
        activations: values.saturating_add(tokens),
        waiting_sums: waiting_sums(config.shards, passes),
    }
}

/// The batch sizes of an evaluation on a split of `tokens` tokens: that of all full batches, and that of the last one.
fn evaluated(model: &GptConfig, tokens: Option<usize>) -> impl Iterator<Item = usize> {
    let most = full_pass_batch_size(model);
    let windows = tokens.map_or(most, |tokens| tokens.saturating_sub(1) / model.block_size).max(1);
    [windows.min(most), windows % most].into_iter().filter(|&windows| windows > 0)
}

/// The elements of the optimiser's tensors.
fn optimizer(config: &Config, model: &GptConfig) -> u64 {
    let all = of_adamw(model.parameter_count(), config.average);
    if config.muon_learning_rate == 0.0 {
        return all;
    }
    // Muon has one moment, and the memory of the update of a matrix and of the products that make it orthogonal.
    let (c, hidden) = (model.n_embd, model.activation.usual_hidden(model.n_embd));
    let update = elements(&[2, c, hidden]).saturating_add(elements(&[2, c, c]));
    all.saturating_sub(model.hidden_matrices()).saturating_add(update)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use m2g_core::rng::Streams;
    use m2g_core::train::Model;
    use m2g_core::{Grads, Tape, Tokens};
    use proptest::prelude::*;

    use super::*;
    use crate::{Gpt, TokenBatch};

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
            let hidden = gpt.params().iter().filter(|param| param.hidden_matrices > 0);
            let hidden: usize = hidden.map(|param| param.value.len()).sum();
            prop_assert_eq!(config.hidden_matrices(), hidden as u64);
        }
    }

    /// The estimate for a training step on B sequences, as a multiple of the buffers that it needs.
    fn estimated(model: &GptConfig, b: usize) -> f64 {
        let gpt = Gpt::<f32>::new(model.clone(), 1).unwrap();
        let t = model.block_size;
        let tokens = || Tokens::new([b, t], vec![1; b * t]).unwrap();
        let batch = TokenBatch { x: tokens(), y: tokens() };
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_dropout(Some(Streams::new(1).dropout(0)));
        let loss = gpt.loss(&mut tape, &batch).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        // The buffers of the tape hold the gradients of the parameters too. Data, such as distances, are elsewhere.
        let distances = match model.positions {
            Positions::Alibi if !model.fused => model.n_layer * model.n_head * t * t,
            _ => 0,
        };
        let needed = (tape.bytes() / 4 + distances) as f64;
        (model.activations(b, Pass::Step) + model.parameter_count()) as f64 / needed
    }

    #[test]
    fn matrices_of_attention_op_by_op_need_memory() {
        let usual =
            Config { n_layer: 3, n_head: 8, n_embd: 16, block_size: 128, dropout: 0.0, ..Config::default() };
        let usual = GptConfig { fused: false, ..usual.model(16) };
        let alibi = Positions::Alibi;
        let models = Score::ALL.map(|score| GptConfig { score, ..usual.clone() });
        let models = models.into_iter().flat_map(|model| {
            let dropout = GptConfig { dropout: 0.1, ..model.clone() };
            [
                GptConfig { positions: alibi, ..model.clone() },
                GptConfig { positions: alibi, ..dropout.clone() },
                dropout,
                model,
            ]
        });
        for model in models {
            let ratio = estimated(&model, 4);
            assert!((0.85..1.2).contains(&ratio), "{ratio:.2} times what {model:?} needs");
        }
    }

    #[test]
    fn each_setting_that_keeps_more_values_needs_memory() {
        let usual =
            Config { n_layer: 4, n_head: 4, n_embd: 64, block_size: 16, dropout: 0.0, ..Config::default() };
        let usual = usual.model(64);
        let with = |change: fn(&mut GptConfig)| {
            let mut model = usual.clone();
            change(&mut model);
            model
        };
        for model in [
            with(|_| {}),
            with(|model| model.dropout = 0.1),
            with(|model| model.positions = Positions::Rotary),
            with(|model| model.qk_norm = true),
            with(|model| model.value_residual = true),
            with(|model| {
                (model.positions, model.qk_norm, model.value_residual) = (Positions::Rotary, true, true);
            }),
            with(|model| (model.vocab_size, model.logit_cap) = (1000, 30.0)),
            with(|model| model.activation = MlpActivation::Swiglu),
            with(|model| model.norm = NormPlace::After),
            with(|model| model.residual = false),
            with(|model| model.fused = false),
        ] {
            let ratio = estimated(&model, 64);
            assert!((0.8..1.25).contains(&ratio), "{ratio:.2} times what {model:?} needs");
        }
    }

    #[test]
    fn evaluations_need_memory_for_batches_of_another_size() {
        let usual = Config { n_layer: 2, block_size: 256, ..Config::default() };
        let model = usual.model(65);
        let of = |tokens| evaluated(&model, tokens).collect::<Vec<_>>();
        assert_eq!(of(None), [16]);
        assert_eq!(of(Some(256 * 58 + 100)), [16, 10]);
        assert_eq!(of(Some(256 * 3 + 1)), [3, 3]);
        assert_eq!(of(Some(100)), [1, 1]);
        let evaluation = |b| model.activations(b, Pass::Evaluation);
        let values = |batch_size, val| {
            let config = Config { batch_size, ..usual.clone() };
            footprint(&config, &model, Some(val)).activations - (2 * batch_size * 256) as u64
        };
        let step = |b| model.activations(b, Pass::Step);
        assert_eq!(values(24, 256 * 32 + 1), step(24));
        assert_eq!(values(40, 256 * 32 + 1), step(40) + evaluation(16));
        // The last 10 windows find buffers of 16 windows, if an evaluation needs these, but none of 24.
        assert_eq!(values(24, 256 * 58 + 1), step(24) + evaluation(10));
        assert_eq!(values(16, 256 * 58 + 1), step(16));
        assert_eq!(values(8, 256 * 32 + 1), evaluation(16) + step(8) - evaluation(8));
        assert_eq!(values(6, 256 * 32 + 1), evaluation(16) + step(6));
    }

    #[test]
    fn values_that_are_inspected_need_memory() {
        let config = Config { n_layer: 3, n_head: 8, n_embd: 16, block_size: 128, ..Config::default() };
        let gpt = Gpt::<f32>::new(GptConfig { fused: false, ..config.model(16) }, 1).unwrap();
        for (t, backward) in [(128, false), (64, false), (100, true)] {
            let ids = vec![1; t + usize::from(backward)];
            let step = gpt.inspect(None, &ids, backward).unwrap().step;
            let ratio = gpt.config().inspected_elements(t, backward) as f64 / (step.tape.bytes() / 4) as f64;
            assert!((0.8..1.25).contains(&ratio), "{t} {backward}: {ratio:.2} times what it needs");
        }
    }

    #[test]
    fn muon_has_one_moment_for_each_hidden_matrix() {
        let usual = Config { muon_learning_rate: 0.0, average: 1, ..Config::default() };
        let muon = Config { muon_learning_rate: 0.02, ..usual.clone() };
        let model = usual.model(65);
        let update = 2 * (4 + 1) * (model.n_embd * model.n_embd) as u64;
        let need = |config: &Config| optimizer(config, &model);
        assert_eq!(need(&usual), 2 * model.parameter_count());
        assert_eq!(need(&muon), need(&usual) - model.hidden_matrices() + update);
        assert_eq!(need(&Config { average: 3, ..muon.clone() }), need(&muon) + 3 * model.parameter_count());
    }

    #[test]
    fn batches_and_shards_of_a_step_need_memory() {
        let usual = Config::default();
        let need = |config: &Config| footprint(config, &config.model(65), None).bytes() / 4;
        let (one, parameters) = (need(&usual), usual.model(65).parameter_count());
        assert_eq!(need(&Config { shards: 8, ..usual.clone() }), one + 2 * parameters);
        let passes = |n| Config { gradient_accumulation_steps: n, ..usual.clone() };
        assert_eq!(need(&Config { shards: 8, ..passes(2) }), need(&passes(2)) + 3 * parameters);
        assert_eq!(need(&passes(1 << 20)) - one, 2 * ((1 << 20) - 1) * 12 * 64);
    }

    #[test]
    fn absurd_settings_need_absurd_memory() {
        let usual = Config::default();
        let need = |config: &Config, v: usize| footprint(config, &config.model(v), None).bytes();
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
