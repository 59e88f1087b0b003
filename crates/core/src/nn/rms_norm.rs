//! Root-mean-square normalisation.

use crate::{Error, Float, ParamId, Params, Tape, Tensor, Var};

/// `y = x / sqrt(mean(x^2) + 1e-5) * w`, with the mean square of each row (Zhang and Sennrich 2019)
/// and `w` of shape `(C)`.
#[derive(Debug, Clone, Copy)]
pub struct RmsNorm {
    /// The gain, `(C)`, initially 1.
    pub weight: ParamId,
}

impl RmsNorm {
    /// Adds `name.weight` to `params`.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn new<T: Float>(params: &mut Params<T>, name: &str, c: usize) -> Result<Self, Error> {
        Ok(Self { weight: params.add(format!("{name}.weight"), Tensor::from_fn(&[c], T::one))? })
    }

    /// `y`: `(.., C) -> (.., C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` does not have C columns.
    #[track_caller]
    pub fn forward<T: Float>(&self, tape: &mut Tape<T>, params: &Params<T>, x: Var) -> Result<Var, Error> {
        tape.enter::<Self>("RmsNorm::forward");
        let weight = tape.param(params, self.weight);
        let y = tape.rms_norm(x, weight)?;
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }
}
