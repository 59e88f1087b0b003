//! A learned vector for each token, or for each position.

use super::linear::normal_tensor;
use crate::rng::ChaCha8Rng;
use crate::tokens::Tokens;
use crate::{Error, Float, ParamId, Params, Tape, Var};

/// A table of V rows and C columns: maps token `v` to row `v`.
#[derive(Debug, Clone, Copy)]
pub struct Embedding {
    /// The table, `(V, C)`.
    pub weight: ParamId,
}

impl Embedding {
    /// Adds `name.weight` of shape `(rows, cols)` to `params`: normal random values with standard
    /// deviation `std`; if it is 0, `rng` is left unchanged.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn new<T: Float>(
        params: &mut Params<T>,
        name: &str,
        (rows, cols): (usize, usize),
        std: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let table = normal_tensor(&[rows, cols], std, rng);
        Ok(Self { weight: params.add(format!("{name}.weight"), table)? })
    }

    /// The row of each token: `(B, T) -> (B, T, C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a token is not in the table.
    #[track_caller]
    pub fn forward<T: Float>(
        &self,
        tape: &mut Tape<T>,
        params: &Params<T>,
        tokens: &Tokens,
    ) -> Result<Var, Error> {
        tape.enter::<Self>("Embedding::forward");
        let weight = tape.param(params, self.weight);
        let y = tape.embedding(weight, tokens)?;
        tape.trace.label(y, || params.get(self.weight).layer().into());
        Ok(y)
    }
}
