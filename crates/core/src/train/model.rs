//! The interface of a model to a training step.

use crate::trace::Phase;
use crate::{Error, Float, Grads, Params, Tape, Var};

/// A model: its parameters, and how a batch becomes a loss.
pub trait Model<T: Float> {
    /// The examples of one forward and backward pass.
    type Batch;

    /// The parameters.
    fn params(&self) -> &Params<T>;

    /// The parameters, mutably.
    fn params_mut(&mut self) -> &mut Params<T>;

    /// Records the mean loss of a batch, a scalar.
    ///
    /// # Errors
    /// [`Error::Shape`] if the batch does not fit the model.
    fn loss(&self, tape: &mut Tape<T>, batch: &Self::Batch) -> Result<Var, Error>;

    /// Adds the gradient of the loss to `grads` and returns the loss. The default runs the
    /// tape backward; a model may compute the gradient by hand instead.
    ///
    /// # Errors
    /// As [`Model::loss`].
    fn gradients(&self, tape: &mut Tape<T>, batch: &Self::Batch, grads: &mut Grads<T>) -> Result<T, Error> {
        gradients_by_tape(self, tape, batch, grads)
    }
}

/// Records the loss of `batch`, runs the tape backward, adds the gradients to `grads` and
/// returns the loss.
///
/// # Errors
/// As [`Model::loss`].
#[track_caller]
pub fn gradients_by_tape<T: Float, M: Model<T> + ?Sized>(
    model: &M,
    tape: &mut Tape<T>,
    batch: &M::Batch,
    grads: &mut Grads<T>,
) -> Result<T, Error> {
    tape.trace.enter(Phase::Forward, "gradients_by_tape", "m2g_core::train::model::gradients_by_tape");
    let loss = model.loss(tape, batch)?;
    let value = tape.read_loss(loss);
    // A loss that is not finite has no useful gradient; the tape still shows where it arose.
    if value.is_finite() {
        tape.backward(loss, grads)?;
    }
    Ok(value)
}
