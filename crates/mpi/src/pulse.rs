//! Heartbeats: MPI itself does not say when a process is gone.
//!
//! The processes stand in a circle. Each tells the next one a few times a second that it lives, and listens to
//! the one before it. So each lost process is found by one other, which says so and ends all.

use std::time::{Duration, Instant};

use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Source};

use crate::callbacks::Callbacks;

/// The time between two heartbeats.
const INTERVAL: Duration = Duration::from_millis(200);

/// A process is lost after this time without a heartbeat.
const PATIENCE: Duration = Duration::from_secs(7);

/// The same when this process was asked to stop. `mpirun` asks all to stop when one has died, and kills them a
/// second later.
const PATIENCE_WHEN_STOPPING: Duration = Duration::from_millis(700);

const TAG: i32 = 1;

/// The heartbeats of this process.
pub struct Pulse {
    /// A communicator of its own, so that heartbeats never meet other messages.
    world: SimpleCommunicator,
    callbacks: Callbacks,
    /// The processes before and after this one.
    before: i32,
    after: i32,
    /// The name of the process before this one.
    name: String,
    sent: Instant,
    heard: Instant,
    /// When this process last went on after it was held up for so long that the others may have given it up.
    thawed: Option<Instant>,
}

impl Pulse {
    /// The first heartbeat.
    pub fn new(world: SimpleCommunicator, hosts: &[String], callbacks: Callbacks) -> Self {
        let (rank, size) = (world.rank(), world.size());
        let (before, after) = ((rank + size - 1) % size, (rank + 1) % size);
        let name = format!("process {before} on {}", hosts[before as usize]);
        let now = Instant::now();
        Self { world, callbacks, before, after, name, sent: now, heard: now, thawed: None }
    }

    /// Sends a heartbeat if it is time, and listens. Ends all processes if the one before this is lost.
    pub fn beat(&mut self) {
        let now = Instant::now();
        let since = now - self.sent;
        if since < INTERVAL {
            return;
        }
        if since > 5 * INTERVAL {
            // This process itself was held up, perhaps with all others.
            self.heard = now;
            if since > PATIENCE {
                self.thawed = Some(now);
            }
        }
        self.sent = now;
        // One byte: the call returns before it is received.
        self.world.process_at_rank(self.after).send_with_tag(&0_u8, TAG);
        let before = self.world.process_at_rank(self.before);
        while before.immediate_probe_with_tag(TAG).is_some() {
            let _ = before.receive_with_tag::<u8>(TAG);
            self.heard = now;
        }
        let silence = now - self.heard;
        let stopping = (self.callbacks.stopping)();
        let patience = if stopping { PATIENCE_WHEN_STOPPING } else { PATIENCE };
        if silence > patience {
            // `mpirun` wakes a frozen process to end it: this one is the lost one then, and the others have
            // said so.
            let is_the_lost_one = stopping && self.thawed.is_some_and(|thawed| now - thawed < PATIENCE);
            if !is_the_lost_one {
                (self.callbacks.lost)(&self.name);
            }
            self.world.abort(1);
        }
    }
}
