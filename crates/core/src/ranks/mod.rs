//! Several processes that train one model together.
//!
//! Each process has the whole model and computes the gradient of a part of every batch; then all add up
//! their gradients and take the same step. The result has the same bits for any number of processes,
//! because the work is cut into *shards* by a setting, and the shards are added in one fixed tree.
//!
//! | file | holds |
//! | --- | --- |
//! | `tree.rs` | the shards of a process, and the [tree](Sum) in which all are added |
//! | `communicator.rs` | [`Communicator`]: what an engine such as MPI has to offer |
//! | `in_process.rs` | [`in_threads`]: ranks that are threads of one process |
//! | `layout.rs` | [`Layout`]: how the elements of all gradients are grouped into messages |
//! | `outbox.rs` | [`Outbox`]: sends gradients while the backward pass still computes others |
//! | `thread.rs` | the thread that communicates |
//! | `handle.rs` | [`Ranks`]: the place of this process among all |
//! | `agree.rs` | what all must know of each: failures, results, facts |

mod agree;
mod communicator;
mod handle;
mod in_process;
mod layout;
mod outbox;
mod thread;
mod tree;

#[cfg(test)]
mod tests;

pub use communicator::{Communicator, Transfer};
pub use handle::Ranks;
pub use in_process::in_threads;
pub use layout::Layout;
pub use outbox::Outbox;
pub use tree::{Block, Sum, share, waiting_sums};
