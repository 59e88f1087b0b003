//! Training: the one step and the one loop that every model uses.
//!
//! | file | holds |
//! | --- | --- |
//! | `step.rs` | one step: loss, gradients, clip, update |
//! | `fit.rs` | the loop: steps, evaluations, checkpoints, when to stop |
//! | `run.rs` | the folder of a run: configuration, metrics, checkpoints |

mod fit;
pub mod run;
mod step;

pub use fit::{Ended, Evaluation, EvaluationRecord, Fit, Observer, Options, Progress, State, Task};
pub use run::RunFolder;
pub use step::{StepReport, Stepper};

use crate::trace::Phase;
use crate::{Error, Float, Grads, Params, Tape, Var};

/// What the training needs to know of a model: its parameters, and how a batch
/// becomes a loss.
pub trait Model<T: Float> {
    /// The examples of one pass forward and backward.
    type Batch;

    /// The parameters.
    fn params(&self) -> &Params<T>;

    /// The parameters, to be changed.
    fn params_mut(&mut self) -> &mut Params<T>;

    /// Records the way from a batch to its mean loss, one number.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn loss(&self, tape: &mut Tape<T>, batch: &Self::Batch) -> Result<Var, Error>;

    /// Adds the gradient of the loss to `grads` and returns the loss. By default
    /// the tape runs backward; a model may do it by hand.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn gradients(&self, tape: &mut Tape<T>, batch: &Self::Batch, grads: &mut Grads<T>) -> Result<T, Error> {
        gradients_by_tape(self, tape, batch, grads)
    }
}

/// Records the loss of `batch`, runs the tape backward, adds the gradients to
/// `grads` and returns the loss.
///
/// # Errors
/// What [`Model::loss`] returns.
#[track_caller]
pub fn gradients_by_tape<T: Float, M: Model<T> + ?Sized>(
    model: &M,
    tape: &mut Tape<T>,
    batch: &M::Batch,
    grads: &mut Grads<T>,
) -> Result<T, Error> {
    tape.trace.enter(Phase::Forward, "gradients_by_tape", "m2g_core::train::gradients_by_tape");
    let loss = model.loss(tape, batch)?;
    let value = tape.value(loss).data()[0];
    // From a loss that is no number no gradient comes; the tape still tells why.
    if value.is_finite() {
        tape.backward(loss, grads)?;
    }
    Ok(value)
}
