//! What an engine for several processes has to offer.

use crate::Error;

/// The connection of a process to all processes of a run. Every method is called by all of them, in the same
/// order; the elements are of type `T`.
pub trait Communicator<T> {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn size(&self) -> usize;

    /// The name of the machine that each process runs on.
    fn hosts(&self) -> Vec<String>;

    /// Sends a part of `send` to each process, and receives one from each. The parts lie one after the
    /// other: `to[r]` elements for process `r`, `from[r]` elements from it.
    ///
    /// # Errors
    /// If a process is lost.
    fn exchange(&mut self, send: &[T], to: &[usize], receive: &mut [T], from: &[usize]) -> Result<(), Error>;

    /// Gives all processes the elements of each, one after the other: process `r` has `lengths[r]`.
    ///
    /// # Errors
    /// If a process is lost.
    fn gather(&mut self, mine: &[T], all: &mut [T], lengths: &[usize]) -> Result<(), Error>;

    /// Gives all processes the bytes of each. No process needs to know how many the others have.
    ///
    /// # Errors
    /// If a process is lost.
    fn gather_bytes(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error>;

    /// Called often while there is nothing to send, so that the others can tell that this process lives.
    ///
    /// # Errors
    /// If a process is lost.
    fn idle(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Called at the end: waits for the others, but not for ever.
    fn close(&mut self) {}
}
