//! Sends events to every open stream.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Events that wait for a slow reader. One that is further behind is cut off, and connects again.
const WAITING: usize = 256;

/// The open streams of one kind.
#[derive(Debug, Default)]
pub struct Hub {
    streams: Mutex<Vec<Sender<Bytes>>>,
}

impl Hub {
    /// A new stream, which begins with these events.
    pub fn join(&self, first: impl IntoIterator<Item = Bytes>) -> Receiver<Bytes> {
        let (sender, receiver) = channel(WAITING);
        for event in first {
            let _ = sender.try_send(event);
        }
        self.streams().push(sender);
        receiver
    }

    /// Sends to all.
    pub fn send(&self, event: &Bytes) {
        self.streams().retain(|stream| match stream.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => false,
        });
    }

    /// Tells all that the server is alive, and forgets those that are gone.
    pub fn ping(&self) {
        self.send(&Bytes::from_static(b": .\n\n"));
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        let mut streams = self.streams();
        streams.retain(|stream| !stream.is_closed());
        !streams.is_empty()
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Sender<Bytes>>> {
        lock(&self.streams)
    }
}

/// Locks, whatever has become of a thread that held the lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reader_that_is_gone_or_too_slow_is_forgotten() {
        let hub = Hub::default();
        assert!(!hub.is_heard());
        let mut fast = hub.join([Bytes::from_static(b"first")]);
        assert_eq!(fast.try_recv().unwrap(), "first");
        let slow = hub.join([]);
        for _ in 0..=WAITING {
            hub.ping();
            fast.try_recv().unwrap();
        }
        assert_eq!(hub.streams().len(), 1);
        drop((fast, slow));
        assert!(!hub.is_heard());
    }
}
