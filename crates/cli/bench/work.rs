//! Work that can be timed and recorded.

use std::time::Duration;

use m2g_core::trace::Record;

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
