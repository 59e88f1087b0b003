//! The Transformer block.

use super::{
    AttentionSettings, Branch, CrossAttention, FirstValues, GeluForm, Init, LayerCache, Linear, Memory, Mlp,
    MlpActivation, Norm, NormKind, NormPlace, Positions, Score, SelfAttention,
};
use crate::mask::Mask;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, Params, Tape, Var};

/// A Transformer block: attention moves information between tokens, then the feed-forward layers
/// process each token separately (Vaswani et al. 2017, section 3.1). Each of these sub-layers adds
/// its output to the stream `x` through a residual connection (He et al. 2016):
///
/// ```text
/// x = x + attn(norm(x))
/// x = x + cross_attn(norm(x), memory)     in a decoder block
/// x = x + mlp(norm(x))
/// ```
///
/// with dropout before each addition. [`NormPlace`] moves or removes the norms. Without
/// `residual`, each sub-layer replaces `x` instead of adding to it.
#[derive(Debug, Clone)]
pub struct Block {
    /// The name of the output in the trace, and the prefix of the parameters' names.
    pub name: String,
    /// The norm of the attention sub-layer.
    pub ln_1: Option<Norm>,
    /// Self-attention.
    pub attn: SelfAttention,
    /// The norm of the cross-attention sub-layer.
    pub ln_cross: Option<Norm>,
    /// Attention to another sequence, in a decoder block.
    pub cross_attn: Option<CrossAttention>,
    /// The norm of the feed-forward sub-layer.
    pub ln_2: Option<Norm>,
    /// The feed-forward layers; `None` in an attention-only block.
    pub mlp: Option<Mlp>,
    /// Where the norms are applied.
    pub norm: NormPlace,
    /// Whether each sub-layer adds to the stream instead of replacing it.
    pub residual: bool,
    /// The dropout probability of each sub-layer's output.
    pub dropout: f64,
}

/// What a [`Block`] uses besides its stream: usually nothing.
#[derive(Debug)]
pub struct Context<'a, T: Float> {
    /// The tokens that `x` continues: see [`SelfAttention::forward`].
    pub cache: Option<&'a mut LayerCache<T>>,
    /// What cross-attention reads.
    pub memory: Option<Memory<'a>>,
    /// With a value residual: the first block fills them, and the others mix them into their own.
    pub first_values: Option<&'a mut FirstValues>,
}

impl<T: Float> Default for Context<'_, T> {
    /// Nothing.
    fn default() -> Self {
        Self { cache: None, memory: None, first_values: None }
    }
}

impl Block {
    /// Maps the stream `x`: `(B, T, C) -> (B, T, C)`. Each token attends to the tokens that `mask`
    /// allows. A block with cross-attention also attends to the memory.
    ///
    /// # Errors
    /// [`Error::Setting`] if the block has cross-attention and no memory is given, or the
    /// reverse; [`Error::Shape`] if `x` does not have C columns; other errors of the sub-layers.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        mask: &Mask,
        context: Context<'_, T>,
    ) -> Result<Var, Error> {
        let Context { cache, memory, first_values } = context;
        // x + attn(norm(x))
        let mut x = self.sublayer(tape, params, x, self.ln_1, |tape, x| {
            self.attn.forward_mixing(tape, params, x, mask, cache, first_values)
        })?;
        // x + cross_attn(norm(x), memory)
        if let Some((cross_attn, memory)) = self.cross_attention(memory)? {
            x = self.sublayer(tape, params, x, self.ln_cross, |tape, x| {
                cross_attn.forward(tape, params, x, memory)
            })?;
        }
        // x + mlp(norm(x))
        if let Some(mlp) = &self.mlp {
            x = self.sublayer(tape, params, x, self.ln_2, |_, x| Ok(Branch::Mlp(mlp, x)))?;
        }
        tape.trace.label(x, || self.name.clone());
        Ok(x)
    }

    /// Applies a sub-layer `f` with its norm and residual connection: `(B, T, C) -> (B, T, C)`.
    fn sublayer<'a, T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        norm: Option<Norm>,
        f: impl FnOnce(&mut Tape<T>, Var) -> Result<Branch<'a>, Error>,
    ) -> Result<Var, Error> {
        match (self.norm, norm) {
            // x + f(norm(x))
            (NormPlace::Before, Some(norm)) => {
                let y = norm.forward(tape, params, x)?;
                let y = f(tape, y)?;
                self.add_residual(tape, params, x, y)
            }
            // norm(x + f(x))
            (NormPlace::After, Some(norm)) => {
                let y = f(tape, x)?;
                let x = self.add_residual(tape, params, x, y)?;
                norm.forward(tape, params, x)
            }
            // x + f(x)
            _ => {
                let y = f(tape, x)?;
                self.add_residual(tape, params, x, y)
            }
        }
    }

    /// `x + dropout(y)`, or `dropout(y)` without a residual connection.
    fn add_residual<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        y: Branch<'_>,
    ) -> Result<Var, Error> {
        match self.residual {
            true => y.add_to_residual(tape, params, x, self.dropout),
            false => {
                let y = y.value(tape, params)?;
                tape.dropout(y, self.dropout)
            }
        }
    }

    /// The cross-attention layer and the memory it attends to; `None` if the block has neither.
    fn cross_attention<'a>(
        &self,
        memory: Option<Memory<'a>>,
    ) -> Result<Option<(&CrossAttention, Memory<'a>)>, Error> {
        match (&self.cross_attn, memory) {
            (Some(cross_attn), Some(memory)) => Ok(Some((cross_attn, memory))),
            (None, None) => Ok(None),
            (cross_attn, _) => Err(Error::Setting {
                name: "the memory of a block",
                value: if cross_attn.is_some() { "missing" } else { "given" }.into(),
                rule: "give a memory to a block with cross-attention, and to no other block",
            }),
        }
    }
}

/// The shape of a [`Block`] and the initialisation of its weights.
///
/// [`BlockSettings::new`] describes the usual block; change single fields with struct update syntax:
///
/// ```
/// use m2g_core::nn::BlockSettings;
/// let decoder = BlockSettings { cross_attention: true, ..BlockSettings::new(32, 4) };
/// assert_eq!((decoder.width, decoder.hidden, decoder.attention.n_head), (32, 128, 4));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BlockSettings {
    /// C: the width of the stream.
    pub width: usize,
    /// N: the number of neurons in the hidden layer of the feed-forward layers.
    pub hidden: usize,
    /// The activation function of the hidden layer.
    pub activation: MlpActivation,
    /// The form of GELU, if that is the activation.
    pub gelu: GeluForm,
    /// The settings of self-attention and cross-attention. `attention.bias` decides for all layers
    /// of the block whether they have biases.
    pub attention: AttentionSettings,
    /// Whether the block has cross-attention, as in a decoder.
    pub cross_attention: bool,
    /// Where the norms are applied.
    pub norm: NormPlace,
    /// Their kind.
    pub norm_kind: NormKind,
    /// Whether each sub-layer adds to the stream instead of replacing it.
    pub residual: bool,
    /// The dropout probability of each sub-layer's output.
    pub dropout: f64,
    /// The dropout probability of the hidden layer of the feed-forward layers.
    pub hidden_dropout: f64,
    /// The initialisation of the linear layers that read from the stream.
    pub init: Init,
    /// The initialisation of the linear layers that write to the stream.
    pub init_proj: Init,
}

impl BlockSettings {
    /// The usual Transformer block of width C with `n_head` heads, which must divide C: self-attention
    /// with the scaled dot product, 4 C hidden neurons with GELU, norms before the sub-layers,
    /// residual connections and biases. It has no cross-attention, no dropout, and no position
    /// encoding in attention.
    ///
    /// Weights have standard deviation `1 / sqrt(inputs)` and biases are 0, which suits any width. In
    /// a deep model, give `init_proj` a smaller scale, as GPT-2 does.
    pub fn new(width: usize, n_head: usize) -> Self {
        let init = Init::Scaled { gain: 1.0, bias: 0.0 };
        Self {
            width,
            hidden: 4 * width,
            activation: MlpActivation::Gelu,
            gelu: GeluForm::default(),
            attention: AttentionSettings {
                n_head,
                positions: Positions::None,
                score: Score::ScaledDot,
                bias: true,
                qk_norm: false,
                dropout: 0.0,
            },
            cross_attention: false,
            norm: NormPlace::Before,
            norm_kind: NormKind::Layer,
            residual: true,
            dropout: 0.0,
            hidden_dropout: 0.0,
            init,
            init_proj: init,
        }
    }
}

impl Block {
    /// Adds the parameters of all layers to `params`: `name.ln_1`, `name.attn`, with cross-attention
    /// `name.ln_cross` and `name.cross_attn`, then `name.ln_2` and `name.mlp`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        settings: &BlockSettings,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let BlockSettings { width: c, hidden, activation, attention, norm, .. } = *settings;
        let (init, bias) = ((settings.init, settings.init_proj), attention.bias);
        let layer = |layer: &str| format!("{name}.{layer}");
        let new_norm = |params: &mut _, name: &str| match norm {
            NormPlace::None => Ok(None),
            _ => Norm::new(params, name, settings.norm_kind, c, bias).map(Some),
        };
        let ln_1 = new_norm(params, &layer("ln_1"))?;
        let attn = SelfAttention::new(params, &layer("attn"), c, init, attention, rng)?;
        let (ln_cross, cross_attn) = match settings.cross_attention {
            true => (
                new_norm(params, &layer("ln_cross"))?,
                Some(CrossAttention::new(params, &layer("cross_attn"), c, init, attention, rng)?),
            ),
            false => (None, None),
        };
        let ln_2 = new_norm(params, &layer("ln_2"))?;
        let mlp = Mlp::new(params, &layer("mlp"), (c, hidden), activation, init, bias, rng)?;
        let BlockSettings { residual, dropout, .. } = *settings;
        let mlp = Mlp { gelu: settings.gelu, dropout: settings.hidden_dropout, ..mlp };
        let (name, mlp) = (name.into(), Some(mlp));
        Ok(Self { name, ln_1, attn, ln_cross, cross_attn, ln_2, mlp, norm, residual, dropout })
    }

    /// All linear layers.
    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        let attn = std::iter::once(&self.attn.c_attn).chain(&self.attn.c_proj);
        let cross = self.cross_attn.iter().flat_map(|cross| [&cross.c_q, &cross.c_kv, &cross.c_proj]);
        let mlp = self.mlp.iter().flat_map(|mlp| std::iter::once(&mlp.c_fc).chain(&mlp.c_proj));
        attn.chain(cross).chain(mlp)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gradcheck::{self, constant};
    use crate::rng::Streams;

    const C: usize = 6;

    fn settings(norm: NormPlace, residual: bool, cross_attention: bool) -> BlockSettings {
        let (init, init_proj) = (Init::Normal(0.5), Init::Normal(0.5));
        let usual = BlockSettings::new(C, 2);
        BlockSettings { hidden: 10, cross_attention, norm, residual, init, init_proj, ..usual }
    }

    fn block(settings: &BlockSettings) -> (Block, Params<f64>) {
        let mut params = Params::new();
        let block = Block::new(&mut params, "h.0", settings, &mut Streams::new(1).stream("init", 0)).unwrap();
        (block, params)
    }

    /// The output of the block, computed by the equations of [`NormPlace`].
    fn by_hand(block: &Block, tape: &mut Tape<f64>, params: &Params<f64>, mut x: Var) -> Var {
        for (i, norm) in [block.ln_1, block.ln_2].into_iter().enumerate() {
            let f = |tape: &mut Tape<f64>, x| match i {
                0 => {
                    let y = block.attn.forward(tape, params, x, &Mask::Causal, None).unwrap();
                    y.value(tape, params).unwrap()
                }
                _ => block.mlp.as_ref().unwrap().forward(tape, params, x).unwrap(),
            };
            let norm = |tape: &mut Tape<f64>, x| norm.unwrap().forward(tape, params, x).unwrap();
            let add = |tape: &mut Tape<f64>, y| if block.residual { tape.add(x, y).unwrap() } else { y };
            x = match block.norm {
                NormPlace::Before => {
                    let y = norm(tape, x);
                    let y = f(tape, y);
                    add(tape, y)
                }
                NormPlace::After => {
                    let y = f(tape, x);
                    let y = add(tape, y);
                    norm(tape, y)
                }
                NormPlace::None => {
                    let y = f(tape, x);
                    add(tape, y)
                }
            };
        }
        x
    }

    #[test]
    fn each_norm_place_follows_its_equation() {
        for norm in [NormPlace::Before, NormPlace::After, NormPlace::None] {
            for (residual, fused) in [(true, true), (true, false), (false, true), (false, false)] {
                let (block, params) = block(&settings(norm, residual, false));
                let mut tape = Tape::new();
                tape.set_fused(fused);
                let x = tape.input(constant(&[2, 5, C], 3.0));
                let y = block.forward(&mut tape, &params, x, &Mask::Causal, Context::default()).unwrap();
                tape.set_fused(false);
                let want = by_hand(&block, &mut tape, &params, x);
                let pairs = tape.value(y).data().iter().zip(tape.value(want).data());
                let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-12, "{norm:?}, residual {residual}, fused {fused}: {worst}");
            }
        }
    }

    #[test]
    fn gradient_of_a_decoder_block() {
        for norm in [NormPlace::Before, NormPlace::After] {
            let (block, mut params) = block(&settings(norm, true, true));
            let worst = gradcheck::worst(&mut params, |tape, params| {
                let x = tape.input(constant(&[2, 3, C], 3.0));
                let memory = tape.input(constant(&[2, 4, C], 5.0));
                let mask = Mask::Padding([4, 2].into());
                let memory = Some(Memory::Sequence(memory, &mask));
                let context = Context { memory, ..Context::default() };
                let y = block.forward(tape, params, x, &Mask::Causal, context)?;
                let weights = tape.input(constant(&[2, 3, C], 9.0));
                let weighted = tape.mul(y, weights)?;
                tape.mean(weighted)
            })
            .unwrap();
            assert!(worst.error < gradcheck::TOLERANCE && !worst.param.is_empty(), "{worst:?}");
        }
    }

    #[test]
    fn memory_and_cross_attention_go_together() {
        for cross_attention in [true, false] {
            let (block, params) = block(&settings(NormPlace::Before, true, cross_attention));
            let mut tape = Tape::new();
            let x = tape.input(constant(&[1, 3, C], 3.0));
            let memory = (!cross_attention).then_some(Memory::Sequence(x, &Mask::None));
            let context = Context { memory, ..Context::default() };
            let error = block.forward(&mut tape, &params, x, &Mask::Causal, context).unwrap_err();
            assert!(error.to_string().contains("cross-attention"), "{error}");
        }
    }
}
