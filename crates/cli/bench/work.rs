//! Work that can be timed and recorded.

use std::time::{Duration, Instant};

use m2g_core::optim::AdamW;
use m2g_core::rng::Streams;
use m2g_core::trace::Record;
use m2g_core::train::{Session, SessionModel, Stepper};

/// Work that can be repeated.
pub trait Work {
    /// Does the work once. Returns the time, without preparation.
    fn run(&mut self) -> anyhow::Result<Duration>;

    /// Does one step of the work and records it.
    fn record(&mut self) -> anyhow::Result<Recording>;

    /// The number of such steps in the work.
    fn steps(&self) -> f64 {
        1.0
    }

    /// The number of parameters of its model.
    fn parameters(&self) -> usize;
}

/// A recorded step.
pub struct Recording {
    /// The duration of the step.
    pub seconds: Duration,
    /// The part of the step that fetched the examples, if measured separately.
    pub fetched: Option<Duration>,
    /// The trace.
    pub records: Vec<Record>,
}

/// Training steps of a model: forward, backward, clip, AdamW.
pub struct TrainingSteps<M, F> {
    model: M,
    adamw: AdamW<f32>,
    /// Makes the batch of the next step, which is not timed.
    next_batch: F,
    stepper: Stepper<f32>,
    /// The number of steps taken.
    step: u64,
}

impl<M: SessionModel, F: FnMut() -> anyhow::Result<M::Batch>> TrainingSteps<M, F> {
    /// The model before its first step.
    pub fn new(model: M, adamw: AdamW<f32>, next_batch: F) -> Self {
        Self { model, adamw, next_batch, stepper: Stepper::default(), step: 0 }
    }
}

impl<M: SessionModel, F: FnMut() -> anyhow::Result<M::Batch>> Work for TrainingSteps<M, F> {
    fn run(&mut self) -> anyhow::Result<Duration> {
        let batch = [(self.next_batch)()?];
        let started = Instant::now();
        self.stepper.tape.set_dropout(Some(Streams::new(1).dropout(self.step)));
        Session::step(
            &mut self.stepper,
            &mut self.model,
            &batch,
            &mut self.adamw,
            (1e-3, Some(1.0)),
            self.step,
        )?;
        self.step += 1;
        Ok(started.elapsed())
    }

    fn record(&mut self) -> anyhow::Result<Recording> {
        self.stepper.tape.trace.switch(true);
        let seconds = self.run()?;
        self.stepper.tape.trace.switch(false);
        Ok(Recording { seconds, fetched: None, records: self.stepper.tape.trace.take() })
    }

    fn parameters(&self) -> usize {
        self.model.params().count()
    }
}
