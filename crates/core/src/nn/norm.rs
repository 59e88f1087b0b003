//! The norm of a sub-layer: one of two kinds.

use serde::{Deserialize, Serialize};

use super::{LayerNorm, RmsNorm};
use crate::{Error, Float, Params, Tape, Var};

/// How the elements of a token are normalised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// [`LayerNorm`]: mean 0, variance 1, then a gain and a bias (GPT-2).
    #[default]
    Layer,
    /// [`RmsNorm`]: mean square 1, then a gain (Llama).
    Rms,
}

/// A norm of one of these kinds.
#[derive(Debug, Clone, Copy)]
pub enum Norm {
    /// Layer normalisation.
    Layer(LayerNorm),
    /// Root-mean-square normalisation.
    Rms(RmsNorm),
}

impl Norm {
    /// Adds `name.weight` and, for layer normalisation with `bias`, `name.bias` to `params`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        kind: NormKind,
        c: usize,
        bias: bool,
    ) -> Result<Self, Error> {
        match kind {
            NormKind::Layer => LayerNorm::new(params, name, c, bias).map(Self::Layer),
            NormKind::Rms => RmsNorm::new(params, name, c).map(Self::Rms),
        }
    }

    /// The normalised rows of `x`: `(.., C) -> (.., C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have C columns.
    #[track_caller]
    pub fn forward<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        match self {
            Self::Layer(norm) => norm.forward(tape, params, x),
            Self::Rms(norm) => norm.forward(tape, params, x),
        }
    }
}
