//! Attention that never stores the T_q x T_k matrix of weights.
//!
//! Each head is computed separately, in tiles of [`QUERIES_PER_TILE`] queries. The scores of a tile
//! with all keys that it sees stay in the cache. `forward` saves only the logarithm of each query's
//! sum of exponentials; `backward` recomputes the weights from it (Dao et al. 2022).
//!
//! The scores of a tile are stored as `S^T`: one row for each key, one column for each query. A
//! vector register then holds the scores of [`QUERIES_PER_STRIPE`] queries with one key. The
//! softmax runs down the columns and needs no horizontal sums. Of the triangle that a causal mask
//! hides, only the registers on the diagonal are computed. Keys and values are read in place and in
//! f32: for such small products, rounding the factors to bf16 takes at least as long as it saves.
//!
//! AMX tiles are so much faster that it pays, and that the hidden part of a tile's triangle costs less
//! than products of parts of it: in bf16, they multiply whole tiles. The softmax stays in f32.

use rayon::prelude::*;

use super::dims::Dims;
use super::tile::{Products, QUERIES_PER_STRIPE, QUERIES_PER_TILE, Tile, stripe_rows};
use crate::kernels::bf16_path::Bf16Path;
use crate::kernels::dropout::DropoutMask;
use crate::kernels::parallel::ForEachTask;
use crate::kernels::subnormals::flushing_subnormals;
use crate::mask::Mask;
use crate::{Number, Precision};

/// Attention, `softmax(scale Q K^T - slope |i - j|) V`, with a mask and dropout.
#[derive(Debug)]
pub struct Attention<'a> {
    /// The sizes of the operands.
    pub dims: Dims,
    /// Which keys each query sees.
    pub mask: &'a Mask,
    /// The factor of the scores `Q K^T`.
    pub scale: f64,
    /// ALiBi's slope for each head: the decrease of a score per token of distance.
    pub slopes: Option<&'a [f64]>,
    /// Which weights are dropped.
    pub dropout: Option<DropoutMask>,
    /// The precision of the products where AMX computes them; elsewhere it is f32.
    pub precision: Precision,
}

impl Attention<'_> {
    /// The tiles of each head of sequence `b`.
    fn tiles(&self, b: usize) -> Vec<Tile> {
        let Dims { t_q, t_k, .. } = self.dims;
        (0..t_q).step_by(QUERIES_PER_TILE).map(|first| Tile::new(self.mask, b, first, (t_q, t_k))).collect()
    }

    /// How products are computed on this machine.
    pub(super) fn products(&self) -> Products {
        match (self.precision, Bf16Path::in_use()) {
            (Precision::Bf16, Bf16Path::Tiles) => Products::WholeTiles,
            _ => Products::SeenParts,
        }
    }

    /// Calls `compute(bh, tiles, head, scratch)` for each head `bh = b H + h`, in parallel.
    pub(super) fn for_each_head<T: Number, W: Send>(
        &self,
        heads: impl Iterator<Item = W>,
        scratch: &mut [T],
        compute: impl Fn(usize, &[Tile], &mut W, &mut [T]) + Sync,
    ) {
        let mut heads: Vec<(usize, W)> = heads.enumerate().collect();
        let jobs = self.dims.jobs().max(1);
        let (scratch_per_job, heads_per_job) = (scratch.len() / jobs, heads.len().div_ceil(jobs).max(1));
        let sequence = |bh: usize| bh / self.dims.h;
        heads.par_chunks_mut(heads_per_job).zip(scratch.par_chunks_mut(scratch_per_job)).for_each_task(
            &|(heads, scratch)| {
                flushing_subnormals(|| {
                    for heads in heads.chunk_by_mut(|(one, _), (two, _)| sequence(*one) == sequence(*two)) {
                        let tiles = self.tiles(sequence(heads[0].0));
                        for (bh, head) in heads {
                            compute(*bh, &tiles, head, scratch);
                        }
                    }
                });
            },
        );
    }

    /// Subtracts ALiBi's `slope |i - j|` from the scores of stripe `v`, and adds the values of a finite mask.
    pub(super) fn add_to_scores<T: Number>(&self, h: usize, tile: &Tile, v: usize, scores: &mut [T]) {
        if self.slopes.is_none() && *self.mask != Mask::Finite {
            return;
        }
        let slope = self.slopes.map_or(T::zero(), |slopes| T::of(slopes[h]));
        for (j, scores) in tile.stripes[v].seen.clone().zip(stripe_rows(scores, tile.width, v)) {
            for (i, score) in (tile.first + v * QUERIES_PER_STRIPE..).zip(scores) {
                *score += T::of(self.mask.added(i, j)) - slope * T::of(i.abs_diff(j) as f64);
            }
        }
    }
}

/// Splits the first `n` elements off `scratch`.
pub(super) fn take_front<'a, T>(scratch: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let (front, rest) = std::mem::take(scratch).split_at_mut(n);
    *scratch = rest;
    front
}
