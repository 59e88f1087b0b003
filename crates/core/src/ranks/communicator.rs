//! What an engine for several processes has to offer.

use crate::Error;

/// What to send to each process, and where to put what each of them sends.
#[derive(Debug)]
pub struct Transfer<'a, T> {
    /// The part for each process, this one included.
    pub send: Vec<&'a [T]>,
    /// The part from each process, this one included.
    pub receive: Vec<&'a mut [T]>,
}

impl<'a, T> Transfer<'a, T> {
    /// Sends a part of `send` to each process, and receives one from each. The parts lie one after the
    /// other: `to[r]` elements for process `r`, `from[r]` elements from it.
    pub fn exchange(mut send: &'a [T], to: &[usize], receive: &'a mut [T], from: &[usize]) -> Self {
        let send = to.iter().map(|&length| send.split_off(..length).unwrap_or_default()).collect();
        Self { send, receive: parts(receive, from) }
    }

    /// Gives all processes the elements of each, one after the other: process `r` has `lengths[r]`.
    pub fn gather(mine: &'a [T], all: &'a mut [T], lengths: &[usize]) -> Self {
        Self { send: vec![mine; lengths.len()], receive: parts(all, lengths) }
    }
}

/// The parts of a slice, one after the other.
fn parts<'a, T>(mut slice: &'a mut [T], lengths: &[usize]) -> Vec<&'a mut [T]> {
    lengths.iter().map(|&length| slice.split_off_mut(..length).unwrap_or_default()).collect()
}

/// The connection of a process to all processes of a run. Every method is called by all of them, in the same
/// order; the elements are of type `T`.
pub trait Communicator<T> {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// The name of the machine that each process runs on: one for each process.
    fn hosts(&self) -> Vec<String>;

    /// Makes these transfers, at the same time if it can. Between two processes, they arrive in order. Another
    /// process may make the same transfers in more calls, or in fewer.
    ///
    /// # Errors
    /// If a process is lost.
    fn transfer(&mut self, transfers: Vec<Transfer<'_, T>>) -> Result<(), Error>;

    /// Gives all processes the bytes of each. No process needs to know how many the others have.
    ///
    /// # Errors
    /// If a process is lost.
    fn gather_bytes(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error>;

    /// Called often while there is nothing to send, so that the others can tell that this process is alive.
    ///
    /// # Errors
    /// If a process is lost.
    fn idle(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Called at the end: waits for the others, but not for ever.
    fn close(&mut self) {}
}
