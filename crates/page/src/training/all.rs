//! The training in progress, or the last one, and the streams that follow it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use m2g_digits::training::Description;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::images::Images;
use super::one::{Elements, STOPPING, Speed, Stage, Training};
use super::start::Order;
use crate::hub::{Hub, lock};
use crate::server::reply::{Refusal, event};

/// The training in progress, or the last one.
#[derive(Debug, Default)]
pub struct Trainings {
    /// The open streams.
    pub hub: Hub,
    current: Mutex<Option<(Arc<Training>, JoinHandle<()>)>>,
    /// The images of digit networks.
    pub images: Images,
}

impl Trainings {
    /// What the page shows; null before the first training.
    pub fn view(&self) -> Value {
        self.current().map_or(Value::Null, |training| training.json())
    }

    /// A new stream.
    pub fn join(&self) -> Receiver<Bytes> {
        match self.current() {
            Some(training) => training.join(&self.hub),
            None => self.hub.join([event("training", &Value::Null)]),
        }
    }

    fn current(&self) -> Option<Arc<Training>> {
        lock(&self.current).as_ref().map(|(training, _)| Arc::clone(training))
    }

    fn needed(&self) -> Result<Arc<Training>, Refusal> {
        self.current().ok_or_else(|| Refusal::missing("no training has been started on this page"))
    }

    /// Starts or resumes a training.
    pub fn begin(self: &Arc<Self>, order: Order) -> Result<Value, Refusal> {
        let mut current = lock(&self.current);
        if let Some((running, _)) = current.as_ref().filter(|(training, _)| !training.stage().is_over()) {
            let why = format!("{} is being trained: stop it first", running.path().display());
            return Err(Refusal::busy(why));
        }
        order.check_place()?;
        STOPPING.store(false, Relaxed);
        let training = Arc::new(order.training());
        let (all, own) = (Arc::clone(self), Arc::clone(&training));
        let thread = std::thread::Builder::new()
            .name("train".into())
            .spawn(move || order.run(&own, &all.hub, &all.images))?;
        let view = training.json();
        training.announce(&self.hub);
        *current = Some((training, thread));
        Ok(view)
    }

    /// Changes the speed, or stops.
    pub fn steer(&self, speed: Option<Speed>, stop: bool) -> Result<Value, Refusal> {
        let training = self.needed()?;
        training.steer(speed, stop);
        training.announce(&self.hub);
        Ok(training.json())
    }

    /// A parameter after the last step, or its gradient in that step.
    pub fn parameter(&self, name: &str, gradient: bool) -> Result<Elements, Refusal> {
        let training = self.needed()?;
        let seen = training.fresh();
        let found = seen.values.iter().find(|(known, ..)| known == name);
        let (_, shape, value, grad) = found
            .ok_or_else(|| Refusal::missing(format!("the model has no parameter {name}, or none yet")))?;
        let data = if gradient { grad.as_ref() } else { Some(value) };
        let data = data.ok_or_else(|| Refusal::missing("there is no gradient before the first step"))?;
        Ok((data.clone(), shape.clone(), seen.step.unwrap_or(0)))
    }

    /// The digit network in training, as it is after the last step; its description; the number of that step.
    pub fn network(&self) -> Result<(m2g_digits::Network<f32>, Description, u64), Refusal> {
        use m2g_core::train::Model;
        let training = self.needed()?;
        let description = lock(&training.description).clone();
        let description = description.ok_or_else(|| match training.stage() {
            Stage::Loading => Refusal::busy("the training still loads its data: open the step in a moment"),
            _ => Refusal::missing("the last training on this page has no digit network: choose a model"),
        })?;
        let seen = training.fresh();
        let mut network = description.network()?;
        for param in network.params_mut().iter_mut() {
            let found = seen.values.iter().find(|(name, ..)| *name == param.name);
            let (.., value, _) = found.ok_or_else(|| Refusal::missing("the training has no values yet"))?;
            param.value.data_mut().copy_from_slice(value);
        }
        Ok((network, description, seen.step.unwrap_or(0)))
    }

    /// Stops the training in progress, and waits until it is saved.
    pub fn stop_and_wait(&self) {
        let Some((training, thread)) = lock(&self.current).take() else { return };
        training.steer(None, true);
        // It has reported its own errors.
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn a_training_without_a_network_says_why() {
        let trainings = Trainings::default();
        let refused = || {
            let refusal = trainings.network().unwrap_err();
            (refusal.status, refusal.why)
        };
        assert_eq!(refused().0, 404);
        let training = Training::new("a".into(), Path::new("runs/a"), "digits", Value::Null, Speed::Full);
        let training = Arc::new(training);
        *lock(&trainings.current) = Some((Arc::clone(&training), std::thread::spawn(|| {})));
        let (status, why) = refused();
        assert!(status == 409 && why.contains("loads its data"), "{status} {why}");
        lock(&training.view).state = Stage::Failed;
        let (status, why) = refused();
        assert!(status == 404 && why.contains("choose a model"), "{status} {why}");
    }
}
