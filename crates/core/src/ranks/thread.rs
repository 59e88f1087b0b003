//! The thread that communicates: it alone uses the communicator, so that sums travel while others compute.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::communicator::{Communicator, Transfer};
use super::layout::Layout;
use super::tree::Sum;
use crate::kernels::Kernels;
use crate::kernels::parallel::ELEMENTS_PER_CHUNK;
use crate::{Error, Float};

/// How often a communicator without work is called.
const IDLE: Duration = Duration::from_millis(50);

/// Work for the thread.
#[derive(Debug)]
pub enum Job<T> {
    /// Add up a bucket over all ranks.
    Sum(Bucket<T>),
    /// Give all ranks the bytes of each.
    Gather(Vec<u8>),
    /// End.
    Close,
}

/// A bucket to be added up.
#[derive(Debug)]
pub struct Bucket<T> {
    /// How the gradients are cut up.
    pub layout: Arc<Layout>,
    /// The number of the bucket.
    pub number: usize,
    /// The sums of this rank's nodes, for each slice.
    pub send: Vec<T>,
    /// The sum over all shards, when it comes back.
    pub sum: Vec<T>,
}

/// A finished job.
#[derive(Debug)]
pub enum Reply<T> {
    /// The bucket has its sum.
    Summed(Bucket<T>),
    /// The bytes of each rank.
    Gathered(Vec<Vec<u8>>),
}

/// A bucket whose slice this rank has added up, for all to get.
struct Added<T> {
    bucket: Bucket<T>,
    /// The slice of each rank.
    slices: Vec<usize>,
    /// Begins with the sums of this rank's slice.
    sums: Vec<T>,
}

/// What the thread works with.
struct Worker<'a, T> {
    communicator: &'a mut dyn Communicator<T>,
    replies: &'a Sender<Result<Reply<T>, Error>>,
    added: Option<Added<T>>,
    /// The memory of the last sums.
    spare: Vec<T>,
}

/// Does the jobs in order, until the last of them or an error.
pub fn run<T: Float>(
    communicator: &mut dyn Communicator<T>,
    jobs: &Receiver<Job<T>>,
    replies: &Sender<Result<Reply<T>, Error>>,
) {
    let mut worker = Worker { communicator, replies, added: None, spare: Vec::new() };
    loop {
        // A slice does not wait for the next bucket.
        let pause = if worker.added.is_some() { Duration::ZERO } else { IDLE };
        let done = match jobs.recv_timeout(pause) {
            Ok(Job::Sum(bucket)) => worker.sum(Some(bucket)),
            Ok(Job::Gather(bytes)) => worker.gather(&bytes),
            Err(RecvTimeoutError::Timeout) if worker.added.is_some() => worker.sum(None),
            Err(RecvTimeoutError::Timeout) => worker.communicator.idle(),
            Ok(Job::Close) | Err(RecvTimeoutError::Disconnected) => {
                // The others may wait for it; nobody here does.
                let _ = worker.sum(None);
                break;
            }
        };
        if let Err(error) = done {
            let _ = replies.send(Err(error));
            break;
        }
    }
    communicator.close();
}

impl<T: Float> Worker<'_, T> {
    /// Adds up a bucket: every rank gets the nodes of one slice from all, adds them in the order of the tree, and
    /// gives the sum to all. The slice of one bucket is given away while the next bucket is exchanged, if
    /// there is one yet: the wire always has something to carry.
    fn sum(&mut self, next: Option<Bucket<T>>) -> Result<(), Error> {
        let mut next = next.map(|bucket| {
            let layout = &bucket.layout;
            let slices: Vec<usize> = layout.slices(bucket.number).map(|slice| slice.len()).collect();
            let to: Vec<usize> = slices.iter().map(|slice| layout.own_nodes() * slice).collect();
            let from: Vec<usize> =
                layout.nodes().iter().map(|nodes| nodes.len() * slices[layout.rank()]).collect();
            let mut sums = std::mem::take(&mut self.spare);
            sums.resize(from.iter().sum(), T::zero());
            (Added { bucket, slices, sums }, to, from)
        });
        let mut transfers = Vec::new();
        if let Some(Added { bucket, slices, sums }) = &mut self.added {
            bucket.sum.resize(slices.iter().sum(), T::zero());
            let own = slices[bucket.layout.rank()];
            transfers.push(Transfer::gather(&sums[..own], &mut bucket.sum, slices));
        }
        if let Some((Added { bucket, sums, .. }, to, from)) = &mut next {
            transfers.push(Transfer::exchange(&bucket.send, to, sums, from));
        }
        if !transfers.is_empty() {
            self.communicator.transfer(transfers)?;
        }
        if let Some(done) = self.added.take() {
            self.spare = done.sums;
            self.reply(Reply::Summed(done.bucket));
        }
        self.added = next.map(|(mut added, ..)| {
            added.add_up();
            added
        });
        Ok(())
    }

    /// Gives all ranks the bytes of each.
    fn gather(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sum(None)?;
        let all = self.communicator.gather_bytes(bytes)?;
        self.reply(Reply::Gathered(all));
        Ok(())
    }

    fn reply(&self, reply: Reply<T>) {
        // Where nobody listens any more, the end of the jobs comes next.
        let _ = self.replies.send(Ok(reply));
    }
}

impl<T: Float> Added<T> {
    /// Adds up the nodes of this rank's slice, which lie one after the other.
    fn add_up(&mut self) {
        let layout = &self.bucket.layout;
        let (own, mut total) = (self.slices[layout.rank()], Sum::new(layout.shards()));
        for (i, node) in layout.nodes().iter().flatten().enumerate() {
            total.push(node.clone(), i * own, |left, right| {
                let (before, after) = self.sums.split_at_mut(right);
                add_in_chunks(&mut before[*left..*left + own], &after[..own]);
            });
        }
    }
}

/// `out += x` on this thread alone: the others compute.
fn add_in_chunks<T: Float>(out: &mut [T], x: &[T]) {
    for (out, x) in out.chunks_mut(ELEMENTS_PER_CHUNK).zip(x.chunks(ELEMENTS_PER_CHUNK)) {
        T::Kernels::add_assign(out, x);
    }
}
