//! Sends gradients while the backward pass still computes others.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::layout::Layout;
use super::thread::{Bucket, Job};
use crate::kernels::Kernels;
use crate::{Float, Tensor};

/// The gradients of the nodes before the last one, one list of all parameters for each node.
pub type Pending<T> = Vec<Vec<Option<Tensor<T>>>>;

/// Collects the gradients of a rank in buckets, and sends each bucket when it is full.
#[derive(Debug)]
pub struct Outbox<T: Float> {
    layout: Arc<Layout>,
    jobs: Sender<Job<T>>,
    /// The buckets that have not been sent: their buffers, and the number of elements that they lack.
    buckets: Vec<Option<(Bucket<T>, usize)>>,
    /// Whether the gradient of each parameter has come.
    has_come: Vec<bool>,
    pending: Pending<T>,
    /// How many of the pending nodes the last one is added to.
    merges: usize,
    /// The first parameter whose gradient is missing, or came although it was not expected, or came twice.
    unexpected: Option<usize>,
}

impl<T: Float> Outbox<T> {
    /// An outbox for the last pass of a rank. `pending` are the sums of its other nodes; the last `merges` of
    /// them and the gradients that come are one node.
    pub(super) fn new(
        layout: Arc<Layout>,
        jobs: Sender<Job<T>>,
        mut spare: Vec<Bucket<T>>,
        pending: Pending<T>,
        merges: usize,
    ) -> Self {
        let bucket = |number: usize| {
            let length = layout.bucket_len(number);
            let (mut send, sum) = spare.pop().map(|spare| (spare.send, spare.sum)).unwrap_or_default();
            send.resize(layout.own_nodes() * length, T::zero());
            Some((Bucket { layout: layout.clone(), number, send, sum }, length))
        };
        let buckets = (0..layout.buckets()).map(bucket).collect();
        let has_come = vec![false; layout.params()];
        Self { buckets, has_come, layout, jobs, pending, merges, unexpected: None }
    }

    /// Takes the gradient of a parameter, which the backward pass has completed.
    pub fn completed(&mut self, param: usize, grad: &[T]) {
        if !self.layout.has(param) || std::mem::replace(&mut self.has_come[param], true) {
            self.unexpected.get_or_insert(param);
            return;
        }
        let first = self.pending.len() - self.merges;
        if !self.merge(param, grad) {
            self.unexpected.get_or_insert(param);
            return;
        }
        for (bucket, at, of) in self.layout.parts(param) {
            let Some((contents, missing)) = &mut self.buckets[bucket] else { continue };
            let pending = self.pending[..(first + 1).min(self.pending.len())].iter();
            let pending = pending.filter_map(|node| node[param].as_ref()).map(Tensor::data);
            let last = (self.merges == 0).then_some(grad);
            for (node, values) in pending.chain(last).enumerate() {
                self.layout.pack(&mut contents.send, bucket, node, at.clone(), &values[of.clone()]);
            }
            *missing -= of.len();
        }
        self.send_full();
    }

    /// Adds the last gradient of a parameter to the nodes that it is part of. Returns false if one of the
    /// pending nodes lacks it.
    fn merge(&mut self, param: usize, grad: &[T]) -> bool {
        if self.pending.iter().any(|node| node.get(param).is_none_or(|grad| grad.is_none())) {
            return false;
        }
        let first = self.pending.len() - self.merges;
        for node in (first..self.pending.len()).rev() {
            let (left, right) = self.pending.split_at_mut(node + 1);
            let right = right.first().and_then(|right| right[param].as_ref()).map_or(grad, Tensor::data);
            if let Some(left) = left.last_mut().and_then(|left| left[param].as_mut()) {
                T::Kernels::add_assign(left.data_mut(), right);
            }
        }
        true
    }

    fn send_full(&mut self) {
        for place in &mut self.buckets {
            if let Some((bucket, _)) = place.take_if(|(_, missing)| *missing == 0) {
                // If the thread has ended, its error is found when the sum is read.
                let _ = self.jobs.send(Job::Sum(bucket));
            }
        }
    }

    /// Sends what has not been sent, because the pass has failed or a gradient is missing, so that the other
    /// ranks do not wait. Returns the gradients of the pending nodes, whose memory can be used again, and the
    /// first parameter that makes the sums wrong.
    pub(super) fn close(mut self) -> (Pending<T>, Option<usize>) {
        let missing = (0..self.has_come.len()).find(|&param| self.layout.has(param) && !self.has_come[param]);
        for place in &mut self.buckets {
            if let Some((bucket, _)) = place.take() {
                let _ = self.jobs.send(Job::Sum(bucket));
            }
        }
        (self.pending, self.unexpected.or(missing))
    }
}
