//! The lengths of attention.

use super::tile::Tile;

/// The lengths of attention. Self-attention has as many keys as queries.
#[derive(Debug, Clone, Copy)]
pub struct Dims {
    /// B: sequences.
    pub b: usize,
    /// T_q: queries in a sequence.
    pub t_q: usize,
    /// T_k: keys in a sequence, each with a value.
    pub t_k: usize,
    /// H: heads.
    pub h: usize,
    /// D: elements of a query, a key or a value of one head.
    pub d: usize,
}

impl Dims {
    /// The number of jobs that the heads are divided into. More than threads, so that no
    /// thread runs out of work early.
    pub(super) fn jobs(self) -> usize {
        (self.b * self.h).min(4 * rayon::current_num_threads())
    }

    /// The elements of scratch space that [`Attention::forward`](super::Attention::forward)
    /// needs. It grows with T_k, not with T_q T_k.
    pub fn forward_scratch(self) -> usize {
        self.jobs() * Tile::width(self.t_q) * (self.t_k + self.d)
    }

    /// The elements of scratch space that [`Attention::backward`](super::Attention::backward)
    /// needs.
    pub fn backward_scratch(self) -> usize {
        2 * self.forward_scratch()
    }
}
