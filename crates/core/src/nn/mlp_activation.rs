//! The activation functions of feed-forward layers.

use serde::{Deserialize, Serialize};

use super::GeluForm;
use crate::ops::feed_forward::HiddenActivation;
use crate::{Error, Float, Tape, Var};

/// The activation function of the hidden layer of an [`Mlp`](super::Mlp).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MlpActivation {
    /// [`ops::gelu`](crate::ops::gelu), in one of its [forms](GeluForm): GPT-2.
    #[default]
    Gelu,
    /// `max(0, z)`: the paper.
    Relu,
    /// `max(0, z)^2`: [`ops::relu_squared`](crate::ops::relu_squared).
    ReluSquared,
    /// `a s(a) b` of two layers `a` and `b` side by side: [`ops::swiglu`](crate::ops::swiglu) (Llama).
    Swiglu,
}

impl MlpActivation {
    /// The hidden layer for `z`, the output of the first linear layer: `(.., layers N) -> (.., N)`.
    pub(super) fn record<T: Float>(self, tape: &mut Tape<T>, z: Var, gelu: GeluForm) -> Result<Var, Error> {
        match (self, gelu) {
            (Self::Gelu, GeluForm::Tanh) => tape.gelu(z),
            (Self::Gelu, GeluForm::Exact) => tape.gelu_exact(z),
            (Self::Relu, _) => tape.relu(z),
            (Self::ReluSquared, _) => tape.relu_squared(z),
            (Self::Swiglu, _) => tape.swiglu(z),
        }
    }

    /// How many layers of N neurons the first linear layer computes side by side.
    pub fn layers(self) -> usize {
        if self == Self::Swiglu { 2 } else { 1 }
    }

    /// N for tokens of C elements. A gate beside the hidden layer is a third matrix: so that the
    /// feed-forward layers keep their 8 C^2 weights, N is then 8/3 C instead of 4 C (Shazeer 2020), rounded
    /// up to a multiple of 8.
    pub fn usual_hidden(self, c: usize) -> usize {
        match self {
            Self::Swiglu => (8 * c).div_ceil(3).next_multiple_of(8),
            _ => 4 * c,
        }
    }

    /// This activation in the fused op; `None` if the fused op does not have it.
    pub(super) fn fused(self, gelu: GeluForm) -> Option<HiddenActivation> {
        match (self, gelu) {
            (Self::Gelu, GeluForm::Tanh) => Some(HiddenActivation::Gelu),
            (Self::Relu, _) => Some(HiddenActivation::Relu),
            (Self::ReluSquared, _) => Some(HiddenActivation::ReluSquared),
            (Self::Gelu, GeluForm::Exact) | (Self::Swiglu, _) => None,
        }
    }

    /// The name in traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::Relu => "relu",
            Self::ReluSquared => "relu_squared",
            Self::Swiglu => "swiglu",
        }
    }
}
