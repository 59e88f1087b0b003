//! The one place that chooses fused ops.
//!
//! The layers are written op by op, as in their papers. Where one fused op computes the same result
//! faster (equal up to rounding), this file chooses it, unless [`Tape::set_fused`] switches fused
//! ops off so that every matrix can be inspected.
//!
//! | op by op | fused op | used |
//! | --- | --- | --- |
//! | split heads, scores, mask, softmax, weighted mean, merge heads | [attention](crate::ops::attention), which never stores the T x T matrix | if the score is a scaled dot product |
//! | linear, dropout, add | [linear with residual](crate::ops::linear_residual) | unless the weights are [packed](Params::pack) |
//! | linear, activation, linear, dropout, add | [feed-forward](crate::ops::feed_forward) | in training, with ReLU, its square or GELU by tanh and no dropout of the hidden layer |

use super::{Linear, Mlp, Score};
use crate::ops::feed_forward::HiddenActivation;
use crate::{Error, Float, Params, Tape, Var};

/// The output `y` of a sub-layer of a [`Block`](super::Block), before its last linear layers are
/// computed: one op can then compute them together with the residual connection.
#[must_use]
#[derive(Debug, Clone, Copy)]
pub enum Branch<'a> {
    /// `y`, computed.
    Value(Var),
    /// A linear layer and its input.
    Linear(&'a Linear, Var),
    /// Feed-forward layers and their input.
    Mlp(&'a Mlp, Var),
}

impl<'a> Branch<'a> {
    /// `proj(x)`; without a projection, `x`.
    pub(super) fn projected(proj: Option<&'a Linear>, x: Var) -> Self {
        proj.map_or(Self::Value(x), |proj| Self::Linear(proj, x))
    }

    /// `y`: `(.., C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a layer does not fit its input.
    pub fn value<T: Float>(self, tape: &mut Tape<T>, params: &Params<T>) -> Result<Var, Error> {
        match self {
            Self::Value(y) => Ok(y),
            Self::Linear(proj, x) => proj.forward(tape, params, x),
            Self::Mlp(mlp, x) => mlp.forward(tape, params, x),
        }
    }

    /// `x + dropout(y)`, with dropout of probability `p` in training: `(.., C) -> (.., C)`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= p < 1`; [`Error::Shape`] if a layer does not fit its input,
    /// or `x` and `y` differ in shape.
    pub fn add_to_residual<T: Float>(
        self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        x: Var,
        p: f64,
    ) -> Result<Var, Error> {
        match self {
            Self::Mlp(mlp, input) => match fused_activation(tape, mlp) {
                Some(function) => mlp.forward_residual(tape, params, function, (x, input), p),
                None => {
                    let h = mlp.hidden(tape, params, input)?;
                    Self::projected(mlp.c_proj.as_ref(), h).add_to_residual(tape, params, x, p)
                }
            },
            Self::Linear(proj, input) if fuses_linear(tape, params, proj, input) => {
                proj.forward_residual(tape, params, x, input, p)
            }
            Self::Linear(..) | Self::Value(_) => {
                let y = self.value(tape, params)?;
                tape.residual(x, y, p)
            }
        }
    }
}

/// Whether one op computes attention with this score.
pub(super) fn fuses_attention<T: Float>(tape: &Tape<T>, score: Score) -> bool {
    tape.is_fused() && score.is_scaled_dot()
}

/// Whether one op computes a linear layer and the residual connection. [`Linear::forward`] is
/// faster where it reads packed weights.
fn fuses_linear<T: Float>(tape: &Tape<T>, params: &Params<T>, proj: &Linear, x: Var) -> bool {
    tape.is_fused() && !proj.reads_packed(tape, params, x)
}

/// The activation function of the one op that computes the feed-forward layers and the residual
/// connection, if it is used. It stores derivatives for the backward pass, which is wasted work if there is
/// none.
fn fused_activation<T: Float>(tape: &Tape<T>, mlp: &Mlp) -> Option<HiddenActivation> {
    let plain = mlp.dropout == 0.0 && mlp.c_proj.is_some();
    (tape.is_fused() && tape.wants_gradients() && plain).then(|| mlp.activation.fused(mlp.gelu)).flatten()
}
