//! One training: what the person wants of it, what the page shows of it, and its values after a step.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use m2g_digits::training::Description;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::curve::Curve;
use crate::hub::{Hub, lock};
use crate::server::reply::event;

/// How long a request waits for the values after the next step.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the training in progress is to stop: evaluations ask this often.
pub(super) static STOPPING: AtomicBool = AtomicBool::new(false);

pub(super) fn stopping() -> bool {
    STOPPING.load(Relaxed)
}

/// How fast a training goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speed {
    /// Not at all.
    Pause,
    /// One step, then not at all.
    Step,
    /// A few steps per second.
    Slow,
    /// As fast as it can.
    #[default]
    Full,
}

/// Where a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It loads its data.
    Loading,
    /// It takes steps.
    Running,
    /// It waits between two steps.
    Paused,
    /// It has taken all its steps.
    Finished,
    /// It was stopped, and can be resumed.
    Stopped,
    /// It ended with an error.
    Failed,
}

impl Stage {
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed)
    }
}

/// What the person wants.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) speed: Speed,
    /// Steps to take although it is paused.
    pub(super) steps: u64,
    pub(super) stop: bool,
    /// Whether somebody waits for the values.
    pub(super) wanted: bool,
}

/// What the page shows.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// The name in the listing.
    pub(super) run: String,
    pub(super) folder: String,
    pub(super) kind: &'static str,
    pub(super) speed: Speed,
    pub(super) step: u64,
    pub(super) steps: u64,
    pub(super) steps_per_evaluation: u64,
    /// Whether the values that were read last have gradients: before a step, there are none.
    pub(super) has_gradient: bool,
    pub(super) state: Stage,
    pub(super) error: Option<String>,
    pub(super) loss: Option<f64>,
    /// The losses until now.
    pub(super) losses: Curve<f64>,
    /// The evaluations until now.
    pub(super) evaluations: Curve<Value>,
    pub(super) seconds: f64,
    pub(super) parameters: Vec<Value>,
    pub(super) settings: Value,
    pub(super) result: Value,
}

/// The parameters and gradients after a step.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) step: Option<u64>,
    pub(super) values: Vec<SeenParameter>,
}

/// One training.
#[derive(Debug)]
pub struct Training {
    pub(super) path: PathBuf,
    pub(super) control: Mutex<Control>,
    /// The control or the values have changed.
    pub(super) changed: Condvar,
    pub(super) view: Mutex<View>,
    pub(super) seen: Mutex<Seen>,
    /// Of a digit network.
    pub(super) description: Mutex<Option<Description>>,
}

/// A parameter that was looked at: its name, shape, value and gradient.
pub(super) type SeenParameter = (String, Vec<usize>, Vec<f32>, Option<Vec<f32>>);

/// A value, its shape, and the step after which it was read.
pub type Elements = (Vec<f32>, Vec<usize>, u64);

impl Training {
    /// One that is about to begin.
    pub(super) fn new(run: String, path: &Path, kind: &'static str, settings: Value, speed: Speed) -> Self {
        // A single step is one of a training that waits.
        let (speed, steps) = if speed == Speed::Step { (Speed::Pause, 1) } else { (speed, 0) };
        let view = View {
            run,
            folder: path.display().to_string(),
            kind,
            speed,
            step: 0,
            steps: 0,
            steps_per_evaluation: 0,
            has_gradient: false,
            state: Stage::Loading,
            error: None,
            loss: None,
            losses: Curve::default(),
            evaluations: Curve::default(),
            seconds: 0.0,
            parameters: Vec::new(),
            settings,
            result: Value::Null,
        };
        Self {
            path: path.to_path_buf(),
            control: Mutex::new(Control { speed, steps, stop: false, wanted: false }),
            changed: Condvar::new(),
            view: Mutex::new(view),
            seen: Mutex::default(),
            description: Mutex::default(),
        }
    }

    /// The folder of the run.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stage(&self) -> Stage {
        lock(&self.view).state
    }

    pub(super) fn json(&self) -> Value {
        json!(*lock(&self.view))
    }

    /// Tells all streams how it stands. The view is locked meanwhile, so that no older state is sent after a newer.
    pub(super) fn announce(&self, hub: &Hub) {
        let view = lock(&self.view);
        hub.send(&event("training", &json!(*view)));
    }

    /// A new stream, which begins with how it stands and misses nothing after that.
    pub(super) fn join(&self, hub: &Hub) -> Receiver<Bytes> {
        let view = lock(&self.view);
        hub.join([event("training", &json!(*view))])
    }

    pub(super) fn steer(&self, speed: Option<Speed>, stop: bool) {
        let mut control = lock(&self.control);
        if let Some(speed) = speed {
            match speed {
                Speed::Step => {
                    control.speed = Speed::Pause;
                    control.steps += 1;
                }
                speed => {
                    control.speed = speed;
                    control.steps = 0;
                }
            }
            lock(&self.view).speed = control.speed;
        }
        if stop {
            control.stop = true;
            STOPPING.store(true, Relaxed);
        }
        self.changed.notify_all();
    }

    /// The values after the last step, read again if the training goes on.
    pub(super) fn fresh(&self) -> MutexGuard<'_, Seen> {
        let mut control = lock(&self.control);
        if matches!(self.stage(), Stage::Running | Stage::Loading) {
            control.wanted = true;
            let waiting = |control: &mut Control| control.wanted && !self.stage().is_over();
            drop(self.changed.wait_timeout_while(control, PATIENCE, waiting));
        }
        lock(&self.seen)
    }
}
