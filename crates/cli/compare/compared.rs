//! One of the two models of a comparison, and one training step of it.

use anyhow::anyhow;
use m2g_core::Error;

use crate::models::kind::{ModelKind, TracedStep};
use crate::models::run::SavedRun;
use crate::models::{find_run, named};

/// Steps before the recorded one, so that its times reflect a steady state.
const WARM_UP_STEPS: u64 = 2;

/// A model or a run, and one training step of it.
pub struct Compared {
    /// The name on the command line.
    pub name: String,
    /// The kind of model.
    pub kind: &'static dyn ModelKind,
    /// The run, unless the model is untrained.
    pub run: Option<SavedRun>,
    /// The step.
    pub step: TracedStep,
}

impl Compared {
    /// Takes a training step of an untrained model or of a run. Saves nothing.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let (kind, run) = match named(name) {
            Some(kind) => (kind, None),
            None => {
                let (kind, run) = find_run(name)?;
                (kind, Some(run))
            }
        };
        let step = kind.trace_step(run.as_ref(), WARM_UP_STEPS).map_err(|error| match &run {
            Some(run) if matches!(error.downcast_ref(), Some(Error::NotFinite { .. })) => anyhow!(
                "{} cannot be compared: its training has diverged, so that a step of it is not finite",
                run.path.display()
            ),
            // The core's errors already name the file.
            Some(run) if !error.is::<Error>() => anyhow!("{}: {error}", run.path.display()),
            _ => error,
        })?;
        Ok(Self { name: name.into(), kind, run, step })
    }
}
