//! The place of this process among those that train together.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::communicator::Communicator;
use super::layout::Layout;
use super::outbox::{Outbox, Pending};
use super::thread::{Bucket, Job, Reply, run};
use super::tree::{Block, share};
use crate::{Error, Float, Tensor};

/// The place of this process among those that train together, and the connection to the others.
#[derive(Debug)]
pub struct Ranks<T: Float = f32> {
    rank: usize,
    /// The machine of each process.
    hosts: Vec<String>,
    link: Option<Link<T>>,
    /// Buffers of buckets that have been summed.
    spare: Vec<Bucket<T>>,
    /// How long this process has waited for others.
    waited: Duration,
}

/// The connection to the thread that communicates.
#[derive(Debug)]
struct Link<T> {
    jobs: Sender<Job<T>>,
    replies: Receiver<Result<Reply<T>, Error>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Float> Default for Ranks<T> {
    /// A process that trains alone.
    fn default() -> Self {
        Self { rank: 0, hosts: vec![String::new()], link: None, spare: Vec::new(), waited: Duration::ZERO }
    }
}

impl<T: Float> Ranks<T> {
    /// Connects this process to the others. `connect` runs in the thread that communicates, and what it
    /// returns stays there.
    ///
    /// # Errors
    /// Those of `connect`; [`Error::Ranks`] if the thread cannot be started.
    pub fn connect(
        connect: impl FnOnce() -> Result<Box<dyn Communicator<T>>, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let (jobs, todo) = channel();
        let (done, replies) = channel();
        let (ready, place) = channel();
        let thread =
            std::thread::Builder::new().name("communication".into()).spawn(move || match connect() {
                Ok(mut communicator) => {
                    if ready.send(Ok((communicator.rank(), communicator.hosts()))).is_ok() {
                        run(&mut *communicator, &todo, &done);
                    }
                }
                Err(error) => _ = ready.send(Err(error)),
            });
        let thread =
            thread.map_err(|e| Error::Ranks(format!("the thread for communication cannot start ({e})")))?;
        let (rank, hosts) = place.recv().map_err(|_| ended())??;
        let link = Some(Link { jobs, replies, thread: Some(thread) });
        Ok(Self { rank, hosts, link, ..Self::default() })
    }

    /// The number of this process, from 0. Rank 0 alone writes and prints.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.hosts.len()
    }

    /// Whether this process trains alone.
    pub fn is_alone(&self) -> bool {
        self.size() == 1
    }

    /// A process by its number and its machine, for messages.
    pub fn name(&self, rank: usize) -> String {
        match self.hosts.get(rank) {
            Some(host) => format!("process {rank} on {host}"),
            None => format!("process {rank}"),
        }
    }

    /// The shards that this process computes.
    pub fn share(&self, shards: usize) -> Block {
        share(shards, self.rank, self.size())
    }

    /// How long this process has waited for others since the last call.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// The bytes of each process.
    ///
    /// # Errors
    /// If a process is lost.
    pub(super) fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Error> {
        if self.is_alone() {
            return Ok(vec![bytes]);
        }
        self.start(Job::Gather(bytes))?;
        match self.wait()? {
            Reply::Gathered(all) => Ok(all),
            Reply::Summed(_) => Err(ended()),
        }
    }

    /// The layout of gradients with these numbers of elements.
    pub fn layout(&self, lengths: &[usize], shards: usize) -> Layout {
        Layout::new(lengths, T::BYTES, shards, self.rank, self.size())
    }

    /// An outbox for the last pass of this process: see [`Outbox`]. `None` for a process that trains alone.
    pub fn outbox(&mut self, layout: Arc<Layout>, pending: Pending<T>, merges: usize) -> Option<Outbox<T>> {
        let jobs = self.link.as_ref()?.jobs.clone();
        Some(Outbox::new(layout, jobs, std::mem::take(&mut self.spare), pending, merges))
    }

    /// Ends an outbox, and overwrites `grads` with the sums over all shards. Returns the gradients whose
    /// memory can be used again, and the first parameter that had a gradient and now has none, or the
    /// reverse.
    ///
    /// # Errors
    /// If a process is lost.
    pub fn collect(
        &mut self,
        outbox: Outbox<T>,
        layout: &Layout,
        grads: &mut [Option<Tensor<T>>],
    ) -> Result<(Pending<T>, Option<usize>), Error> {
        let (pending, unexpected) = outbox.close();
        for _ in 0..layout.buckets() {
            let Reply::Summed(bucket) = self.wait()? else { return Err(ended()) };
            // The next one is still on its way.
            for (param, grad) in grads.iter_mut().enumerate().filter(|(param, _)| layout.has(*param)) {
                let part = layout.parts(param).find(|(number, ..)| *number == bucket.number);
                if let Some(((_, at, of), grad)) = part.zip(grad.as_mut()) {
                    grad.data_mut()[of].copy_from_slice(&bucket.sum[at]);
                }
            }
            self.spare.push(bucket);
        }
        // The first bucket takes the first buffer.
        self.spare.reverse();
        Ok((pending, unexpected))
    }

    fn start(&self, job: Job<T>) -> Result<(), Error> {
        let link = self.link.as_ref().ok_or_else(ended)?;
        link.jobs.send(job).map_err(|_| ended())
    }

    /// Waits for the next finished job.
    fn wait(&mut self) -> Result<Reply<T>, Error> {
        let started = Instant::now();
        let link = self.link.as_ref().ok_or_else(ended)?;
        let reply = link.replies.recv().unwrap_or_else(|_| Err(ended()));
        self.waited += started.elapsed();
        reply
    }
}

/// The thread for communication has ended, with an error that was reported before.
fn ended() -> Error {
    Error::Ranks("the connection to the other processes has ended".into())
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        // The thread may have ended with an error.
        let _ = self.jobs.send(Job::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
