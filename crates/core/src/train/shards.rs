//! The gradient of a step that is cut into shards, in one process or in several.
//!
//! The shards of a step and their batches are the same for any number of processes; each process computes
//! some of them, one after the other. See [`crate::ranks`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::step::{Stepper, pass, routine};
use super::task::Task;
use crate::kernels::Kernels;
use crate::ranks::{Layout, Outbox, Ranks, Sum};
use crate::rng::Streams;
use crate::trace::{Phase, Record};
use crate::{Error, Float, Grads, Tape, Tensor};

/// The gradients of all parameters.
type List<T> = Vec<Option<Tensor<T>>>;

/// Computes the gradient of each step, and keeps what the next step needs again.
#[derive(Debug, Default)]
pub struct Sharded {
    /// How the gradients are cut up for sending, after the first step.
    layout: Option<Arc<Layout>>,
}

/// What the shards of a step have come to, besides the gradient.
#[derive(Debug, Clone, Copy)]
pub struct ShardsReport {
    /// The mean loss.
    pub loss: f64,
    /// The number of batches whose gradients were added up.
    pub passes: usize,
    /// Whether a process was asked to stop.
    pub stop: bool,
}

/// What each process tells the others after its shards.
#[derive(Serialize, Deserialize)]
struct Status {
    /// The bits of the loss of each batch.
    losses: Vec<u64>,
    stop: bool,
}

/// The shards of this process.
struct Passes<T: Float> {
    /// The loss of each batch.
    losses: Vec<f64>,
    /// The sums of the nodes before the last one.
    before: Sum<List<T>>,
    /// The sum of the last node of the last shard.
    last: Grads<T>,
    merges: usize,
}

impl<T: Float> Passes<T> {
    /// An outbox for the last pass, which takes the sums of the nodes before its own.
    fn outbox(&mut self, layout: &Arc<Layout>, shards: usize, ranks: &mut Ranks<T>) -> Option<Outbox<T>> {
        let before = std::mem::replace(&mut self.before, Sum::new(shards));
        let pending = before.into_nodes().map(|(_, list)| list).collect();
        ranks.outbox(layout.clone(), pending, self.merges)
    }
}

impl Sharded {
    /// Leaves the sum of the gradients of all shards in `stepper`. `so_far` says whether this process was asked
    /// to stop, or why it cannot go on; all learn of it.
    ///
    /// # Errors
    /// The errors of the task and the model, in any process; [`Error::Ranks`] if a parameter has a gradient in
    /// one process or step but not in another.
    #[track_caller]
    pub fn gradients<T: Float, M: Model<T>>(
        &mut self,
        stepper: &mut Stepper<T>,
        model: &M,
        task: &mut dyn Task<T, M>,
        (step, shards, seed): (u64, usize, u64),
        ranks: &mut Ranks<T>,
        so_far: Result<bool, Error>,
    ) -> Result<ShardsReport, Error> {
        stepper.begin();
        let mut passes =
            Passes { losses: Vec::new(), before: Sum::new(shards), last: Grads::new(), merges: 0 };
        let tape = &mut stepper.tape;
        let done = so_far.and_then(|stop| {
            self.compute(tape, model, task, (step, shards, seed), ranks, &mut passes).map(|()| stop)
        });
        if ranks.is_alone() {
            let stop = done?;
            let Passes { losses, before, mut last, .. } = passes;
            let nodes: Vec<List<T>> = before.into_nodes().map(|(_, list)| list).collect();
            for mut left in nodes.into_iter().rev() {
                add(&mut left, last.list, tape);
                last = Grads { list: left, outbox: None };
            }
            stepper.grads = last;
            return Ok(ShardsReport { loss: mean(&losses), passes: losses.len(), stop });
        }
        // A process that has failed sends its gradients too, so that the others do not wait; then all end.
        let done = self.exchange(done, &mut passes, (model, step, shards), tape, ranks)?;
        stepper.grads = passes.last;
        let losses = passes.losses.into_iter().map(f64::to_bits).collect();
        let status = done.and_then(|stop| to_json(&Status { losses, stop }));
        let all: Vec<Status> =
            ranks.tell(status)?.iter().map(|bytes| from_json(bytes)).collect::<Result<_, _>>()?;
        let bits = all.iter().flat_map(|status| &status.losses);
        let losses: Vec<f64> = bits.map(|bits| f64::from_bits(*bits)).collect();
        let stop = all.iter().any(|status| status.stop);
        Ok(ShardsReport { loss: mean(&losses), passes: losses.len(), stop })
    }

    /// Computes the gradients of the shards of this process.
    #[track_caller]
    fn compute<T: Float, M: Model<T>>(
        &self,
        tape: &mut Tape<T>,
        model: &M,
        task: &mut dyn Task<T, M>,
        (step, shards, seed): (u64, usize, u64),
        ranks: &mut Ranks<T>,
        passes: &mut Passes<T>,
    ) -> Result<(), Error> {
        let mine = ranks.share(shards);
        for shard in mine.clone() {
            let (started, function) = (tape.trace.start(), task.function());
            let batches = task.batches(step, shard)?;
            tape.trace
                .finish(started, |time| Record { time, ..routine(Phase::Batch, "batches", function, 0) });
            tape.set_dropout(Some(Streams::new(seed).dropout_of_shard(step, shard)));
            let mut block = shard..shard + 1;
            let mut grads = Grads::new();
            // The gradient of a single batch is added in place, which needs no further memory.
            if batches.len() == 1
                && passes.before.adds_to_last(&block)
                && let Some((node, list)) = passes.before.pop()
            {
                (block.start, grads.list) = (node.start, list);
            }
            for (i, batch) in batches.iter().enumerate() {
                if shard + 1 == mine.end && i + 1 == batches.len() {
                    passes.merges = passes.before.merges(&block);
                    if let Some(layout) = &self.layout {
                        grads.outbox = passes.outbox(layout, shards, ranks).map(Box::new);
                    }
                }
                let loss = pass(model, tape, batch, &mut grads, step);
                if loss.is_err() {
                    passes.last = grads;
                    return loss.map(drop);
                }
                passes.losses.push(loss?);
            }
            if shard + 1 == mine.end {
                passes.last = grads;
            } else {
                passes.before.push(block, grads.list, |left, right| add(left, right, tape));
            }
        }
        Ok(())
    }

    /// Replaces the gradients in `last` by their sums over all processes. Returns why this process has failed,
    /// if it has.
    ///
    /// # Errors
    /// If another process has failed in the first step, or one is lost.
    fn exchange<T: Float, M: Model<T>>(
        &mut self,
        mut done: Result<bool, Error>,
        passes: &mut Passes<T>,
        (model, step, shards): (&M, u64, usize),
        tape: &mut Tape<T>,
        ranks: &mut Ranks<T>,
    ) -> Result<Result<bool, Error>, Error> {
        let (layout, outbox) = match &self.layout {
            Some(layout) => (layout.clone(), passes.last.outbox.take().map(|outbox| *outbox)),
            None => {
                // All learn together whether the first step has failed somewhere.
                done = ranks.agree(done).map(Ok)?;
                (self.agree_on_layout(&passes.last, model, shards, ranks)?, None)
            }
        };
        let outbox = outbox.or_else(|| {
            let mut outbox = passes.outbox(&layout, shards, ranks)?;
            if self.layout.is_none() {
                for (param, grad) in passes.last.list.iter().enumerate().rev() {
                    grad.iter().for_each(|grad| outbox.completed(param, grad.data()));
                }
            }
            Some(outbox)
        });
        let Some(outbox) = outbox else { return Ok(done) };
        let (unneeded, unexpected) = ranks.collect(outbox, &layout, &mut passes.last.list)?;
        unneeded.into_iter().flatten().flatten().for_each(|grad| tape.recycle(grad));
        self.layout = Some(layout);
        let unexpected = unexpected.and_then(|param| model.params().iter().nth(param));
        Ok(done.and_then(|stop| match unexpected {
            None => Ok(stop),
            Some(param) => Err(Error::Ranks(format!(
                "in step {}, the parameter {} does not have one gradient per batch, as in the first step: this \
                 model cannot be trained by several processes",
                step + 1,
                param.name
            ))),
        }))
    }

    /// The layout for the parameters that have gradients, which are the same in all processes.
    fn agree_on_layout<T: Float, M: Model<T>>(
        &self,
        last: &Grads<T>,
        model: &M,
        shards: usize,
        ranks: &mut Ranks<T>,
    ) -> Result<Arc<Layout>, Error> {
        let lengths: Vec<usize> =
            last.iter().take(model.params().len()).map(|grad| grad.map_or(0, Tensor::len)).collect();
        ranks.check_equal(&[("set of gradients".into(), format!("{lengths:?}"))])?;
        Ok(Arc::new(ranks.layout(&lengths, shards)))
    }
}

/// The mean loss, in the order of the shards.
fn mean(losses: &[f64]) -> f64 {
    losses.iter().fold(0.0, |sum, loss| sum + loss / losses.len() as f64)
}

fn to_json(status: &Status) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(status).map_err(|e| Error::Other(Box::new(e)))
}

fn from_json(bytes: &[u8]) -> Result<Status, Error> {
    serde_json::from_slice(bytes).map_err(|e| Error::Other(Box::new(e)))
}

/// `left += right`.
fn add<T: Float>(left: &mut List<T>, right: List<T>, tape: &mut Tape<T>) {
    if left.len() < right.len() {
        left.resize_with(right.len(), || None);
    }
    for (left, right) in left.iter_mut().zip(right) {
        match (left.as_mut(), right) {
            (Some(left), Some(right)) => {
                T::Kernels::add_assign(left.data_mut(), right.data());
                tape.recycle(right);
            }
            (None, Some(right)) => *left = Some(right),
            (_, None) => {}
        }
    }
}
