//! Multi-head cross-attention: from one sequence to another.

use std::sync::Arc;

use super::attention::op_by_op;
use super::{AttentionSettings, Branch, Init, LayerCache, Linear, fused};
use crate::mask::Mask;
use crate::ops::attention::AttentionOptions;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, ParamId, Params, Tape, Var};

/// Multi-head cross-attention: the tokens `x` of a decoder attend to the encoder's output `m`, the
/// memory (Vaswani et al. 2017, section 3.2.3). The queries come from `x`, the keys and values
/// from `m`:
///
/// `Y = concat_h(softmax(Q_h K_h^T / sqrt(D)) V_h) W_proj^T`, `Q = X W_q^T`, `[K V] = M W_kv^T`.
#[derive(Debug, Clone, Copy)]
pub struct CrossAttention {
    /// Q of all heads, `(C) -> (C)`.
    pub c_q: Linear,
    /// K and V of all heads side by side, `(C) -> (2 C)`.
    pub c_kv: Linear,
    /// The output projection, which mixes the heads, `(C) -> (C)`.
    pub c_proj: Linear,
    /// The weights of the additive score, `(H, D)`.
    pub score: Option<ParamId>,
    settings: AttentionSettings,
}

/// The sequence that [`CrossAttention`] attends to.
#[derive(Debug, Clone, Copy)]
pub enum Memory<'a> {
    /// A sequence `(B, S, C)`, such as the output of an encoder, and which of its tokens each query sees: the mask
    /// hides the padding of short sequences.
    Sequence(Var, &'a Mask),
    /// The keys and values of B sequences. The sequences `x` may be n B: then `n` in a row attend to each of these, as
    /// the hypotheses of a beam search do.
    KeysValues {
        /// The keys on the tape, `(B, H, D, S)`: transposed, as in the [`LayerCache`].
        keys: Var,
        /// The values on the tape, `(B, H, S, D)`.
        values: Var,
        /// The number of tokens that are cached, at most S.
        tokens: usize,
        /// The number of tokens of each sequence, `(B)`; the others are padding.
        lengths: &'a Arc<[usize]>,
    },
}

impl<'a> Memory<'a> {
    /// The keys and values of sequences of these lengths, from [`CrossAttention::keys_values`] of the same layer.
    /// Generation computes them once and uses them for every token.
    pub fn cached<T: Float>(tape: &mut Tape<T>, cache: &LayerCache<T>, lengths: &'a Arc<[usize]>) -> Self {
        let (keys, values) = cache.on(tape);
        Self::KeysValues { keys, values, tokens: cache.len(), lengths }
    }
}

impl CrossAttention {
    /// Adds `name.c_q`, `name.c_kv`, `name.c_proj` and, for the additive score, `name.score.weight`
    /// to `params`, for tokens of C elements; `init` initialises `c_q` and `c_kv`, `init_proj`
    /// initialises `c_proj`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        c: usize,
        (init, init_proj): (Init, Init),
        settings: AttentionSettings,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let linear = if settings.bias { Linear::new } else { Linear::without_bias };
        let c_q = linear(params, &format!("{name}.c_q"), (c, c), init, rng)?;
        let c_kv = linear(params, &format!("{name}.c_kv"), (c, 2 * c), init, rng)?;
        let c_proj = linear(params, &format!("{name}.c_proj"), (c, c), init_proj, rng)?;
        params.set_hidden_matrices(&[(c_q.weight, 1), (c_kv.weight, 2), (c_proj.weight, 1)]);
        let score = settings.score.add_weights(params, name, (settings.n_head, c), init, rng)?;
        Ok(Self { c_q, c_kv, c_proj, score, settings })
    }

    /// The keys and values of sequences `(B, S, C)`, for [`Memory::cached`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the sequences do not have C columns.
    pub fn keys_values<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        sequences: Var,
    ) -> Result<LayerCache<T>, Error> {
        let kv = self.c_kv.forward(tape, params, sequences)?; // (B, S, C) -> (B, S, 2 C)
        Ok(LayerCache::of_sequences(tape.value(kv), self.settings.n_head))
    }

    /// Computes `Y`, `(B, T, C) -> (B, T, C)`, up to the projection, which the [`Branch`] computes.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` or the memory does not have C columns, if they differ in B, or if
    /// they differ in length and the score is additive or a distance. With cached keys and values: if the
    /// sequences of `x` are not a multiple of the cached ones, or a length does not fit; [`Error::Setting`] if the
    /// score is not a scaled dot product, [`Error::NoBackward`] if a gradient is needed.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        memory: Memory<'_>,
    ) -> Result<Branch<'_>, Error> {
        tape.enter::<Self>("CrossAttention::forward");
        self.branch(tape, params, x, memory)
    }

    /// The ops of [`CrossAttention::forward`]: the trace names these lines as their callers.
    fn branch<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        memory: Memory<'_>,
    ) -> Result<Branch<'_>, Error> {
        let AttentionSettings { n_head, score, dropout, .. } = self.settings;
        let q = self.c_q.forward(tape, params, x)?; // (B, T, C) -> (B, T, C)
        let c = tape.value(q).rows_cols().1;
        let options = |mask: &Mask| {
            let (mask, scale) = (mask.clone(), score.scale(c / n_head, c));
            AttentionOptions { n_head, mask, scale, alibi: false, dropout }
        };
        let y = match memory {
            Memory::Sequence(sequence, mask) => {
                let kv = self.c_kv.forward(tape, params, sequence)?; // (B, S, C) -> (B, S, 2 C)
                self.attend(tape, params, (q, kv), options(mask))?
            }
            Memory::KeysValues { .. } if !score.is_scaled_dot() => {
                let rule = "cached keys and values need a scaled dot product";
                return Err(Error::Setting { name: "the score", value: format!("{score:?}"), rule });
            }
            Memory::KeysValues { keys, values, tokens, lengths } => {
                let operands = (q, keys, values);
                tape.cached_cross_attention(operands, (tokens, lengths), &options(&Mask::None))?
            }
        };
        Ok(Branch::Linear(&self.c_proj, y)) // (B, T, C) -> (B, T, C)
    }

    /// The output of all heads, side by side: `(B, T, C)` and `(B, S, 2 C)` to `(B, T, C)`.
    fn attend<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        (q, kv): (Var, Var),
        options: AttentionOptions,
    ) -> Result<Var, Error> {
        let AttentionSettings { n_head, score, .. } = self.settings;
        if fused::fuses_attention(tape, score) {
            return tape.cross_attention(q, kv, options);
        }
        let q = tape.split_heads(q, 0, 1, n_head)?; // (B, T, C) -> (B, H, T, D)
        let k = tape.split_heads(kv, 0, 2, n_head)?; // (B, S, 2 C) -> (B, H, S, D)
        let v = tape.split_heads(kv, 1, 2, n_head)?;
        let score_weights = self.score.map(|weights| tape.param(params, weights));
        op_by_op(tape, [q, k, v], (score, score_weights), options, self.c_q.parent(params))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Positions, Score, SelfAttention};
    use super::*;
    use crate::gradcheck::constant;
    use crate::rng::Streams;
    use crate::{Grads, Tensor};

    const C: usize = 12;

    fn layer(params: &mut Params<f64>, name: &str, score: Score, dropout: f64) -> CrossAttention {
        let settings = AttentionSettings {
            n_head: 3,
            positions: Positions::None,
            score,
            bias: true,
            qk_norm: false,
            dropout,
        };
        let init = Init::Normal(0.5);
        let mut rng = Streams::new(1).stream("init", 0);
        CrossAttention::new(params, name, C, (init, init), settings, &mut rng).unwrap()
    }

    fn worst(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
        a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    /// The output and all gradients.
    fn run(fused: bool, mask: &Mask, dropout: f64) -> Vec<Tensor<f64>> {
        let (b, t_q, t_k) = (2, 7, 40);
        let mut params = Params::new();
        let layer = layer(&mut params, "cross_attn", Score::ScaledDot, dropout);
        let x = params.add("x", constant(&[b, t_q, C], 3.0)).unwrap();
        let memory = params.add("memory", constant(&[b, t_k, C], 5.0)).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_fused(fused);
        tape.set_dropout(Some(Streams::new(1).dropout(7)));
        let [x, memory] = [x, memory].map(|id| tape.param(&params, id));
        let y = layer.forward(&mut tape, &params, x, Memory::Sequence(memory, mask)).unwrap();
        let y = y.add_to_residual(&mut tape, &params, x, dropout).unwrap();
        let out = tape.value(y).clone();
        let weights = tape.input(constant(&[b, t_q, C], 9.0));
        let weighted = tape.mul(y, weights).unwrap();
        let loss = tape.mean(weighted).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        let grads = (0..params.len()).map(|i| grads.get(ParamId(i)).unwrap().clone());
        std::iter::once(out).chain(grads).collect()
    }

    #[test]
    fn fused_and_op_by_op_agree() {
        for mask in [Mask::None, Mask::Padding([40, 9].into())] {
            for dropout in [0.0, 0.25] {
                let outputs = [true, false].map(|fused| run(fused, &mask, dropout));
                for (i, (a, b)) in outputs[0].iter().zip(&outputs[1]).enumerate() {
                    let worst = worst(a, b);
                    assert!(worst < 1e-12, "{mask:?} {dropout}, tensor {i}: {worst}");
                }
            }
        }
    }

    #[test]
    fn a_sequence_that_attends_to_itself_gets_self_attention() {
        let mut params = Params::<f64>::new();
        let cross = layer(&mut params, "cross_attn", Score::ScaledDot, 0.0);
        let init = Init::Normal(0.5);
        let mut rng = Streams::new(2).stream("init", 0);
        let attn =
            SelfAttention::new(&mut params, "attn", C, (init, init), cross.settings, &mut rng).unwrap();
        // The same weights: Q, K and V side by side.
        for (joined, q, kv) in [
            (attn.c_attn.weight, cross.c_q.weight, cross.c_kv.weight),
            (attn.c_attn.bias.unwrap(), cross.c_q.bias.unwrap(), cross.c_kv.bias.unwrap()),
        ] {
            let joint = [params.get(q).value.data(), params.get(kv).value.data()].concat();
            params.get_mut(joined).value.data_mut().copy_from_slice(&joint);
        }
        let mut tape = Tape::new();
        let x = tape.input(constant(&[2, 7, C], 3.0));
        let mask = Mask::Padding([7, 4].into());
        let y = cross.forward(&mut tape, &params, x, Memory::Sequence(x, &mask)).unwrap();
        let want = attn.forward(&mut tape, &params, x, &mask, None).unwrap();
        let (Branch::Linear(_, y), Branch::Linear(_, want)) = (y, want) else {
            panic!("both have a projection")
        };
        assert!(worst(tape.value(y), tape.value(want)) < 1e-12);
    }

    #[test]
    fn a_cached_memory_is_attended_to_as_copies_of_it_are() {
        let mut params = Params::<f64>::new();
        let layer = layer(&mut params, "cross_attn", Score::ScaledDot, 0.0);
        for (n, s, t) in [(3, 5, 2), (1, 40, 1), (2, 16, 7)] {
            let (memory, lengths): (Tensor<f64>, _) = (constant(&[2, s, C], 5.0), [s, 3]);
            let sequences = memory.data().chunks(s * C);
            let copies = sequences.flat_map(|sequence| vec![sequence; n].concat()).collect();
            let copies = Tensor::from_vec(&[2 * n, s, C], copies).unwrap();
            let of_copies = lengths.iter().flat_map(|&length| vec![length; n]).collect();
            let (of_copies, lengths) = (Mask::Padding(of_copies), lengths.into());
            let mut tape = Tape::without_gradients();
            let x = tape.input(constant(&[2 * n, t, C], 3.0));
            let [memory, copies] = [memory, copies].map(|memory| tape.input(memory));
            let cache = layer.keys_values(&mut tape, &params, memory).unwrap();
            let cached = Memory::cached(&mut tape, &cache, &lengths);
            let outputs = [cached, Memory::Sequence(copies, &of_copies)].map(|memory| {
                let y = layer.forward(&mut tape, &params, x, memory).unwrap();
                let y = y.value(&mut tape, &params).unwrap();
                tape.value(y).clone()
            });
            assert!(worst(&outputs[0], &outputs[1]) < 1e-12, "{n} {s} {t}");
            let unequal = tape.input(constant(&[2 * n + 1, t, C], 3.0));
            assert!(layer.forward(&mut tape, &params, unequal, cached).is_err());
            let too_long = [s, s + 1].into();
            let too_long = Memory::cached(&mut tape, &cache, &too_long);
            assert!(layer.forward(&mut tape, &params, x, too_long).is_err());
        }
        let mut params = Params::<f64>::new();
        let cosine = self::layer(&mut params, "cross_attn", Score::Cosine, 0.0);
        let mut tape = Tape::new();
        let x = tape.input(constant(&[1, 2, C], 3.0));
        let (cache, lengths) = (cosine.keys_values(&mut tape, &params, x).unwrap(), [2].into());
        let cached = Memory::cached(&mut tape, &cache, &lengths);
        assert!(matches!(cosine.forward(&mut tape, &params, x, cached), Err(Error::Setting { .. })));
    }

    #[test]
    fn padding_of_the_memory_changes_no_bit() {
        let mut params = Params::<f64>::new();
        let layer = layer(&mut params, "cross_attn", Score::ScaledDot, 0.0);
        for fused in [true, false] {
            let mut outputs = [0.0, 1e6].map(|padding| {
                let mut memory = constant(&[1, 5, C], 5.0);
                memory.data_mut()[3 * C..].fill(padding);
                let mut tape = Tape::new();
                tape.set_fused(fused);
                let (x, memory) = (tape.input(constant(&[1, 2, C], 3.0)), tape.input(memory));
                let mask = Mask::Padding([3].into());
                let y = layer.forward(&mut tape, &params, x, Memory::Sequence(memory, &mask)).unwrap();
                let y = y.value(&mut tape, &params).unwrap();
                tape.value(y).data().to_vec()
            });
            let [a, b] = &mut outputs;
            assert_eq!(a, b, "fused {fused}");
        }
    }
}
