//! Ranks that are threads of one process: for tests, and to see what the ranks of a run do.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::communicator::{Communicator, Transfer};
use super::handle::Ranks;
use crate::{Error, Float};

/// What one rank sends another.
enum Message<T> {
    Elements(Vec<T>),
    Bytes(Vec<u8>),
}

/// A rank that is a thread.
struct InProcess<T> {
    rank: usize,
    /// To each rank, itself included.
    to: Vec<Sender<Message<T>>>,
    /// From each rank.
    from: Vec<Receiver<Message<T>>>,
}

/// Runs `f` once per rank, in `size` threads, and returns the results in the order of the ranks.
///
/// # Errors
/// If a thread cannot be started.
///
/// # Panics
/// If `f` does.
pub fn in_threads<T: Float, R: Send>(size: usize, f: impl Fn(Ranks<T>) -> R + Sync) -> Result<Vec<R>, Error> {
    let (all, f) = (connected(size)?, &f);
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> = all.into_iter().map(|ranks| scope.spawn(move || f(ranks))).collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    }))
}

/// Ranks that are connected to each other.
fn connected<T: Float>(size: usize) -> Result<Vec<Ranks<T>>, Error> {
    let mut ends: Vec<InProcess<T>> =
        (0..size).map(|rank| InProcess { rank, to: Vec::new(), from: Vec::new() }).collect();
    for from in 0..size {
        for to in 0..size {
            let (sender, receiver) = channel();
            ends[from].to.push(sender);
            ends[to].from.push(receiver);
        }
    }
    ends.into_iter().map(|end| Ranks::connect(move || Ok(Box::new(end)))).collect()
}

impl<T> InProcess<T> {
    fn send(&self, rank: usize, message: Message<T>) -> Result<(), Error> {
        self.to[rank].send(message).map_err(|_| lost(rank))
    }

    fn receive(&self, rank: usize) -> Result<Message<T>, Error> {
        self.from[rank].recv().map_err(|_| lost(rank))
    }

    fn receive_into(&self, rank: usize, out: &mut [T]) -> Result<(), Error>
    where
        T: Copy,
    {
        match self.receive(rank)? {
            Message::Elements(elements) if elements.len() == out.len() => {
                out.copy_from_slice(&elements);
                Ok(())
            }
            _ => Err(lost(rank)),
        }
    }
}

fn lost(rank: usize) -> Error {
    Error::Rank { rank, why: "it has ended before the others".into() }
}

impl<T: Float> Communicator<T> for InProcess<T> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn hosts(&self) -> Vec<String> {
        vec!["this machine".into(); self.to.len()]
    }

    fn transfer(&mut self, transfers: Vec<Transfer<'_, T>>) -> Result<(), Error> {
        for Transfer { send, receive } in transfers {
            for (rank, part) in send.into_iter().enumerate() {
                self.send(rank, Message::Elements(part.to_vec()))?;
            }
            for (rank, part) in receive.into_iter().enumerate() {
                self.receive_into(rank, part)?;
            }
        }
        Ok(())
    }

    fn gather_bytes(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        (0..self.to.len()).try_for_each(|rank| self.send(rank, Message::Bytes(mine.to_vec())))?;
        let received = (0..self.to.len()).map(|rank| match self.receive(rank)? {
            Message::Bytes(bytes) => Ok(bytes),
            Message::Elements(_) => Err(lost(rank)),
        });
        received.collect()
    }
}
