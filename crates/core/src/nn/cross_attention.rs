//! Multi-head cross-attention: from one sequence to another.

use super::attention::{Scoring, op_by_op};
use super::{AttentionSettings, Branch, Init, Linear};
use crate::mask::Mask;
use crate::ops::attention::AttentionOptions;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, ParamId, Params, Tape, Var};

/// The tokens `x` of a decoder look at the encoder's output `m`, the memory (Vaswani et al. 2017,
/// section 3.2.3): queries come from `x`, keys and values from `m`.
///
/// `Y = concat_h(softmax(Q_h K_h^T / sqrt(D)) V_h) W_proj^T`, `Q = X W_q^T`, `[K V] = M W_kv^T`.
#[derive(Debug, Clone, Copy)]
pub struct CrossAttention {
    /// Q of all heads, `(C) -> (C)`.
    pub c_q: Linear,
    /// K and V of all heads side by side, `(C) -> (2 C)`.
    pub c_kv: Linear,
    /// Mixes what the heads found, `(C) -> (C)`.
    pub c_proj: Linear,
    /// The weights of the additive score, `(H, D)`.
    pub score: Option<ParamId>,
    settings: AttentionSettings,
}

/// The sequence that [`CrossAttention`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    /// The sequence `(B, Tk, C)`, or its keys and values `(B, Tk, 2 C)`.
    var: Var,
    is_projected: bool,
    /// Which of its tokens each query sees: the padding of short sequences must be hidden.
    mask: &'a Mask,
}

impl<'a> Memory<'a> {
    /// A sequence `(B, Tk, C)`, such as the output of an encoder.
    pub fn new(sequence: Var, mask: &'a Mask) -> Self {
        Self { var: sequence, is_projected: false, mask }
    }

    /// The keys and values `(B, Tk, 2 C)` of a sequence, from [`CrossAttention::keys_values`] of the
    /// same layer. Generation computes them once and uses them for every token.
    pub fn projected(keys_values: Var, mask: &'a Mask) -> Self {
        Self { var: keys_values, is_projected: true, mask }
    }
}

impl CrossAttention {
    /// Adds `name.c_q`, `name.c_kv`, `name.c_proj` and, for the additive score, `name.score.weight`
    /// to `params`, for tokens of C elements; `init` is the initialisation of `c_q` and `c_kv`,
    /// `init_proj` that of `c_proj`.
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
        let score = settings.score.add_weights(params, name, (settings.n_head, c), init, rng)?;
        Ok(Self { c_q, c_kv, c_proj, score, settings })
    }

    /// The keys and values of a sequence, for [`Memory::projected`]: `(B, Tk, C) -> (B, Tk, 2 C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sequence does not have C columns.
    #[track_caller]
    pub fn keys_values<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        sequence: Var,
    ) -> Result<Var, Error> {
        self.c_kv.forward(tape, params, sequence)
    }

    /// `Y`: `(B, Tq, C) -> (B, Tq, C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` or the memory does not have C columns, or they differ in B.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        memory: Memory<'_>,
    ) -> Result<Branch<'_>, Error> {
        tape.enter::<Self>("CrossAttention::forward");
        let AttentionSettings { n_head, score, dropout, .. } = self.settings;
        let q = self.c_q.forward(tape, params, x)?; // (B, Tq, C) -> (B, Tq, C)
        let kv = match memory.is_projected {
            true => memory.var,
            false => self.keys_values(tape, params, memory.var)?, // (B, Tk, C) -> (B, Tk, 2 C)
        };
        let c = tape.value(q).rows_cols().1;
        let (scale, mask) = (score.scale(c / n_head, c), memory.mask.clone());
        let options = AttentionOptions { n_head, mask, scale, alibi: false, dropout };
        let q = tape.split_heads(q, 0, 1, n_head)?; // (B, Tq, C) -> (B, H, Tq, D)
        let k = tape.split_heads(kv, 0, 2, n_head)?; // (B, Tk, 2 C) -> (B, H, Tk, D)
        let v = tape.split_heads(kv, 1, 2, n_head)?;
        let scoring = Scoring { score, weights: self.score.map(|weights| tape.param(params, weights)) };
        let y = op_by_op(tape, [q, k, v], &scoring, options, self.c_q.parent(params))?; // (B, Tq, C)
        Ok(Branch::Linear(&self.c_proj, y))
    }
}
