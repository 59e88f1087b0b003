//! The feed-forward layers of a Transformer block.

use super::{Form, Init, Linear, Residual};
use crate::rng::ChaCha8Rng;
use crate::{Error, Float, Params, Tape, Var};

/// `y = W2 gelu(W1 x + b1) + b2` (Vaswani et al. 2017, equation 2, with GELU for ReLU):
/// the digit network with one hidden layer, applied to each token by itself.
#[derive(Debug, Clone, Copy)]
pub struct Mlp {
    /// `(C) -> (4 C)`.
    pub c_fc: Linear,
    /// `(4 C) -> (C)`.
    pub c_proj: Linear,
    form: Form,
}

impl Mlp {
    /// Adds `name.c_fc` and `name.c_proj` to `params`, with 4 C hidden neurons.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        c: usize,
        (init, init_proj): (Init, Init),
        bias: bool,
        form: Form,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let linear = if bias { Linear::new } else { Linear::without_bias };
        let c_fc = linear(params, &format!("{name}.c_fc"), (c, 4 * c), init, rng)?;
        let c_proj = linear(params, &format!("{name}.c_proj"), (4 * c, c), init_proj, rng)?;
        Ok(Self { c_fc, c_proj, form })
    }

    /// `residual.x + dropout(y)`: `(.., C) -> (.., C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has another number of columns.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        residual: Residual,
    ) -> Result<Var, Error> {
        tape.enter::<Self>("Mlp::forward");
        let Self { c_fc, c_proj, form } = self;
        if let Some(r) = residual.x.filter(|_| *form == Form::Fused && tape.wants_gradients()) {
            let weights = [c_fc.weight, c_proj.weight].map(|id| tape.param(params, id));
            let biases = c_fc.bias.zip(c_proj.bias).map(|(b1, b2)| [b1, b2].map(|id| tape.param(params, id)));
            return tape.feed_forward(r, x, weights, biases, residual.dropout);
        }
        let x = c_fc.forward(tape, params, x)?; // (B, T, C) -> (B, T, 4 C)
        let x = tape.gelu(x)?;
        tape.trace.label(x, || params.get(c_fc.weight).layer().replace("c_fc", "gelu"));
        c_proj.forward_residual(tape, params, x, residual, *form) // (B, T, 4 C) -> (B, T, C)
    }
}
