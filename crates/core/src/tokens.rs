//! Rows of token ids.

use std::sync::Arc;

use crate::Error;

/// Token ids of B sequences of T tokens, row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The ids; a clone shares them.
    pub ids: Arc<[u32]>,
    /// `[B, T]`.
    pub shape: [usize; 2],
}

impl Tokens {
    /// Tokens of shape `[B, T]`.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are B T ids.
    pub fn new(shape: [usize; 2], ids: impl Into<Arc<[u32]>>) -> Result<Self, Error> {
        let (ids, expected) = (ids.into(), shape[0].saturating_mul(shape[1]));
        match ids.len() == expected {
            true => Ok(Self { ids, shape }),
            false => Err(Error::Length { shape: shape.to_vec(), expected, found: ids.len() }),
        }
    }
}
