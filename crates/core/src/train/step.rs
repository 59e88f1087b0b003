//! One training step.

use std::panic::Location;

use super::Model;
use crate::huge_pages::use_huge_pages;
use crate::optim::{Optimizer, clip_norm};
use crate::threads::Awake;
use crate::trace::{Phase, Record};
use crate::{Error, Float, Grads, Tape};

/// What a step found.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// The mean loss of the batch, before the update.
    pub loss: f64,
    /// The norm of the gradient before clipping, if it is clipped.
    pub grad_norm: Option<f64>,
}

/// Makes training steps, and keeps the buffers from one to the next.
#[derive(Debug, Default)]
pub struct Stepper<T: Float> {
    /// The tape of the last step.
    pub tape: Tape<T>,
    /// The gradients of the last step.
    pub grads: Grads<T>,
    /// Whether all buffers have been made, which is so after the first step.
    settled: bool,
    /// Keeps the other threads awake between the ops.
    awake: Awake,
}

/// From so many bytes of buffers on, a training is worth moving to huge pages.
const LARGE: usize = 16 << 20;

impl<T: Float> Stepper<T> {
    /// One step: from each batch to its loss and back to the gradients, whose mean is
    /// gone against with learning rate `lr`. With `clip`, its norm is bounded. Several
    /// batches are for when all examples at a time would not fit into the memory.
    ///
    /// # Errors
    /// What the model returns; [`Error::NotFinite`] if the loss or the norm of
    /// the gradient is NaN or infinite. The parameters are then unchanged.
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
        self.awake.keep(self.buffer_bytes());
        let Self { tape, grads, .. } = self;
        tape.trace.enter(Phase::Forward, "Stepper::step", std::any::type_name::<Self>());
        grads.clear(tape);
        let mut loss = 0.0;
        for batch in batches {
            let this = model.gradients(tape, batch, grads)?.as_f64();
            if !this.is_finite() {
                let what = match tape.first_not_finite(model.params()) {
                    Some(first) => format!("loss (first of all {first})"),
                    None => "loss".into(),
                };
                return Err(Error::NotFinite { what, step });
            }
            loss += this / batches.len() as f64;
            // The tape lets go of the parameters, so that the update is in place.
            tape.reset();
        }
        let numbers = model.params().count() as u64;
        // The gradients are a sum over the batches; what is gone against is their mean.
        let mut scale = 1.0 / batches.len() as f64;
        let mut grad_norm = None;
        if let Some(max) = clip {
            let started = tape.trace.start();
            let (norm, clipped) = clip_norm(grads, scale, max);
            (grad_norm, scale) = (Some(norm), clipped);
            tape.trace.finish(started, |time| Record {
                time,
                flops: 2 * numbers,
                bytes: numbers * T::BYTES as u64,
                ..routine(Phase::Clip, "clip_norm", "m2g_core::optim::clip::clip_norm", numbers)
            });
        }
        if grad_norm.is_some_and(|norm| !norm.is_finite()) {
            return Err(Error::NotFinite { what: self.first_not_finite(model), step });
        }

        let started = tape.trace.start();
        optimizer.update(model.params_mut(), grads, scale, lr);
        let (flops, moved) = optimizer.cost();
        tape.trace.finish(started, |time| Record {
            time,
            flops: flops * numbers,
            bytes: moved * numbers * T::BYTES as u64,
            ..routine(Phase::Update, optimizer.name(), optimizer.function(), numbers)
        });
        if !self.settled && self.buffer_bytes() >= LARGE {
            use_huge_pages();
        }
        self.settled = true;
        Ok(StepReport { loss, grad_norm })
    }

    /// The size of all buffers that the steps before this one needed.
    fn buffer_bytes(&self) -> usize {
        self.tape.buffer_numbers() * T::BYTES
    }

    fn first_not_finite<M: Model<T>>(&self, model: &M) -> String {
        let broken =
            |g: Option<&crate::Tensor<T>>| g.is_some_and(|g| g.data().iter().any(|x| !x.is_finite()));
        let names = model.params().iter().zip(self.grads.iter());
        match names.into_iter().find(|(_, g)| broken(*g)) {
            Some((param, _)) => format!("gradient of {}", param.name),
            None => "norm of the gradient".into(),
        }
    }

    /// The names of the parameters that the last step gave no gradient, or only
    /// zeros: a layer that is not connected, or dead.
    pub fn without_gradient<M: Model<T>>(&self, model: &M) -> Vec<String> {
        let zero = |g: Option<&crate::Tensor<T>>| g.is_none_or(|g| g.data().iter().all(|&x| x == T::zero()));
        let params = model.params().iter().zip(self.grads.iter());
        params.filter(|(_, g)| zero(*g)).map(|(p, _)| p.name.clone()).collect()
    }
}

/// The record of a routine that is no op, on so many numbers.
#[track_caller]
pub(super) fn routine(phase: Phase, name: &'static str, function: &'static str, numbers: u64) -> Record {
    let shape = ndarray::IxDyn(&[numbers as usize]);
    Record {
        phase,
        name,
        function,
        equation: "",
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
