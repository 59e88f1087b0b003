//! The data of a training run, and how success is measured.

use super::model::Model;
use crate::ranks::Ranks;
use crate::{Error, Float, Tape};

/// Metrics by name, such as `("val_loss", 1.47)`.
pub type Metrics = Vec<(&'static str, f64)>;

/// The data of a training run: batches to train on, and evaluations.
pub trait Task<T: Float, M: Model<T>> {
    /// The batches of a shard of step `step`, at least one. The gradients of all batches of all shards are
    /// averaged. They depend only on the step, the shard and the seed, so that a resumed run sees the same
    /// batches. The shards of a step have equally many batches; the shards that this process computes are
    /// read in order.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn batches(&mut self, step: u64, shard: usize) -> Result<&[M::Batch], Error>;

    /// Measures the model on held-out data after step `step`, which a resumed run may not have taken itself.
    /// The tape computes no gradients; the caller resets it afterwards. `ranks` share out the work, see
    /// [`Ranks::map`].
    ///
    /// # Errors
    /// If the data does not fit the model.
    fn evaluate(
        &mut self,
        step: u64,
        model: &M,
        tape: &mut Tape<T>,
        ranks: &mut Ranks<T>,
    ) -> Result<Evaluation, Error>;

    /// Measures the model on test data, once at the end of a run. By default, measures nothing.
    ///
    /// # Errors
    /// If the data does not fit the model.
    fn test(&mut self, model: &M, tape: &mut Tape<T>, ranks: &mut Ranks<T>) -> Result<Metrics, Error> {
        _ = (model, tape, ranks);
        Ok(Metrics::new())
    }

    /// The path of this type, for the trace.
    fn function(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// The result of an evaluation.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// The score to maximise: the best model is the one with the highest. `None` without
    /// held-out data.
    pub score: Option<f64>,
    /// The metrics for the metrics file.
    pub metrics: Metrics,
}
