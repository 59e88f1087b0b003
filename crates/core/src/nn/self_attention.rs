//! Multi-head self-attention.

use super::attention::op_by_op;
use super::{AttentionSettings, Branch, FirstValues, Init, LayerCache, Linear, Positions, fused};
use crate::mask::Mask;
use crate::ops::attention::AttentionOptions;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, ParamId, Params, Tape, Var};

/// Multi-head self-attention: the tokens of a sequence attend to each other (Vaswani et al. 2017,
/// section 3.2.2). In each of H heads, every token has a query (what it looks for), a key (what it
/// offers) and a value (what it passes on), each of D = C / H elements:
///
/// `Y = concat_h(softmax(Q_h K_h^T / sqrt(D)) V_h) W_proj^T`, `[Q K V] = X W_attn^T`.
///
/// Another [`Score`](super::Score) may replace `Q K^T / sqrt(D)`.
#[derive(Debug, Clone, Copy)]
pub struct SelfAttention {
    /// Q, K and V of all heads side by side, `(C) -> (3 C)`.
    pub c_attn: Linear,
    /// The output projection, which mixes the heads, `(C) -> (C)`. Without it, the output is the
    /// heads side by side.
    pub c_proj: Option<Linear>,
    /// The weights of the additive score, `(H, D)`.
    pub score: Option<ParamId>,
    /// The settings of the layer.
    pub settings: AttentionSettings,
}

impl SelfAttention {
    /// Adds `name.c_attn`, `name.c_proj` and, for the additive score, `name.score.weight` to
    /// `params`, for tokens of C elements; `init` initialises `c_attn`, `init_proj` initialises `c_proj`.
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
        let c_attn = linear(params, &format!("{name}.c_attn"), (c, 3 * c), init, rng)?;
        let c_proj = linear(params, &format!("{name}.c_proj"), (c, c), init_proj, rng)?;
        params.set_hidden_matrices(&[(c_attn.weight, 3), (c_proj.weight, 1)]);
        let score = settings.score.add_weights(params, name, (settings.n_head, c), init, rng)?;
        Ok(Self { c_attn, c_proj: Some(c_proj), score, settings })
    }

    /// Computes `Y`, `(B, T, C) -> (B, T, C)`, up to the projection, which the [`Branch`] computes.
    /// Each token attends to the tokens that `mask` allows.
    ///
    /// With a cache, `x` holds the tokens that follow the cached ones. The layer appends their keys
    /// and values to the cache, and they attend to the cached tokens too.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have C columns or the cache is full; [`Error::Setting`] if a
    /// cache is used with a mask other than causal, or a score that is not a scaled dot product.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        mask: &Mask,
        cache: Option<&mut LayerCache<T>>,
    ) -> Result<Branch<'_>, Error> {
        self.forward_mixing(tape, params, x, mask, cache, None)
    }

    /// As [`SelfAttention::forward`], and mixes the values of the first block into these if there are
    /// `first_values`.
    ///
    /// # Errors
    /// As [`SelfAttention::forward`].
    #[track_caller]
    pub(super) fn forward_mixing<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        mask: &Mask,
        cache: Option<&mut LayerCache<T>>,
        first_values: Option<&mut FirstValues>,
    ) -> Result<Branch<'_>, Error> {
        tape.enter::<Self>("SelfAttention::forward");
        let AttentionSettings { n_head, positions, score, dropout, .. } = self.settings;
        let start = cache.as_ref().map_or(0, |cache| cache.len());
        let mut qkv = self.queries_keys_values(tape, params, x, start)?; // (B, T, C) -> (B, T, 3 C)
        // Only with `value_residual`, which neither the paper nor GPT-2 has.
        if let Some(first_values) = first_values {
            qkv = first_values.mix(tape, qkv)?;
        }
        let c = tape.value(qkv).rows_cols().1 / 3;
        let (scale, alibi) = (score.scale(c / n_head, c), positions == Positions::Alibi);
        let options = AttentionOptions { n_head, mask: mask.clone(), scale, alibi, dropout };
        let y = match cache {
            Some(cache) => {
                cache.append(tape.value(qkv), mask, score)?;
                match start {
                    // No earlier tokens: `qkv` holds all keys and values.
                    0 if cache.len() == tape.value(qkv).shape()[1] => {
                        self.attend(tape, params, qkv, options)?
                    }
                    // An error, if not all of them fit.
                    _ => cache.attend(tape, qkv, start, &options)?,
                }
            }
            None => self.attend(tape, params, qkv, options)?,
        };
        Ok(Branch::projected(self.c_proj.as_ref(), y)) // (B, T, C) -> (B, T, C)
    }

    /// Q, K and V of all heads, side by side: `(B, T, C) -> (B, T, 3 C)`. The first token has position
    /// `start`, which matters to rotary positions. The trace names these lines as the callers of the ops.
    fn queries_keys_values<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        start: usize,
    ) -> Result<Var, Error> {
        let AttentionSettings { n_head, positions, qk_norm, .. } = self.settings;
        let mut qkv = self.c_attn.forward(tape, params, x)?;
        if qk_norm {
            qkv = tape.qk_norm(qkv, n_head)?;
        }
        match positions {
            Positions::Rotary => tape.rotary(qkv, n_head, start),
            _ => Ok(qkv),
        }
    }

    /// The output of all heads, side by side: `(B, T, 3 C) -> (B, T, C)`.
    fn attend<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        qkv: Var,
        options: AttentionOptions,
    ) -> Result<Var, Error> {
        let AttentionSettings { n_head, score, .. } = self.settings;
        if fused::fuses_attention(tape, score) {
            return tape.attention(qkv, options);
        }
        let q = tape.split_heads(qkv, 0, 3, n_head)?; // (B, T, 3 C) -> (B, H, T, D)
        let k = tape.split_heads(qkv, 1, 3, n_head)?;
        let v = tape.split_heads(qkv, 2, 3, n_head)?;
        let score_weights = self.score.map(|weights| tape.param(params, weights));
        op_by_op(tape, [q, k, v], (score, score_weights), options, self.c_attn.parent(params))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Score;
    use super::*;
    use crate::gradcheck::constant;
    use crate::rng::Streams;
    use crate::{Grads, Tensor};

    /// The output and all gradients of a layer with a residual connection.
    fn run(
        fused: bool,
        (positions, score): (Positions, Score),
        mask: &Mask,
        dropout: f64,
    ) -> Vec<Tensor<f64>> {
        let (b, t, c) = (2, 70, 12);
        let mut params = Params::new();
        let mut rng = Streams::new(1).stream("init", 0);
        let settings = AttentionSettings { n_head: 3, positions, score, bias: true, qk_norm: false, dropout };
        let init = Init::Normal(0.5);
        let layer = SelfAttention::new(&mut params, "attn", c, (init, init), settings, &mut rng).unwrap();
        let x = params.add("x", constant(&[b, t, c], 3.0)).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_fused(fused);
        tape.set_dropout(Some(Streams::new(1).dropout(7)));
        let x = tape.param(&params, x);
        let y = layer.forward(&mut tape, &params, x, mask, None).unwrap();
        let y = y.add_to_residual(&mut tape, &params, x, dropout).unwrap();
        let out = tape.value(y).clone();
        let weights = tape.input(constant(&[b, t, c], 9.0));
        let weighted = tape.mul(y, weights).unwrap();
        let loss = tape.mean(weighted).unwrap();
        tape.backward(loss, &mut grads).unwrap();
        let mut all = vec![out];
        all.extend((0..params.len()).map(|i| grads.get(ParamId(i)).unwrap().clone()));
        all
    }

    #[test]
    fn fused_and_op_by_op_agree() {
        let learned = (Positions::Learned, Score::ScaledDot);
        let alibi = (Positions::Alibi, Score::ScaledDot);
        let cases = [
            (learned, Mask::Causal, 0.0),
            (learned, Mask::None, 0.0),
            (learned, Mask::Padding([70, 33].into()), 0.0),
            (learned, Mask::Reversed, 0.0),
            (learned, Mask::Window(5), 0.25),
            (learned, Mask::Finite, 0.0),
            ((Positions::Rotary, Score::Dot), Mask::Causal, 0.0),
            (alibi, Mask::Causal, 0.0),
            (alibi, Mask::None, 0.0),
            (alibi, Mask::Reversed, 0.0),
            (alibi, Mask::Window(5), 0.0),
            ((Positions::Alibi, Score::WidthScaledDot), Mask::Causal, 0.25),
        ];
        for (how, mask, dropout) in cases {
            let fused = run(true, how, &mask, dropout);
            let op_by_op = run(false, how, &mask, dropout);
            for (i, (a, b)) in fused.iter().zip(&op_by_op).enumerate() {
                let worst = a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-12, "{how:?} {mask:?} {dropout}, tensor {i}: {worst}");
            }
        }
    }
}
