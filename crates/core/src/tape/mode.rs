//! How a tape records: with gradients or without, fused or op by op, in which precision.

use super::Tape;
use crate::kernels::matmul::RowBits;
use crate::rng::DropoutKey;
use crate::{Float, Precision};

impl<T: Float> Tape<T> {
    /// An empty tape that computes values alone, as evaluation and generation need them.
    pub fn without_gradients() -> Self {
        Self { gradients: false, ..Self::new() }
    }

    /// Whether parameters recorded from now on need gradients.
    pub fn set_gradients(&mut self, needed: bool) {
        self.gradients = needed;
    }

    /// Whether values stay readable after [`Tape::backward`], instead of handing their memory to
    /// the gradients.
    pub fn set_keep_values(&mut self, keep: bool) {
        self.keep_values = keep;
    }

    /// Whether layers may use fused ops (the default). A fused op computes several ops at once.
    /// Without them, every intermediate matrix can be inspected. The results are equal up to rounding.
    pub fn set_fused(&mut self, fused: bool) {
        self.fused = fused;
    }

    /// Whether layers may use fused ops.
    pub(crate) fn is_fused(&self) -> bool {
        self.fused
    }

    /// The precision of matrix products from now on, forward and backward.
    pub fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// Whether linear layers compute each row to the same bits, however many rows there are: a sentence then
    /// gives the same result alone and in a batch. Otherwise, a few rows take a faster kernel, which adds in
    /// another order.
    pub fn set_fixed_row_bits(&mut self, fixed: bool) {
        self.row_bits = if fixed { RowBits::Fixed } else { RowBits::Free };
    }

    /// Switches dropout on with this step's key, or off.
    pub fn set_dropout(&mut self, key: Option<DropoutKey>) {
        self.dropout = key;
    }

    /// From now on, once `stop` has answered `true`, every op returns [`Error::Stopped`](crate::Error::Stopped)
    /// instead of running. So a long evaluation ends within one op.
    pub fn set_stop(&mut self, stop: fn() -> bool) {
        self.stop = Some(stop);
    }

    /// The function of [`Tape::set_stop`].
    pub fn stop(&self) -> Option<fn() -> bool> {
        self.stop
    }

    /// The key of the next dropout of this step; none outside training.
    pub(crate) fn next_dropout(&mut self) -> Option<DropoutKey> {
        let key = self.dropout?;
        self.dropout = Some(key.next());
        Some(key)
    }
}
