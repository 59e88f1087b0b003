//! One training step.

use std::panic::Location;

use super::model::Model;
use crate::kernels::Kernels;
use crate::kernels::huge_pages::use_huge_pages;
use crate::optim::{Optimizer, clip_norm};
use crate::threads::Spinner;
use crate::trace::{Phase, Record};
use crate::{Error, Float, Grads, Tape, Tensor};

/// The result of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// The mean loss of the batch, before the update.
    pub loss: f64,
    /// The norm of the gradient before clipping; `None` without clipping.
    pub grad_norm: Option<f64>,
}

/// Takes training steps, and reuses the buffers from one step to the next.
#[derive(Debug, Default)]
pub struct Stepper<T: Float> {
    /// The tape of the last step.
    pub tape: Tape<T>,
    /// The gradients of the last step.
    pub grads: Grads<T>,
    /// Whether the first step is done, after which few new buffers are needed.
    buffers_allocated: bool,
    /// The bytes of the buffers that evaluations added.
    added_bytes: usize,
    /// Keeps the worker threads spinning between ops.
    spinner: Spinner,
}

/// The total size of all buffers from which huge pages make training faster.
const MIN_BYTES_FOR_HUGE_PAGES: usize = 16 << 20;

impl<T: Float> Stepper<T> {
    /// Takes one optimiser step along the mean gradient of the batches, with learning rate
    /// `lr`. With `clip`, a gradient of a larger norm is scaled down to that norm. Use several
    /// batches if one batch of all examples would not fit into memory. `step` is the number of the step, for errors
    /// alone.
    ///
    /// # Errors
    /// The errors of the model; [`Error::NotFinite`] if the loss or, with `clip`, the norm of the gradient
    /// is NaN or infinite. The parameters are then unchanged. Without `clip` no norm is computed: such a
    /// gradient reaches the parameters, and the loss of the next step is the error.
    #[track_caller]
    pub fn step<M: Model<T>>(
        &mut self,
        model: &mut M,
        batches: &[M::Batch],
        optimizer: &mut dyn Optimizer<T>,
        lr: f64,
        clip: Option<f64>,
        step: u64,
    ) -> Result<StepReport, Error> {
        self.begin();
        let mut loss = 0.0;
        for batch in batches {
            let Self { tape, grads, .. } = self;
            loss += pass(model, tape, batch, grads, step)? / batches.len() as f64;
        }
        self.update(model, batches.len(), loss, optimizer, (lr, clip), step)
    }

    /// Begins a step: drops the gradients of the last one.
    #[track_caller]
    pub(super) fn begin(&mut self) {
        self.spinner.spin(self.buffer_bytes());
        self.tape.trace.enter(Phase::Forward, "Stepper::step", std::any::type_name::<Self>());
        self.grads.clear(&mut self.tape);
    }

    /// Takes the step along the mean gradient, after `passes` passes whose gradients were added up.
    #[track_caller]
    pub(super) fn update<M: Model<T>>(
        &mut self,
        model: &mut M,
        passes: usize,
        loss: f64,
        optimizer: &mut dyn Optimizer<T>,
        (lr, clip): (f64, Option<f64>),
        step: u64,
    ) -> Result<StepReport, Error> {
        let Self { tape, grads, .. } = self;
        let elements = model.params().count() as u64;
        // `grads` holds the sum over the batches; the step goes along the mean.
        let mut scale = 1.0 / passes as f64;
        let mut grad_norm = None;
        if let Some(max) = clip {
            let started = tape.trace.start();
            let (norm, clipped) = clip_norm(grads, scale, max);
            (grad_norm, scale) = (Some(norm), clipped);
            tape.trace.finish(started, |time| Record {
                time,
                flops: 2 * elements,
                bytes: elements * T::BYTES as u64,
                ..routine(Phase::Clip, "clip_norm", "m2g_core::optim::clip::clip_norm", elements)
            });
        }
        // Optimisers square the clipped gradient: its square must be finite too.
        let is_finite = |norm: f64, max: f64| norm.is_finite() && T::of(norm.min(max).powi(2)).is_finite();
        if grad_norm.zip(clip).is_some_and(|(norm, max)| !is_finite(norm, max)) {
            return Err(Error::NotFinite { what: self.first_not_finite(model), step });
        }

        let started = tape.trace.start();
        optimizer.update(model.params_mut(), grads, scale, lr);
        let (flops, moved) = optimizer.cost();
        tape.trace.finish(started, |time| Record {
            time,
            flops: flops * elements,
            bytes: moved * elements * T::BYTES as u64,
            ..routine(Phase::Update, optimizer.name(), optimizer.function(), elements)
        });
        if !self.buffers_allocated && self.buffer_bytes() >= MIN_BYTES_FOR_HUGE_PAGES {
            use_huge_pages();
        }
        self.buffers_allocated = true;
        Ok(StepReport { loss, grad_norm })
    }

    /// The size of all buffers that the steps so far needed.
    fn buffer_bytes(&self) -> usize {
        self.tape.bytes().saturating_sub(self.added_bytes)
    }

    /// Calls `evaluate` with a tape that has the buffers of the steps, and returns them to the steps.
    pub(super) fn lend_buffers<R>(
        &mut self,
        tape: &mut Tape<T>,
        evaluate: impl FnOnce(&mut Tape<T>) -> R,
    ) -> R {
        if !self.buffers_allocated {
            return evaluate(tape);
        }
        let before = self.tape.bytes();
        self.tape.swap_buffers(tape);
        let result = evaluate(tape);
        self.tape.swap_buffers(tape);
        self.added_bytes += self.tape.bytes().saturating_sub(before);
        result
    }

    /// Names the first gradient that is not finite.
    fn first_not_finite<M: Model<T>>(&self, model: &M) -> String {
        let broken = |g: Option<&Tensor<T>>| g.is_some_and(|g| !T::Kernels::all_finite(g.data()));
        let mut all = model.params().iter().zip(self.grads.iter());
        match all.find(|(_, g)| broken(*g)) {
            Some((param, _)) => format!("gradient of {}", param.name),
            None => "norm of the gradient".into(),
        }
    }

    /// The names of the parameters whose gradient was missing or zero in the last step, because
    /// their layer is disconnected or dead.
    pub fn without_gradient<M: Model<T>>(&self, model: &M) -> Vec<String> {
        let zero = |g: Option<&Tensor<T>>| g.is_none_or(|g| T::Kernels::all_zero(g.data()));
        let params = model.params().iter().zip(self.grads.iter());
        params.filter(|(_, g)| zero(*g)).map(|(p, _)| p.name.clone()).collect()
    }
}

/// One forward and backward pass: adds the gradient of the mean loss of a batch to `grads`, and returns the
/// loss.
///
/// # Errors
/// The errors of the model; [`Error::NotFinite`] if the loss is NaN or infinite.
#[track_caller]
pub(super) fn pass<T: Float, M: Model<T>>(
    model: &M,
    tape: &mut Tape<T>,
    batch: &M::Batch,
    grads: &mut Grads<T>,
    step: u64,
) -> Result<f64, Error> {
    let loss = model.gradients(tape, batch, grads)?.as_f64();
    if !loss.is_finite() {
        let what = match tape.first_not_finite(model.params()) {
            Some(first) => format!("loss (and before it {first})"),
            None => "loss".into(),
        };
        return Err(Error::NotFinite { what, step });
    }
    // Releases the parameters, so that the update happens in place.
    tape.reset();
    Ok(loss)
}

/// The trace record of a routine that is not an op and works on this number of elements.
#[track_caller]
pub(super) fn routine(phase: Phase, name: &'static str, function: &'static str, elements: u64) -> Record {
    let shape = ndarray::IxDyn(&[elements as usize]);
    Record {
        phase,
        name,
        function,
        equation: "",
        gradients: Vec::new(),
        caller: Location::caller(),
        inputs: vec![shape.clone()],
        from: Vec::new(),
        output: shape,
        to: None,
        flops: 0,
        bytes: 0,
        time: std::time::Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_uses_the_buffers_of_the_steps() {
        let (mut stepper, mut tape) = (Stepper::<f32>::default(), Tape::new());
        let take = |tape: &mut Tape<f32>, n: usize| {
            let buffer = tape.buffer(&[n]);
            let address = buffer.data().as_ptr();
            tape.recycle(buffer);
            address
        };
        stepper.lend_buffers(&mut tape, |tape| take(tape, 1000));
        assert_eq!(stepper.tape.bytes(), 0, "before the first step there is nothing to lend");

        let of_steps = take(&mut stepper.tape, 1000);
        stepper.buffers_allocated = true;
        let [lent, added] = stepper.lend_buffers(&mut tape, |tape| [1000, 2000].map(|n| take(tape, n)));
        assert_eq!(lent, of_steps);
        assert_eq!((stepper.tape.bytes(), stepper.buffer_bytes()), (12_000, 4000));
        assert_eq!(take(&mut stepper.tape, 2000), added, "the steps use what the evaluation added");
    }
}
