//! Attention without ever storing the T x T matrix of weights.
//!
//! Each head works by itself on tiles of a few queries. A tile's scores with all the
//! keys that it sees stay in the cache; of the softmax only the logarithm of each query's
//! sum is kept, from which `backward` finds the weights again (Dao et al. 2022).
//!
//! The scores of a tile are stored as `S^T`, a row for each key and a column for each query.
//! A vector register then holds the scores of [`LANES`] queries with one key: the softmax
//! runs down the columns, without a sum across a register, and of the masked triangle only
//! the registers on the diagonal are computed. Keys and values are read where they lie, and in
//! f32 whatever the precision of the layers: to round the factors of so small products, each
//! time anew, takes at least the time that it saves.

mod tile;

use std::ops::Range;

use ndarray::{ArrayViewMut, ArrayViewMut2, ArrayViewMut3, Axis, RemoveAxis, s};
use rayon::prelude::*;

use super::matmul::{Accumulate, Mat, matmul_serial};
use super::{array, vectorised};
use crate::kernels::dropout::DropoutMask;
use crate::mask::Mask;
use crate::{Float, Precision};
use tile::{LANES, Stripe, TILE, Tile, lanes};

/// Sequences, tokens, heads, numbers of a head.
#[derive(Debug, Clone, Copy)]
pub struct Dims {
    /// B.
    pub b: usize,
    /// T.
    pub t: usize,
    /// H.
    pub h: usize,
    /// D.
    pub d: usize,
}

/// What is computed: `softmax(scale Q K^T + slope (j - i)) V`, masked, with dropout.
#[derive(Debug)]
pub struct Attention<'a> {
    /// The lengths.
    pub dims: Dims,
    /// Which keys a query sees.
    pub mask: &'a Mask,
    /// What the scalar products are multiplied with.
    pub scale: f64,
    /// For each head, what a score loses with each token of distance; none without ALiBi.
    pub slopes: Option<&'a [f64]>,
    /// Which weights are left out.
    pub dropout: Option<DropoutMask>,
}

impl Dims {
    /// Columns of a tile, some of which may be for no query.
    fn width(self) -> usize {
        self.t.min(TILE).next_multiple_of(LANES)
    }

    /// How many heads are worked on at a time: more than threads, so that none waits.
    fn lanes(self) -> usize {
        (self.b * self.h).min(4 * rayon::current_num_threads())
    }

    /// Numbers that [`Attention::forward`] needs to work in.
    pub fn forward_scratch(self) -> usize {
        self.lanes() * self.width() * (self.t + self.d)
    }

    /// Numbers that [`Attention::backward`] needs to work in.
    pub fn backward_scratch(self) -> usize {
        2 * self.forward_scratch()
    }

    /// The numbers of head `bh` for some tokens, where they lie in `x`: `(B, T, C)`, or part
    /// number `part` of as many side by side, as Q, K and V are in `(B, T, 3 C)`.
    fn rows<T: Float>(
        self,
        x: &[T],
        (part, parts): (usize, usize),
        bh: usize,
        tokens: Range<usize>,
    ) -> Mat<'_, T> {
        let Self { t, h, d, .. } = self;
        let c = h * d;
        let first = ((bh / h * t + tokens.start) * parts + part) * c + bh % h * d;
        Mat::spaced(&x[first..], (tokens.len(), d), parts * c)
    }

    /// `(B, T, 3 C)` as `(B, H)` pieces of `(3, T, D)`, the gradients of Q, K, V of each head.
    fn heads_mut<T: Float>(self, dqkv: &mut [T]) -> Vec<ArrayViewMut3<'_, T>> {
        let Self { b, t, h, d } = self;
        let all = ndarray::ArrayViewMut5::from_shape((b, t, 3, h, d), dqkv).expect("the shape was checked");
        let sequences = pieces(all.permuted_axes([0, 3, 2, 1, 4]));
        sequences.into_iter().flat_map(pieces).collect()
    }

    /// `(B, T, C)` as `(B, H)` pieces of `(T, D)`.
    fn rows_mut<T: Float>(self, out: &mut [T]) -> Vec<ArrayViewMut2<'_, T>> {
        let Self { b, t, h, d } = self;
        let all = ndarray::ArrayViewMut4::from_shape((b, t, h, d), out).expect("the shape was checked");
        let sequences = pieces(all.permuted_axes([0, 2, 1, 3]));
        sequences.into_iter().flat_map(pieces).collect()
    }
}

/// Cuts a view along its first axis into pieces that can be written side by side.
fn pieces<T, D: RemoveAxis>(mut all: ArrayViewMut<'_, T, D>) -> Vec<ArrayViewMut<'_, T, D::Smaller>> {
    let mut pieces = Vec::with_capacity(all.len_of(Axis(0)));
    while all.len_of(Axis(0)) > 0 {
        let (first, rest) = all.split_at(Axis(0), 1);
        pieces.push(first.index_axis_move(Axis(0), 0));
        all = rest;
    }
    pieces
}

/// Some rows of a matrix.
fn rows_of<T>(mut matrix: ArrayViewMut2<'_, T>, rows: Range<usize>) -> ArrayViewMut2<'_, T> {
    matrix.slice_axis_inplace(Axis(0), rows.into());
    matrix
}

/// Cuts a piece of `n` numbers off the front.
fn cut<'a, T>(scratch: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let (piece, rest) = std::mem::take(scratch).split_at_mut(n);
    *scratch = rest;
    piece
}

impl Attention<'_> {
    /// The tiles of each head of sequence `b`.
    fn tiles(&self, b: usize) -> Vec<Tile> {
        (0..self.dims.t).step_by(TILE).map(|first| Tile::new(self.mask, b, first, self.dims)).collect()
    }

    /// Adds to the scores of stripe `v` ALiBi's `slope (j - i)` and what the mask adds.
    fn adjust<T: Float>(&self, h: usize, tile: &Tile, v: usize, scores: &mut [T]) {
        if self.slopes.is_none() && *self.mask != Mask::Finite {
            return;
        }
        let slope = self.slopes.map_or(T::zero(), |slopes| T::of(slopes[h]));
        for (j, scores) in tile.stripes[v].seen.clone().zip(lanes(scores, tile.width, v)) {
            for (i, score) in (tile.first + v * LANES..).zip(scores) {
                *score += slope * T::of(j as f64 - i as f64) + self.mask.added(i, j);
            }
        }
    }

    /// The output `(B, T, C)` of `qkv` `(B, T, 3 C)`, and the logarithm of the sum of
    /// each query's exponentials, `(B, H, T)`.
    pub fn forward<T: Float>(&self, out: &mut [T], lse: &mut [T], qkv: &[T], scratch: &mut [T]) {
        let Dims { t, h, .. } = self.dims;
        let mut work: Vec<_> =
            self.dims.rows_mut(out).into_iter().zip(lse.chunks_exact_mut(t)).enumerate().collect();
        let lanes = self.dims.lanes().max(1);
        let (per_lane, heads_per_lane) = (scratch.len() / lanes, work.len().div_ceil(lanes).max(1));
        work.par_chunks_mut(heads_per_lane).zip(scratch.par_chunks_mut(per_lane)).for_each(
            |(work, scratch)| {
                for heads in work.chunk_by_mut(|(one, _), (two, _)| one / h == two / h) {
                    let tiles = self.tiles(heads[0].0 / h);
                    for (bh, (out, lse)) in heads {
                        self.forward_head(*bh, &tiles, qkv, out, lse, scratch);
                    }
                }
            },
        );
    }

    fn forward_head<T: Float>(
        &self,
        bh: usize,
        tiles: &[Tile],
        qkv: &[T],
        out: &mut ArrayViewMut2<'_, T>,
        lse: &mut [T],
        mut scratch: &mut [T],
    ) {
        let Dims { h, d, .. } = self.dims;
        let q_t = cut(&mut scratch, self.dims.width() * d);
        for tile in tiles {
            let first = tile.first;
            let [k, v] = [1, 2].map(|part| self.dims.rows(qkv, (part, 3), bh, tile.keys.clone()));
            let scores = &mut scratch[..tile.keys.len() * tile.width];
            tile.turn(q_t, self.dims.rows(qkv, (0, 3), bh, first..first + tile.rows), T::of(self.scale));
            tile.scores(scores, k, q_t);
            for (stripe, rows, Stripe { seen, visible }) in tile.stripes() {
                let place = seen.start - tile.keys.start..seen.end - tile.keys.start;
                let seen_scores = &mut scores[place.start * tile.width..place.end * tile.width];
                self.adjust(bh % h, tile, stripe, seen_scores);
                let (max, sum) = vectorised(
                    #[inline(always)]
                    || self.weights(bh, tile, stripe, seen_scores),
                );
                let mut y = rows_of(out.view_mut(), first + rows.start..first + rows.end);
                let columns = stripe * LANES..stripe * LANES + rows.len();
                let p = tile.part(scores, seen.clone(), columns);
                // (16, keys) (keys, D) -> (16, D)
                matmul_serial(p.t(), v.rows_of(place), Accumulate::Overwrite, y.view_mut(), Precision::F32);
                vectorised(
                    #[inline(always)]
                    || {
                        for (l, mut y) in y.rows_mut().into_iter().enumerate() {
                            let y = y.as_slice_mut().expect("the numbers of a head lie in a row");
                            match visible.1[l] {
                                0 => y.fill(T::zero()),
                                _ => y.iter_mut().for_each(|y| *y *= T::one() / sum[l]),
                            }
                        }
                    },
                );
                for (l, r) in rows.enumerate() {
                    lse[first + r] = max[l] + sum[l].ln();
                }
            }
        }
    }

    /// Turns the scores of stripe `v` into weights that do not yet sum to 1; returns for each
    /// query the largest score (without NaN, which the sum then is) and the sum of the weights before dropout.
    #[inline(always)]
    fn weights<T: Float>(
        &self,
        bh: usize,
        tile: &Tile,
        v: usize,
        scores: &mut [T],
    ) -> ([T; LANES], [T; LANES]) {
        let (stripe, width, t) = (&tile.stripes[v], tile.width, self.dims.t);
        let (mut max, mut sum) = ([T::neg_infinity(); LANES], [T::zero(); LANES]);
        for (j, scores) in (stripe.seen.start as u32..).zip(lanes(scores, width, v)) {
            let scores = *scores;
            max = array(
                #[inline(always)]
                |l| {
                    // Added, not chosen: a choice of what to read would be compiled to jumps. What
                    // is not seen becomes -inf or NaN, neither of which is larger.
                    let hidden = if stripe.sees(j, l) { T::zero() } else { T::neg_infinity() };
                    let score = scores[l] + hidden;
                    if score > max[l] { score } else { max[l] }
                },
            );
        }
        let rows = (stripe.seen.start as u32..).zip(lanes(scores, width, v));
        match &self.dropout {
            None => {
                for (j, scores) in rows {
                    let all = *scores;
                    for l in 0..LANES {
                        scores[l] = stripe.hide(j, l, (all[l] - max[l]).exp_fast());
                    }
                    for l in 0..LANES {
                        sum[l] += scores[l];
                    }
                }
            }
            Some(dropout) => {
                let first = bh * t + tile.first + v * LANES;
                let kept = dropout.factor_from::<T>((first * t) as u64);
                for (j, scores) in rows {
                    for l in 0..LANES {
                        let weight = stripe.hide(j, l, (scores[l] - max[l]).exp_fast());
                        sum[l] += weight;
                        scores[l] = weight * kept((l * t) as u32 + j);
                    }
                }
            }
        }
        (max, sum)
    }

    /// The gradient `(B, T, 3 C)` of Q, K and V, from the gradient `dy` of the output and what
    /// [`Attention::forward`] kept.
    pub fn backward<T: Float>(&self, dqkv: &mut [T], (qkv, dy, lse): (&[T], &[T], &[T]), scratch: &mut [T]) {
        let Dims { t, h, .. } = self.dims;
        let mut work: Vec<_> = self.dims.heads_mut(dqkv).into_iter().enumerate().collect();
        let lanes = self.dims.lanes().max(1);
        let (per_lane, heads_per_lane) = (scratch.len() / lanes, work.len().div_ceil(lanes).max(1));
        work.par_chunks_mut(heads_per_lane).zip(scratch.par_chunks_mut(per_lane)).for_each(
            |(work, scratch)| {
                for heads in work.chunk_by_mut(|(one, _), (two, _)| one / h == two / h) {
                    let tiles = self.tiles(heads[0].0 / h);
                    for (bh, dqkv) in heads {
                        self.backward_head(*bh, &tiles, dqkv, (qkv, dy, &lse[*bh * t..][..t]), scratch);
                    }
                }
            },
        );
    }

    fn backward_head<T: Float>(
        &self,
        bh: usize,
        tiles: &[Tile],
        dqkv: &mut ArrayViewMut3<'_, T>,
        (qkv, dy, lse): (&[T], &[T], &[T]),
        mut scratch: &mut [T],
    ) {
        let Dims { t, h, d, .. } = self.dims;
        let [q_t, dy_t] = [(); 2].map(|()| cut(&mut scratch, self.dims.width() * d));
        let (weights, dscores) = scratch.split_at_mut(self.dims.width() * t);
        // The last queries come first: with a causal mask they see all keys, whose gradients
        // then need not be zeros before.
        let mut before = Accumulate::Overwrite;
        for tile in tiles.iter().rev() {
            let first = tile.first;
            if matches!(before, Accumulate::Overwrite) && tile.keys != (0..t) {
                dqkv.slice_mut(s![1.., .., ..]).fill(T::zero());
                before = Accumulate::Add;
            }
            let (start, width) = (tile.keys.start, tile.width);
            let [p, ds] = [&mut *weights, &mut *dscores].map(|x| &mut x[..tile.keys.len() * width]);
            let [k, v] = [1, 2].map(|part| self.dims.rows(qkv, (part, 3), bh, tile.keys.clone()));
            let q = self.dims.rows(qkv, (0, 3), bh, first..first + tile.rows);
            let dy = self.dims.rows(dy, (0, 1), bh, first..first + tile.rows);
            // The scores once more, and dL/dweights = dY V^T, both as (keys, queries).
            tile.turn(q_t, q, T::of(self.scale));
            tile.turn(dy_t, dy, T::one());
            tile.scores(p, k, q_t);
            tile.scores(ds, v, dy_t);
            for (stripe, rows, Stripe { seen, .. }) in tile.stripes() {
                let place = (seen.start - start) * width..(seen.end - start) * width;
                self.adjust(bh % h, tile, stripe, &mut p[place]);
                let mut of_rows = [T::zero(); LANES];
                of_rows[..rows.len()].copy_from_slice(&lse[first + rows.start..first + rows.end]);
                vectorised(
                    #[inline(always)]
                    || self.dscores(bh, tile, stripe, of_rows, p, ds),
                );
                let dq = rows_of(dqkv.index_axis_mut(Axis(0), 0), first + rows.start..first + rows.end);
                let columns = stripe * LANES..stripe * LANES + rows.len();
                let (ds, k) =
                    (tile.part(ds, seen.clone(), columns), k.rows_of(seen.start - start..seen.end - start));
                matmul_serial(ds.t(), k, Accumulate::Overwrite, dq, Precision::F32); // dQ = dS K
            }
            for (keys, columns) in tile.blocks() {
                let queries = columns.start..columns.end.min(tile.rows);
                let [p, ds] = [&*p, &*ds].map(|x| tile.part(x, keys.clone(), queries.clone()));
                let dk = rows_of(dqkv.index_axis_mut(Axis(0), 1), keys.clone());
                matmul_serial(ds, q.rows_of(queries.clone()), before, dk, Precision::F32); // dK += dS^T Q
                let dv = rows_of(dqkv.index_axis_mut(Axis(0), 2), keys);
                matmul_serial(p, dy.rows_of(queries), before, dv, Precision::F32); // dV += P^T dY
            }
            before = Accumulate::Add;
        }
    }

    /// From the scores of stripe `v` in `p`, and `dL/dweights` in `ds`: the weights in `p`
    /// and `scale dL/dscores` in `ds`.
    #[inline(always)]
    fn dscores<T: Float>(
        &self,
        bh: usize,
        tile: &Tile,
        v: usize,
        lse: [T; LANES],
        p: &mut [T],
        ds: &mut [T],
    ) {
        let (stripe, width, t, scale) = (&tile.stripes[v], tile.width, self.dims.t, T::of(self.scale));
        let seen = (stripe.seen.start - tile.keys.start) * width..(stripe.seen.end - tile.keys.start) * width;
        // Zeros for keys that this stripe does not see: dK and dV are products over all stripes.
        for x in [&mut *p, &mut *ds] {
            lanes(&mut x[..seen.start], width, v).for_each(|x| *x = [T::zero(); LANES]);
            lanes(&mut x[seen.end..], width, v).for_each(|x| *x = [T::zero(); LANES]);
        }
        let keys = stripe.seen.start as u32..;
        // sum_j weight_j dL/dweight_j, which the derivative of the softmax takes off.
        let mut inner = [T::zero(); LANES];
        // What is read is read before anything is written: see the loops' machine code.
        let rows = lanes(&mut p[seen.clone()], width, v).zip(lanes(&mut ds[seen.clone()], width, v));
        match self.dropout {
            None => {
                for (j, (p, ds)) in keys.clone().zip(rows) {
                    let (scores, dweights) = (*p, *ds);
                    let weights = array(
                        #[inline(always)]
                        |l| stripe.hide(j, l, (scores[l] - lse[l]).exp_fast()),
                    );
                    for l in 0..LANES {
                        inner[l] = weights[l].fused_mul_add(stripe.hide(j, l, dweights[l]), inner[l]);
                    }
                    *p = weights;
                }
            }
            Some(dropout) => {
                let first = bh * t + tile.first + v * LANES;
                let kept = dropout.factor_from::<T>((first * t) as u64);
                for (j, (p, ds)) in keys.clone().zip(rows) {
                    for l in 0..LANES {
                        let kept = kept((l * t) as u32 + j);
                        let weight = stripe.hide(j, l, (p[l] - lse[l]).exp_fast());
                        let dweight = stripe.hide(j, l, ds[l] * kept);
                        inner[l] = weight.fused_mul_add(dweight, inner[l]);
                        // The sign tells, until below, what was left out.
                        p[l] = if kept == T::zero() { -weight } else { weight };
                        ds[l] = dweight;
                    }
                }
            }
        }
        let rows = lanes(&mut p[seen.clone()], width, v).zip(lanes(&mut ds[seen], width, v));
        for (j, (p, ds)) in keys.zip(rows) {
            let (weights, dweights) = (*p, *ds);
            *ds = array(
                #[inline(always)]
                |l| stripe.hide(j, l, weights[l].abs() * (dweights[l] - inner[l]) * scale),
            );
            // Not `< 0`: -0 was left out too. NaN is neither, and stays NaN.
            if let Some(dropout) = self.dropout {
                *p = array(
                    #[inline(always)]
                    |l| if weights[l] <= T::zero() { T::zero() } else { weights[l] * dropout.keep() },
                );
            }
        }
    }
}
