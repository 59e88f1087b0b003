//! Connects the processes of a training run through MPI.
//!
//! | file | holds |
//! | --- | --- |
//! | `callbacks.rs` | [`Callbacks`]: what the program does for its connection |
//! | `launch.rs` | [`Launch`]: how `mpirun` has started this process, from its environment |
//! | `world.rs` | the communicator; only with the feature `mpi` |
//! | `pulse.rs` | heartbeats, by which a lost process is found; only with the feature `mpi` |
//!
//! Without the feature, nothing of MPI is needed, and a program that `mpirun` has started as one of several
//! says so.

mod callbacks;
mod launch;
#[cfg(feature = "mpi")]
mod pulse;
#[cfg(feature = "mpi")]
mod world;

use m2g_core::Error;
use m2g_core::ranks::Ranks;

pub use callbacks::Callbacks;
pub use launch::Launch;

/// Connects this process to those that were started with it; without any, it is alone.
///
/// # Errors
/// [`Error::Ranks`] if there are others and MPI cannot connect them.
pub fn connect(callbacks: Callbacks) -> Result<Ranks, Error> {
    match Launch::find() {
        Some(launch) if launch.size > 1 => connect_to(launch, callbacks),
        _ => Ok(Ranks::default()),
    }
}

#[cfg(feature = "mpi")]
fn connect_to(launch: Launch, callbacks: Callbacks) -> Result<Ranks, Error> {
    Ranks::connect(move || Ok(Box::new(world::World::open(launch, callbacks)?)))
}

#[cfg(not(feature = "mpi"))]
fn connect_to(launch: Launch, _: Callbacks) -> Result<Ranks, Error> {
    Err(Error::Ranks(format!(
        "this process was started as one of {}, but this program was built without MPI: build it with `cargo build \
         --release --features mpi`, or start it without mpirun",
        launch.size
    )))
}
