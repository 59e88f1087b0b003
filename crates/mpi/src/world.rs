//! The processes of a run, connected by MPI.
//!
//! All calls of MPI come from one thread. Every message is sent without waiting in MPI: between two looks at
//! it, this thread sends heartbeats and leaves the processor to those that compute.

use std::time::{Duration, Instant};

use m2g_core::Error;
use m2g_core::ranks::{Communicator, Transfer};
use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::{Universe, processor_name};
use mpi::request::{Request, Scope, scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives, Destination, Source};

use crate::callbacks::Callbacks;
use crate::launch::Launch;
use crate::pulse::Pulse;

/// How long a message is waited for without a pause.
const SPIN: Duration = Duration::from_micros(20);

/// After that, the pause between two looks. A yield instead would cost this thread its next time slice.
const PAUSE: Duration = Duration::from_micros(100);

/// The elements of one message: with its header, it is shorter than 64 KiB, and is sent at once.
const ELEMENTS_PER_MESSAGE: usize = 15 << 10;

/// The bytes of each process that travel at once when nobody knows how many there are: most messages fit.
const FIRST: usize = 256;

/// The bytes of a length in front of them.
const LENGTH: usize = 8;

/// The bytes of a host's name that are known to others.
const HOST: usize = 64;

/// At the end, a process waits for the others for so long.
const GOODBYE: Duration = Duration::from_secs(2);

/// The connection to all processes.
pub struct World {
    world: SimpleCommunicator,
    /// For the last words, which must not meet other messages.
    goodbye: SimpleCommunicator,
    pulse: Pulse,
    hosts: Vec<String>,
    // Ends MPI when it is dropped, after all else.
    _universe: Universe,
}

impl World {
    /// Starts MPI.
    ///
    /// # Errors
    /// [`Error::Ranks`] if it does not start, or does not connect the processes that the launcher has started.
    pub fn open(launch: Launch, callbacks: Callbacks) -> Result<Self, Error> {
        let refused = |why: String| Err(Error::Ranks(why));
        let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
            return refused("MPI cannot be started twice".into());
        };
        let world = universe.world();
        let size = usize::try_from(world.size()).unwrap_or(0);
        if size != launch.size {
            return refused(format!(
                "the launcher has started {} processes, but MPI connects {size}: mpirun and the library that this \
                 program was built with do not belong together",
                launch.size
            ));
        }
        let hosts = hosts(&world);
        let pulse = Pulse::new(world.duplicate(), &hosts, callbacks);
        let goodbye = world.duplicate();
        Ok(Self { world, goodbye, pulse, hosts, _universe: universe })
    }
}

/// The name of the machine of each process.
fn hosts(world: &SimpleCommunicator) -> Vec<String> {
    let name = processor_name().unwrap_or_default();
    let mut mine = [0; HOST];
    mine.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let mut all = vec![0; HOST * world.size() as usize];
    world.all_gather_into(&mine[..], &mut all[..]);
    let name = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(HOST);
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    };
    all.chunks_exact(HOST).map(name).collect()
}

/// Waits for a message.
fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>, pulse: &mut Pulse) {
    let started = Instant::now();
    while let Err(unfinished) = request.test() {
        request = unfinished;
        pulse.beat();
        match started.elapsed() < SPIN {
            true => std::hint::spin_loop(),
            false => std::thread::sleep(PAUSE),
        }
    }
}

/// Numbers of elements as MPI counts them, and where each part begins.
fn counts(lengths: &[usize]) -> Result<(Vec<i32>, Vec<i32>), Error> {
    let mut starts = Vec::with_capacity(lengths.len());
    let mut end = 0_i32;
    let counts = lengths.iter().map(|&length| {
        starts.push(end);
        let count = i32::try_from(length).ok()?;
        end = end.checked_add(count)?;
        Some(count)
    });
    let counts: Option<Vec<i32>> = counts.collect();
    let counts = counts.ok_or_else(|| Error::Ranks("a message is too large for MPI".into()))?;
    Ok((counts, starts))
}

impl Communicator<f32> for World {
    fn rank(&self) -> usize {
        usize::try_from(self.world.rank()).unwrap_or(0)
    }

    fn hosts(&self) -> Vec<String> {
        self.hosts.clone()
    }

    /// Sends many short messages instead of using MPI's collective operations. Over TCP, Open MPI sends a message
    /// of more than 64 KiB only after the receiver has answered, which makes a transfer half as long again.
    fn transfer(&mut self, mut transfers: Vec<Transfer<'_, f32>>) -> Result<(), Error> {
        let (rank, size) = (self.world.rank() as usize, self.hosts.len());
        for Transfer { send, receive } in &mut transfers {
            receive[rank].copy_from_slice(send[rank]);
        }
        scope(|scope| {
            let mut requests = Vec::new();
            for Transfer { send, receive } in &mut transfers {
                for (other, part) in receive.iter_mut().enumerate().filter(|(other, _)| *other != rank) {
                    let process = self.world.process_at_rank(other as i32);
                    for piece in part.chunks_mut(ELEMENTS_PER_MESSAGE) {
                        requests.push(process.immediate_receive_into(scope, piece));
                    }
                }
                // Each process begins with the next one, so that none gets the messages of all at once.
                for other in (1..size).map(|i| (rank + i) % size) {
                    let process = self.world.process_at_rank(other as i32);
                    for piece in send[other].chunks(ELEMENTS_PER_MESSAGE) {
                        requests.push(process.immediate_send(scope, piece));
                    }
                }
            }
            requests.into_iter().for_each(|request| wait(request, &mut self.pulse));
        });
        Ok(())
    }

    fn gather_bytes(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        // The length and the first bytes of each; then the rest, if there is any.
        let mut first = [0; FIRST];
        first[..LENGTH].copy_from_slice(&(mine.len() as u64).to_le_bytes());
        let (start, rest) = mine.split_at(mine.len().min(FIRST - LENGTH));
        first[LENGTH..LENGTH + start.len()].copy_from_slice(start);
        let mut all = vec![0; FIRST * self.hosts.len()];
        scope(|scope| {
            let request = self.world.immediate_all_gather_into(scope, &first[..], &mut all[..]);
            wait(request, &mut self.pulse);
        });
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for bytes in all.chunks_exact(FIRST) {
            let (length, bytes) = bytes.split_at(LENGTH);
            let length = length.iter().rev().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
            found.push(bytes[..length.min(bytes.len())].to_vec());
            missing.push(length.saturating_sub(bytes.len()));
        }
        if missing.iter().any(|missing| *missing > 0) {
            let mut rests = vec![0; missing.iter().sum()];
            let (counts, starts) = counts(&missing)?;
            let mut parts = PartitionMut::new(&mut rests[..], counts, starts);
            scope(|scope| {
                wait(self.world.immediate_all_gather_varcount_into(scope, rest, &mut parts), &mut self.pulse);
            });
            let mut rests = &rests[..];
            for (bytes, missing) in found.iter_mut().zip(missing) {
                let (rest, others) = rests.split_at(missing);
                bytes.extend_from_slice(rest);
                rests = others;
            }
        }
        Ok(found)
    }

    fn idle(&mut self) -> Result<(), Error> {
        self.pulse.beat();
        Ok(())
    }

    /// MPI can only be ended by all together. If the others do not come, this ends them too.
    fn close(&mut self) {
        let started = Instant::now();
        let mut barrier = self.goodbye.immediate_barrier();
        while let Err(unfinished) = barrier.test() {
            barrier = unfinished;
            self.pulse.beat();
            if started.elapsed() > GOODBYE {
                self.world.abort(1);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
