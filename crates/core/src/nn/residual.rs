//! Where the output of a layer goes.

use crate::{Error, Float, Tape, Var};

/// What a layer's output is joined with: it is added to the stream `x` (a residual connection, He
/// et al. 2016), or takes its place; before that, dropout.
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    /// What is there; none without residual connections.
    pub x: Option<Var>,
    /// The probability with which a number of the output is left out of a training step.
    pub dropout: f64,
}

impl Residual {
    /// `x + dropout(y)`, or `dropout(y)`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 <= dropout < 1`; [`Error::Shape`] unless both have one shape.
    #[track_caller]
    pub fn join<T: Float>(self, tape: &mut Tape<T>, y: Var) -> Result<Var, Error> {
        match self.x {
            Some(x) => tape.residual(x, y, self.dropout),
            None => tape.dropout(y, self.dropout),
        }
    }
}
