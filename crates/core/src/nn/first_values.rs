//! The values of the first block, for the others.

use crate::{Error, Float, Tape, Var};

/// The values of the first block, which every later block mixes into its own:
/// [`ops::value_residual`](crate::ops::value_residual). A forward pass starts with an empty one and passes it
/// from block to block.
#[derive(Debug, Default)]
pub struct FirstValues(Option<Var>);

impl FirstValues {
    /// Keeps the Q, K and V of the first block, `(B, T, 3 C)`; mixes the kept values into those of the others.
    ///
    /// # Errors
    /// [`Error::Shape`] if a block has another shape than the first.
    pub(super) fn mix<T: Float>(&mut self, tape: &mut Tape<T>, qkv: Var) -> Result<Var, Error> {
        match self.0 {
            None => {
                self.0 = Some(qkv);
                Ok(qkv)
            }
            Some(first) => tape.value_residual(qkv, first),
        }
    }
}
