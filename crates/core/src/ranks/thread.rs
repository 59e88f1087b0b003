//! The thread that communicates: it alone uses the communicator, so that sums travel while others compute.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::communicator::Communicator;
use super::layout::Layout;
use super::tree::Sum;
use crate::kernels::elementwise::add_assign;
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

/// Does the jobs in order, until the last of them or an error.
pub fn run<T: Float>(
    communicator: &mut dyn Communicator<T>,
    jobs: &Receiver<Job<T>>,
    replies: &Sender<Result<Reply<T>, Error>>,
) {
    let mut received = Vec::new();
    loop {
        let reply = match jobs.recv_timeout(IDLE) {
            Err(RecvTimeoutError::Timeout) => match communicator.idle() {
                Ok(()) => continue,
                Err(error) => Err(error),
            },
            Ok(Job::Sum(mut bucket)) => {
                sum(communicator, &mut bucket, &mut received).map(|()| Reply::Summed(bucket))
            }
            Ok(Job::Gather(bytes)) => communicator.gather_bytes(&bytes).map(Reply::Gathered),
            Ok(Job::Close) | Err(RecvTimeoutError::Disconnected) => break,
        };
        let failed = reply.is_err();
        if replies.send(reply).is_err() || failed {
            break;
        }
    }
    communicator.close();
}

/// Adds up a bucket: every rank gets the nodes of one slice from all, adds them in the order of the tree, and
/// gives the sum to all.
fn sum<T: Float>(
    communicator: &mut dyn Communicator<T>,
    bucket: &mut Bucket<T>,
    received: &mut Vec<T>,
) -> Result<(), Error> {
    let Bucket { layout, number, send, sum } = bucket;
    let slices: Vec<usize> = layout.slices(*number).map(|slice| slice.len()).collect();
    let own = slices[layout.rank()];
    let to: Vec<usize> = slices.iter().map(|slice| layout.own_nodes() * slice).collect();
    let from: Vec<usize> = layout.nodes().iter().map(|nodes| nodes.len() * own).collect();
    received.resize(from.iter().sum(), T::zero());
    communicator.exchange(send, &to, received, &from)?;

    let mut total = Sum::new(layout.shards());
    for (i, node) in layout.nodes().iter().flatten().enumerate() {
        total.push(node.clone(), i * own, |left, right| {
            let (before, after) = received.split_at_mut(right);
            add_in_chunks(&mut before[*left..*left + own], &after[..own]);
        });
    }
    sum.resize(layout.bucket_len(*number), T::zero());
    communicator.gather(&received[..own], sum, &slices)
}

/// `out += x` on this thread alone: the others compute.
fn add_in_chunks<T: Float>(out: &mut [T], x: &[T]) {
    for (out, x) in out.chunks_mut(ELEMENTS_PER_CHUNK).zip(x.chunks(ELEMENTS_PER_CHUNK)) {
        add_assign(out, x);
    }
}
