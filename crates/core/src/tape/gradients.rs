//! Accumulates the gradients of the parameters in buffers of the tape.

use super::Tape;
use super::op::sum_into;
use crate::{Float, Grads, ParamId, Tensor};

impl<T: Float> Grads<T> {
    /// Adds `grad` to the gradient of a parameter. A parameter that is used twice, or by several
    /// mini-batches, gets the sum.
    pub fn add(&mut self, id: ParamId, grad: Tensor<T>, tape: &mut Tape<T>) {
        if self.list.len() <= id.0 {
            self.list.resize_with(id.0 + 1, || None);
        }
        sum_into(&mut self.list[id.0], grad, &mut tape.pool);
        if let (Some(outbox), Some(grad)) = (&mut self.outbox, &self.list[id.0]) {
            outbox.completed(id.0, grad.data());
        }
    }

    /// Drops the gradients; their buffers return to the tape for the next step.
    pub fn clear(&mut self, tape: &mut Tape<T>) {
        for grad in self.list.drain(..).flatten() {
            tape.recycle(grad);
        }
    }
}
