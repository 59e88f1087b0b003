//! Training: one step, one loop, one session, for every model.
//!
//! | file | holds |
//! | --- | --- |
//! | `model.rs` | [`Model`]: parameters, and how a batch becomes a loss |
//! | `task.rs` | [`Task`]: the batches, and how success is measured |
//! | `step.rs` | [`Stepper`]: loss, gradients, clipping, update |
//! | `state.rs` | [`Options`]: how to train; [`State`]: the progress of a run |
//! | `observer.rs` | [`Observer`]: progress, evaluations, warnings |
//! | `fit.rs` | [`Fit`], the loop: steps, evaluations, checkpoints, when to stop |
//! | `shards.rs` | a step that is cut into shards, in one process or several |
//! | [`rank_check`] | any number of ranks trains to the same bits: a check for tests |
//! | `together.rs` | what the processes of a run check before they begin |
//! | [`run_folder`] | the folder of a run: configuration, metrics, checkpoints |
//! | `metrics.rs` | the metrics of a run: read within limits, cut at a checkpoint |
//! | [`manage`] | runs on the disk: rename, delete |
//! | `look.rs` | [`Look`]: parameters and gradients while a run trains |
//! | `trainable.rs` | [`Trainable`]: everything that a session needs to know about a model |
//! | `session.rs` | [`Session`]: start, resume, run, load |
//! | `session_code.rs` | how it does so, compiled once for each model |

mod fit;
mod look;
pub mod manage;
mod metrics;
mod model;
mod observer;
pub mod rank_check;
pub mod run_folder;
mod session;
mod session_code;
mod shards;
mod state;
mod step;
mod task;
#[cfg(test)]
mod tests;
mod together;
mod trainable;

pub use fit::Fit;
pub use look::Look;
pub use model::{Model, gradients_by_tape};
pub use observer::{EvaluationRecord, Observer, Progress, is_logged};
pub use run_folder::{RunFolder, RunLock, Save};
pub use session::{Outcome, Session, SessionCode, SessionModel};
pub use state::{Ended, Options, State};
pub use step::{StepReport, Stepper};
pub use task::{Evaluation, Metrics, Task};
pub use together::{copy_run, this_program};
pub use trainable::Trainable;
