//! What a neuron does with its weighted sum.

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
}

impl Activation {
    /// Records the function on the tape.
    ///
    /// # Errors
    /// None: every shape will do.
    #[track_caller]
    pub fn forward<T: Float>(self, tape: &mut Tape<T>, z: Var) -> Result<Var, Error> {
        tape.enter::<Self>("Activation::forward");
        match self {
            Self::Sigmoid => tape.sigmoid(z),
            Self::Tanh => tape.tanh(z),
            Self::Relu => tape.relu(z),
        }
    }
}
