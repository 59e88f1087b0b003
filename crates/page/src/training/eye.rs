//! The observer of a training: it reports every step, and waits between two steps while the training is paused.

use std::time::{Duration, Instant};

use m2g_core::train::{EvaluationRecord, Look, Observer, Progress};
use serde_json::json;

use super::one::{Control, Speed, Stage, Training, stopping};
use crate::hub::{Hub, lock};
use crate::server::reply::event;

/// The shortest time between two events at full speed.
const EVENT_INTERVAL: Duration = Duration::from_millis(34);
/// The time from one step to the next at slow speed.
const SLOW: Duration = Duration::from_millis(250);
/// The most losses in one event.
const LOSSES: usize = 100;

/// Watches one training.
pub(super) struct Eye<'a> {
    training: &'a Training,
    hub: &'a Hub,
    /// The last step, and the losses since the last event.
    last: Option<Progress>,
    losses: Vec<(u64, f64)>,
    sent: Instant,
    /// When the next step may begin at slow speed.
    next: Instant,
    started: Instant,
}

impl<'a> Eye<'a> {
    pub(super) fn new(training: &'a Training, hub: &'a Hub) -> Self {
        let now = Instant::now();
        Self { training, hub, last: None, losses: Vec::new(), sent: now, next: now, started: now }
    }

    /// Sends the losses since the last event.
    pub(super) fn flush(&mut self) {
        let Some(Progress { step, loss, lr, grad_norm, .. }) = self.last else { return };
        if self.losses.is_empty() {
            return;
        }
        let every = self.losses.len().div_ceil(LOSSES);
        let mut losses: Vec<&(u64, f64)> = self.losses.iter().step_by(every).collect();
        if let Some(last) = self.losses.last().filter(|last| losses.last() != Some(last)) {
            losses.push(last);
        }
        let data = json!({"step": step, "loss": loss, "lr": lr, "grad_norm": grad_norm, "losses": losses});
        self.hub.send(&event("step", &data));
        self.losses.clear();
        self.sent = Instant::now();
    }

    /// Copies all parameters and gradients for the page.
    fn read(&self, look: &dyn Look) {
        let mut seen = lock(&self.training.seen);
        seen.step = Some(self.last.map_or(0, |progress| progress.step).max(lock(&self.training.view).step));
        let value = |(name, shape): (String, Vec<usize>)| {
            let (value, gradient) = (look.parameter(&name).unwrap_or_default(), look.gradient(&name));
            (name, shape, value, gradient)
        };
        seen.values = look.names().into_iter().map(value).collect();
        lock(&self.training.view).has_gradient = seen.values.iter().any(|(.., gradient)| gradient.is_some());
    }

    fn set_stage(&self, stage: Stage) {
        let mut view = lock(&self.training.view);
        if view.state != stage {
            view.state = stage;
            drop(view);
            self.training.announce(self.hub);
        }
    }
}

impl Observer for Eye<'_> {
    fn step(&mut self, progress: &Progress) {
        self.last = Some(*progress);
        self.losses.push((progress.step, progress.loss));
        let mut view = lock(&self.training.view);
        (view.step, view.loss) = (progress.step, Some(progress.loss));
        view.losses.push(progress.step, progress.loss);
        view.seconds = self.started.elapsed().as_secs_f64();
        let speed = view.speed;
        drop(view);
        if speed != Speed::Full || self.sent.elapsed() >= EVENT_INTERVAL || progress.step == progress.steps {
            self.flush();
        }
    }

    /// Reads the values if they are wanted, and waits until the next step may begin.
    fn look(&mut self, look: &dyn Look) {
        let mut control = lock(&self.training.control);
        let is_last = self.last.is_none_or(|progress| progress.step == progress.steps);
        let mut read = control.speed != Speed::Full || control.wanted || is_last;
        loop {
            if read || control.wanted {
                control.wanted = false;
                self.read(look);
                self.training.changed.notify_all();
                read = false;
            }
            let now = Instant::now();
            if control.stop || is_last && self.last.is_some() {
                break;
            }
            match control.speed {
                Speed::Full => break,
                Speed::Slow if now >= self.next => {
                    self.next = now + SLOW;
                    break;
                }
                Speed::Slow => {
                    let wait = self.next - now;
                    control = self
                        .training
                        .changed
                        .wait_timeout(control, wait)
                        .map_or_else(|e| e.into_inner().0, |w| w.0);
                }
                Speed::Pause | Speed::Step if control.steps > 0 => {
                    control.steps -= 1;
                    break;
                }
                Speed::Pause | Speed::Step => {
                    drop(control);
                    // It was at full speed until now: the values are those of an earlier step.
                    self.flush();
                    self.read(look);
                    self.set_stage(Stage::Paused);
                    control = lock(&self.training.control);
                    let may_wait = |control: &mut Control| {
                        control.speed == Speed::Pause
                            && control.steps == 0
                            && !control.stop
                            && !control.wanted
                    };
                    let waited = self.training.changed.wait_while(control, may_wait);
                    control = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
                }
            }
        }
        drop(control);
        self.set_stage(Stage::Running);
    }

    fn evaluated(&mut self, record: &EvaluationRecord) {
        self.flush();
        let data = json!(record);
        let evaluation = event("evaluation", &data);
        // The view is locked until it is sent: a stream that begins now has it once.
        let mut view = lock(&self.training.view);
        view.evaluations.push(data["step"].as_u64().unwrap_or(0), data);
        self.hub.send(&evaluation);
    }

    fn warning(&mut self, text: &str) {
        self.hub.send(&event("warning", &json!({"text": text})));
    }

    fn stop(&mut self) -> bool {
        lock(&self.training.control).stop
    }

    fn stop_during_evaluation(&self) -> fn() -> bool {
        stopping
    }
}
