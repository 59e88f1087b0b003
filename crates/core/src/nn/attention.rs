//! Multi-head self-attention.

use super::{Form, Init, Linear, Positions, Residual, Score};
use crate::kernels::attention::{CacheDims, append_to_cache};
use crate::mask::Mask;
use crate::ops::attention::{AttentionOptions, alibi_slopes};
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, ParamId, Params, Tape, Tensor, Var};

/// What an attention layer is, besides its parameters.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSettings {
    /// H: heads.
    pub n_head: usize,
    /// How the layer knows where a token stands, if it is the layer that must know.
    pub positions: Positions,
    /// How well a key answers a query.
    pub score: Score,
    /// Which form computes; a score that is no scalar product has only the primitive one.
    pub form: Form,
    /// Whether the linear layers have a bias.
    pub bias: bool,
    /// The probability with which a weight is left out of a training step.
    pub dropout: f64,
}

/// Each token asks a question (Q), shows what it answers (K) and says it (V), in H heads
/// at a time; what the heads heard is put together again (Vaswani et al. 2017, 3.2.2).
///
/// `Y = concat_h(softmax(Q_h K_h^T / sqrt(D)) V_h) W_proj^T`, `[Q K V] = X W_attn^T`.
#[derive(Debug, Clone, Copy)]
pub struct MultiHeadAttention {
    /// Q, K and V of all heads at once, `(C) -> (3 C)`.
    pub c_attn: Linear,
    /// From the heads back to the token, `(C) -> (C)`.
    pub c_proj: Linear,
    /// The weights of the additive score, `(H, D)`.
    pub score: Option<ParamId>,
    settings: AttentionSettings,
}

impl MultiHeadAttention {
    /// Adds `name.c_attn` and `name.c_proj` to `params`, and for the additive score
    /// `name.score.weight`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
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
        let (h, score) = (settings.n_head, format!("{name}.score.weight"));
        let score = match settings.score {
            Score::Additive => Some(params.add(score, init.weights(&[h, c / h], c / h, rng))?),
            _ => None,
        };
        Ok(Self { c_attn, c_proj, score, settings })
    }

    /// `residual.x + dropout(Y)`: `(B, T, C) -> (B, T, C)`, where each token sees what `mask`
    /// lets it see. With a cache, `x` are the tokens after those in the cache, which it joins;
    /// the mask is then causal.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has another number of columns, or the cache no room;
    /// [`Error::Setting`] for a cache where another mask or score would need all tokens.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        mask: &Mask,
        cache: Option<&mut LayerCache<T>>,
        residual: Residual,
    ) -> Result<Var, Error> {
        tape.enter::<Self>("MultiHeadAttention::forward");
        let AttentionSettings { n_head, positions, score, form, dropout, .. } = self.settings;
        let c = params.get(self.c_proj.weight).value.shape()[0];
        let start = cache.as_ref().map_or(0, |cache| cache.len);
        let mut qkv = self.c_attn.forward(tape, params, x)?; // (B, T, C) -> (B, T, 3 C)
        if positions == Positions::Rotary {
            qkv = tape.rotary(qkv, n_head, start)?;
        }
        let (scale, alibi) = (score.scale(c / n_head, c), positions == Positions::Alibi);
        let options = AttentionOptions { n_head, mask: mask.clone(), scale, alibi, dropout };
        if let Some(cache) = cache {
            if scale.is_none() || *mask != Mask::Causal {
                let rule = "keys and values can only be kept with the causal mask and a scalar product";
                return Err(Error::Setting { name: "the mask", value: format!("{mask}, {score:?}"), rule });
            }
            cache.append(tape.value(qkv));
            if start > 0 {
                let (k, v) = (tape.input(cache.keys.clone()), tape.input(cache.values.clone()));
                let y = tape.cached_attention((qkv, k, v), start, &options)?; // (B, T, C)
                return self.c_proj.forward_residual(tape, params, y, residual, form);
            }
        }
        let y = match (form, scale) {
            (Form::Fused, Some(_)) => tape.attention(qkv, options)?, // (B, T, C)
            _ => self.primitive(tape, params, qkv, options)?,
        };
        self.c_proj.forward_residual(tape, params, y, residual, form)
    }

    /// Attention op by op.
    #[track_caller]
    fn primitive<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        qkv: Var,
        options: AttentionOptions,
    ) -> Result<Var, Error> {
        let h = options.n_head;
        let q = tape.split_heads(qkv, 0, 3, h)?; // (B, T, 3 C) -> (B, H, T, D)
        let k = tape.split_heads(qkv, 1, 3, h)?;
        let v = tape.split_heads(qkv, 2, 3, h)?;
        let t = tape.value(q).shape()[2];
        let w = self.score.map(|w| tape.param(params, w));
        let mut scores = self.settings.score.forward(tape, q, k, w)?; // (B, H, T, D) twice -> (B, H, T, T)
        if options.alibi {
            let distances = tape.input(alibi_distances(h, t)); // (H, T, T)
            scores = tape.add(scores, distances)?;
        }
        let weights = tape.masked_softmax(scores, options.mask)?;
        for (var, name) in [(q, "q"), (k, "k"), (v, "v"), (scores, "scores"), (weights, "weights")] {
            tape.trace.label(var, || format!("{}.{name}", self.name(params)));
        }
        let weights = tape.dropout(weights, options.dropout)?;
        let y = tape.batched_matmul(weights, v)?; // (B, H, T, T) (B, H, T, D) -> (B, H, T, D)
        tape.merge_heads(y) // (B, H, T, D) -> (B, T, C)
    }

    /// The name under which it added its parameters.
    fn name<'a, T: Float>(&self, params: &'a Params<T>) -> &'a str {
        params.get(self.c_attn.weight).name.trim_end_matches(".c_attn.weight")
    }
}

/// `slope_h (j - i)` for each head, query and key, `(H, T, T)`.
fn alibi_distances<T: Float>(h: usize, t: usize) -> Tensor<T> {
    let (slopes, mut place) = (alibi_slopes(h), 0);
    Tensor::from_fn(&[h, t, t], || {
        let (h, i, j) = (place / (t * t), place / t % t, place % t);
        place += 1;
        T::of(slopes[h] * (j as f64 - i as f64))
    })
}

/// The keys and values of all tokens so far, for each layer of a model.
#[derive(Debug, Clone)]
pub struct KvCache<T: Float> {
    /// A cache for each layer.
    pub layers: Vec<LayerCache<T>>,
}

/// The keys and values of one layer, with room for S tokens.
#[derive(Debug, Clone)]
pub struct LayerCache<T: Float> {
    /// `(B, H, D, S)`
    keys: Tensor<T>,
    /// `(B, H, S, D)`
    values: Tensor<T>,
    len: usize,
}

impl<T: Float> KvCache<T> {
    /// An empty cache for `n_layer` layers, B sequences, H heads of D numbers, with room
    /// for S tokens: `shape` is `[B, H, S, D]`.
    pub fn new(n_layer: usize, shape: [usize; 4]) -> Self {
        let [b, h, s, d] = shape;
        let (keys, values) = ([b, h, d, s], [b, h, s, d]);
        let layer = || LayerCache { keys: Tensor::zeros(&keys), values: Tensor::zeros(&values), len: 0 };
        Self { layers: (0..n_layer).map(|_| layer()).collect() }
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all tokens, and keeps the memory.
    pub fn clear(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.len = 0);
    }
}

impl<T: Float> LayerCache<T> {
    /// Takes in K and V of new tokens, of `qkv` `(B, T, 3 C)`. Those for which there is
    /// no room are left out, which [`Tape::cached_attention`] then refuses.
    fn append(&mut self, qkv: &Tensor<T>) {
        let &[_, h, s, d] = self.values.shape() else { unreachable!("a cache has four axes") };
        let t = qkv.shape()[1];
        let cache = (self.keys.data_mut(), self.values.data_mut());
        append_to_cache(cache, qkv.data(), (t, self.len), CacheDims { h, s, d });
        self.len = (self.len + t).min(s);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gradcheck::constant;
    use crate::rng::Streams;
    use crate::{Grads, ParamId};

    /// Output and all gradients of a layer.
    fn run(
        form: Form,
        (positions, score): (Positions, Score),
        mask: &Mask,
        dropout: f64,
    ) -> Vec<Tensor<f64>> {
        let (b, t, c) = (2, 70, 12);
        let mut params = Params::new();
        let mut rng = Streams::new(1).stream("init", 0);
        let settings = AttentionSettings { n_head: 3, positions, score, form, bias: true, dropout };
        let init = Init::Normal(0.5);
        let layer =
            MultiHeadAttention::new(&mut params, "attn", c, (init, init), settings, &mut rng).unwrap();
        let x = params.add("x", constant(&[b, t, c], 3.0)).unwrap();
        let (mut tape, mut grads) = (Tape::new(), Grads::new());
        tape.set_dropout(Some(Streams::new(1).dropout(7)));
        let x = tape.param(&params, x);
        let residual = Residual { x: Some(x), dropout };
        let y = layer.forward(&mut tape, &params, x, mask, None, residual).unwrap();
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
    fn both_forms_are_one() {
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
            (alibi, Mask::Window(5), 0.0),
            ((Positions::Alibi, Score::WidthScaledDot), Mask::Causal, 0.25),
        ];
        for (how, mask, dropout) in cases {
            let fused = run(Form::Fused, how, &mask, dropout);
            let primitive = run(Form::Primitive, how, &mask, dropout);
            for (i, (a, b)) in fused.iter().zip(&primitive).enumerate() {
                let worst = a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-12, "{how:?} {mask:?} {dropout}, tensor {i}: {worst}");
            }
        }
    }
}
