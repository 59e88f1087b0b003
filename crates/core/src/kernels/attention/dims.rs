//! The sizes of the operands of attention.

use super::tile::Tile;

/// The sizes of the operands of attention. In self-attention, `t_q == t_k`.
#[derive(Debug, Clone, Copy)]
pub struct Dims {
    /// B: sequences.
    pub b: usize,
    /// T_q: queries per sequence.
    pub t_q: usize,
    /// T_k: keys, and values, per sequence.
    pub t_k: usize,
    /// H: heads.
    pub h: usize,
    /// D: elements per head.
    pub d: usize,
}

impl Dims {
    /// The number of parallel jobs that share the heads: several per thread, to balance the load.
    pub(super) fn jobs(self) -> usize {
        (self.b * self.h).min(4 * rayon::current_num_threads())
    }

    /// The number of scratch elements that [`Attention::forward`](super::Attention::forward) needs.
    /// It grows with T_k, not with T_q T_k.
    pub fn forward_scratch(self) -> usize {
        self.jobs() * Tile::width(self.t_q) * (self.t_k + self.d)
    }

    /// The number of scratch elements that [`Attention::backward`](super::Attention::backward)
    /// needs.
    pub fn backward_scratch(self) -> usize {
        2 * self.forward_scratch()
    }
}
