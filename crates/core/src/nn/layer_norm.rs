//! Layer normalisation.

use crate::{Error, Float, ParamId, Params, Tape, Tensor, Var};

/// `y = (x - mean) / sqrt(variance + 1e-5) * w + b`, with the mean and the variance of each row
/// (Ba et al. 2016), `w` and `b` of shape `(C)`.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm {
    /// The gain, `(C)`, initially 1.
    pub weight: ParamId,
    /// The bias, `(C)`, initially 0.
    pub bias: Option<ParamId>,
}

impl LayerNorm {
    /// Adds `name.weight` and, with `bias`, `name.bias` to `params`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if a name is taken.
    pub fn new<T: Float>(params: &mut Params<T>, name: &str, c: usize, bias: bool) -> Result<Self, Error> {
        let weight = params.add(format!("{name}.weight"), Tensor::from_fn(&[c], T::one))?;
        let bias = match bias {
            true => Some(params.add(format!("{name}.bias"), Tensor::zeros(&[c]))?),
            false => None,
        };
        Ok(Self { weight, bias })
    }

    /// `y`: `(.., C) -> (.., C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have C columns.
    #[track_caller]
    pub fn forward<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        tape.enter::<Self>("LayerNorm::forward");
        let weight = tape.param(params, self.weight);
        let bias = self.bias.map(|bias| tape.param(params, bias));
        let y = tape.layer_norm(x, weight, bias)?;
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }
}
