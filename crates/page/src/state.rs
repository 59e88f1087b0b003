//! What the server keeps between requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use m2g_core::data::mnist::LabelledImages;
use m2g_core::inspect::Inspection;
use m2g_core::{Params, Tensor};
use m2g_gpt::Gpt;

use crate::commands::Commands;
use crate::hub::lock;
use crate::models::{Model, Models};
use crate::server::reply::{Answer, Refusal};
use crate::training::Trainings;
use crate::watch::Watch;

/// The most inspected steps that are kept, with all their values: two for each letter that is typed in What if.
const KEPT_STEPS: usize = 512;

/// The most bytes of their values and models, unless a single step has more.
const KEPT_BYTES: usize = 1 << 30;

/// A step that was run for the page, with all its values.
#[derive(Debug)]
pub struct Opened {
    /// The step.
    pub inspection: Inspection,
    /// Its model.
    pub model: Arc<Model>,
    /// The same weights under another score or mask, if the step ran with those.
    pub changed: Option<Gpt<f32>>,
    /// The parameters after the step, if it updated them.
    pub updated: Option<Params<f32>>,
    /// A value that the step has only inside an op, with its name.
    pub hidden: Option<(String, Tensor<f32>)>,
}

/// A step that is kept.
#[derive(Debug)]
struct Kept {
    id: u64,
    /// The bytes of its values, and of the parameters that are its own.
    bytes: usize,
    /// Its model, which several steps may share, and the bytes of its parameters.
    model: (Arc<Model>, usize),
    opened: Arc<Mutex<Opened>>,
}

impl Opened {
    /// The GPT that ran the step.
    pub fn gpt(&self) -> Result<&Gpt<f32>, Refusal> {
        match &self.changed {
            Some(gpt) => Ok(gpt),
            None => Ok(self.model.gpt()?.0),
        }
    }
}

/// Test images, with the data that they belong to.
type Tests = Option<(String, Arc<LabelledImages>)>;

/// The state of the server.
#[derive(Debug)]
pub struct State {
    /// The answers of other commands.
    pub commands: Commands,
    /// All models.
    pub models: Models,
    /// The training in progress, and the last one.
    pub training: Arc<Trainings>,
    /// The runs as they change.
    pub watch: Arc<Watch>,
    steps: Mutex<VecDeque<Kept>>,
    next: AtomicU64,
    tests: Mutex<Tests>,
}

impl State {
    /// Nothing is loaded yet.
    pub fn new(runs: Vec<std::path::PathBuf>, commands: Commands) -> Self {
        Self {
            commands,
            models: Models::new(runs, commands),
            training: Arc::default(),
            watch: Arc::default(),
            steps: Mutex::default(),
            next: AtomicU64::new(1),
            tests: Mutex::default(),
        }
    }

    /// Keeps a step. Returns its id.
    pub fn keep(&self, opened: Opened) -> String {
        let id = self.next.fetch_add(1, Relaxed);
        let parameters = |params: &Params<f32>| params.count() * size_of::<f32>();
        let step = &opened.inspection.step;
        let bytes = step.tape.bytes() + opened.updated.as_ref().map_or(0, parameters);
        let model = (Arc::clone(&opened.model), parameters(&step.params));
        let mut steps = lock(&self.steps);
        steps.push_front(Kept { id, bytes, model, opened: Arc::new(Mutex::new(opened)) });
        let mut counted = Vec::new();
        let n = number_to_keep(steps.iter().map(|Kept { bytes, model: (model, parameters), .. }| {
            if counted.contains(&Arc::as_ptr(model)) {
                return *bytes;
            }
            counted.push(Arc::as_ptr(model));
            bytes.saturating_add(*parameters)
        }));
        steps.truncate(n);
        id.to_string()
    }

    /// Answers from the step with this id.
    pub fn opened(&self, id: &str, answer: impl FnOnce(&Opened) -> Answer) -> Answer {
        let steps = lock(&self.steps);
        let found = steps.iter().find(|kept| kept.id.to_string() == id);
        let Some(found) = found.map(|kept| Arc::clone(&kept.opened)) else {
            return Err(Refusal::missing(
                "this step is no longer kept: reload the page, which runs it again",
            ));
        };
        drop(steps);
        answer(&lock(&found))
    }

    /// The test images of a digit network.
    pub fn tests(
        &self,
        description: &m2g_digits::training::Description,
    ) -> Result<Arc<LabelledImages>, Refusal> {
        let key =
            format!("{:?} {} {:?}", description.config.data, description.transposed, description.class_names);
        let mut tests = lock(&self.tests);
        if let Some((_, images)) = tests.as_ref().filter(|(known, _)| *known == key) {
            return Ok(Arc::clone(images));
        }
        let (images, _) = m2g_digits::images::load_test(description, None, None)?;
        if (images.rows, images.cols) != description.image {
            return Err(Refusal::bad("the test images have another size than the network reads"));
        }
        let images = Arc::new(images);
        *tests = Some((key, Arc::clone(&images)));
        Ok(images)
    }

    /// Tells open streams that the server is alive.
    pub fn ping(&self) {
        self.training.hub.ping();
        self.watch.hub.ping();
    }

    /// Stops the training in progress, which saves itself first, and waits for it.
    pub fn stop(&self) {
        self.training.stop_and_wait();
    }
}

/// How many of the newest steps are kept: those that fit, and always the newest. `bytes` are theirs, newest first.
fn number_to_keep(bytes: impl Iterator<Item = usize>) -> usize {
    let sums = bytes.scan(0_usize, |sum, bytes| {
        *sum = sum.saturating_add(bytes);
        Some(*sum)
    });
    sums.take_while(|&sum| sum <= KEPT_BYTES).count().clamp(1, KEPT_STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_steps_that_fit_are_kept() {
        let keep = |bytes: &[usize]| number_to_keep(bytes.iter().copied());
        assert_eq!(keep(&[1, 2]), 2);
        assert_eq!(keep(&[1; 200]), 200, "another tab may type for a while");
        assert_eq!(keep(&[1; KEPT_STEPS + 4]), KEPT_STEPS);
        assert_eq!(keep(&[KEPT_BYTES / 2, KEPT_BYTES / 2, 1]), 2);
        assert_eq!(keep(&[KEPT_BYTES + 1, 1]), 1, "the newest is kept, whatever its size");
        assert_eq!(keep(&[1, usize::MAX, usize::MAX]), 1);
    }
}
