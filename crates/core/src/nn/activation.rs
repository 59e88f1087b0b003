//! Activation functions, which map the weighted input of a neuron to its output.

use serde::{Deserialize, Serialize};

use crate::{Error, Float, Tape, Var};

/// The activation function of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `1 / (1 + e^-z)`, the book's.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(0, z)`.
    Relu,
    /// `z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))`, a smooth ReLU, the GPT's:
    /// [`ops::gelu`](crate::ops::gelu).
    Gelu,
}

impl Activation {
    /// `a(z)`, element by element: `(..) -> (..)`.
    ///
    /// # Errors
    /// Only [`Error::Stopped`], after [`Tape::set_stop`]: any shape is valid.
    #[track_caller]
    pub fn forward<T: Float>(self, tape: &mut Tape<T>, z: Var) -> Result<Var, Error> {
        tape.enter::<Self>("Activation::forward");
        match self {
            Self::Sigmoid => tape.sigmoid(z),
            Self::Tanh => tape.tanh(z),
            Self::Relu => tape.relu(z),
            Self::Gelu => tape.gelu(z),
        }
    }
}
