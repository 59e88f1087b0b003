//! The feed-forward layers of a Transformer block.

use super::{GeluForm, Init, Linear, MlpActivation};
use crate::ops::feed_forward::HiddenActivation;
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, Params, Tape, Var};

/// `y = a(x W1^T + b1) W2^T + b2` with an activation function `a`: ReLU in the paper (Vaswani et al.
/// 2017, equation 2, whose W1 and W2 are these transposed), GELU in GPT-2, or another [`MlpActivation`]. It is a
/// network with one hidden layer, applied to each token, a row of `x`, separately.
#[derive(Debug, Clone, Copy)]
pub struct Mlp {
    /// `W1` and `b1`, `(C) -> (N)`; `(C) -> (2 N)` with a gate beside the hidden layer.
    pub c_fc: Linear,
    /// `a`.
    pub activation: MlpActivation,
    /// The form of GELU, if `a` is that.
    pub gelu: GeluForm,
    /// `W2` and `b2`, `(N) -> (C)`; without it, the hidden layer is the output.
    pub c_proj: Option<Linear>,
    /// The dropout probability of the hidden layer.
    pub dropout: f64,
}

impl Mlp {
    /// Adds `name.c_fc` and `name.c_proj` to `params`, for C inputs and outputs and N hidden
    /// neurons; `init` initialises `c_fc`, `init_proj` initialises `c_proj`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        (c, hidden): (usize, usize),
        activation: MlpActivation,
        (init, init_proj): (Init, Init),
        bias: bool,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let linear = if bias { Linear::new } else { Linear::without_bias };
        let c_fc = linear(params, &format!("{name}.c_fc"), (c, activation.layers() * hidden), init, rng)?;
        let c_proj = linear(params, &format!("{name}.c_proj"), (hidden, c), init_proj, rng)?;
        params.set_hidden_matrices(&[(c_fc.weight, activation.layers()), (c_proj.weight, 1)]);
        Ok(Self { c_fc, activation, gelu: GeluForm::default(), c_proj: Some(c_proj), dropout: 0.0 })
    }

    /// `y`: `(.., C) -> (.., C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have C columns.
    #[track_caller]
    pub fn forward<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        let h = self.hidden(tape, params, x)?; // (.., C) -> (.., N)
        self.project(tape, params, h)
    }

    /// The output for the hidden layer `h`: `(.., N) -> (.., C)`.
    fn project<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, h: Var) -> Result<Var, Error> {
        match &self.c_proj {
            Some(c_proj) => c_proj.forward(tape, params, h),
            None => Ok(h),
        }
    }

    /// `a(x W1^T + b1)`: `(.., C) -> (.., N)`.
    #[track_caller]
    pub(super) fn hidden<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
    ) -> Result<Var, Error> {
        tape.enter::<Self>("Mlp::forward");
        self.activate(tape, params, x)
    }

    /// The ops of [`Mlp::hidden`]: the trace names these lines as their callers.
    fn activate<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        let z = self.c_fc.forward(tape, params, x)?;
        let h = self.activation.record(tape, z, self.gelu)?;
        tape.trace.label(h, || format!("{}.{}", self.c_fc.parent(params), self.activation.name()));
        tape.dropout(h, self.dropout)
    }

    /// `r + dropout(y)` in one op with this activation function: `(.., C) -> (.., C)`.
    #[track_caller]
    pub(super) fn forward_residual<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        function: HiddenActivation,
        (r, x): (Var, Var),
        p: f64,
    ) -> Result<Var, Error> {
        tape.enter::<Self>("Mlp::forward");
        let layers = [self.c_fc, self.c_proj.expect("the fused op needs both layers")];
        let weights = layers.map(|layer| tape.param(params, layer.weight));
        let biases = layers[0].bias.zip(layers[1].bias);
        let biases = biases.map(|(b1, b2)| [b1, b2].map(|id| tape.param(params, id)));
        tape.feed_forward(function, (r, x), weights, biases, p)
    }
}
