//! Attention without ever storing the T x T matrix of weights.
//!
//! Each head works by itself on tiles of a few queries. A tile's scores with all the
//! keys that it sees stay in the cache; of the softmax only the logarithm of each row's
//! sum is kept, from which `backward` finds the weights again (Dao et al. 2022).

use std::ops::Range;

use ndarray::{ArrayViewMut, ArrayViewMut2, ArrayViewMut3, Axis, RemoveAxis, s};
use rayon::prelude::*;

use super::matmul::{Mat, Start, matmul_serial};
use super::reduce::scalar_product;
use super::softmax::{exp_minus, max};
use super::vectorised;
use crate::ops::dropout::Dropout;
use crate::ops::masked_softmax::Mask;
use crate::{Precision, Real};

/// Queries in a tile.
const TILE: usize = 64;

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
    pub dropout: Option<Dropout>,
    /// How exactly the products are computed.
    pub precision: Precision,
}

impl Dims {
    /// Numbers of a tile of scores.
    fn tile(self) -> usize {
        TILE.min(self.t) * self.t
    }

    /// How many heads are worked on at a time: more than threads, so that none waits.
    fn lanes(self) -> usize {
        (self.b * self.h).min(4 * rayon::current_num_threads())
    }

    /// Numbers that [`Attention::forward`] needs to work in.
    pub fn forward_scratch(self) -> usize {
        self.lanes() * (self.tile() + 2 * TILE * self.d)
    }

    /// Numbers that [`Attention::backward`] needs to work in.
    pub fn backward_scratch(self) -> usize {
        self.lanes() * (2 * self.tile() + 2 * TILE * self.d)
    }

    /// The numbers of head `bh` for some tokens, where they lie in `x`: `(B, T, C)`, or part
    /// number `part` of as many side by side, as Q, K and V are in `(B, T, 3 C)`.
    fn rows<T: Real>(
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
    fn heads_mut<T: Real>(self, dqkv: &mut [T]) -> Vec<ArrayViewMut3<'_, T>> {
        let Self { b, t, h, d } = self;
        let all = ndarray::ArrayViewMut5::from_shape((b, t, 3, h, d), dqkv).expect("the shape was checked");
        let sequences = pieces(all.permuted_axes([0, 3, 2, 1, 4]));
        sequences.into_iter().flat_map(pieces).collect()
    }

    /// `(B, T, C)` as `(B, H)` pieces of `(T, D)`.
    fn rows_mut<T: Real>(self, out: &mut [T]) -> Vec<ArrayViewMut2<'_, T>> {
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

/// Cuts a piece of `n` numbers off the front.
fn cut<'a, T>(scratch: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let (piece, rest) = std::mem::take(scratch).split_at_mut(n);
    *scratch = rest;
    piece
}

/// Copies rows of a head, times `factor`, into a tile that lies in one piece.
fn copy_rows<T: Real>(to: &mut [T], from: Mat<'_, T>, factor: T) {
    let d = from.cols();
    vectorised(
        #[inline(always)]
        || {
            for (i, to) in to.chunks_exact_mut(d).enumerate() {
                to.iter_mut().zip(from.row(i)).for_each(|(to, &x)| *to = x * factor);
            }
        },
    );
}

impl Attention<'_> {
    /// The keys among which are all that the queries `first..first + rows` see.
    fn keys(&self, b: usize, first: usize, rows: usize) -> Range<usize> {
        let seen = (first..first + rows).map(|i| self.mask.visible(b, i, self.dims.t));
        let all = seen.filter(|seen| !seen.is_empty());
        all.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
    }

    /// Adds to the scores of query `i`, those of the keys from `start` on, ALiBi's
    /// `slope (j - i)` and what the mask adds.
    #[inline(always)]
    fn adjust<T: Real>(&self, h: usize, i: usize, start: usize, scores: &mut [T]) {
        if let Some(slopes) = self.slopes {
            let slope = T::of(slopes[h]);
            for (j, score) in scores.iter_mut().enumerate() {
                *score += slope * T::of((start + j) as f64 - i as f64);
            }
        }
        self.mask.add_to(i, start, scores);
    }

    /// `out = a b` on this thread.
    fn product<T: Real>(&self, a: Mat<'_, T>, b: Mat<'_, T>, out: &mut [T]) {
        let out = ArrayViewMut2::from_shape((a.rows(), b.cols()), out).expect("as many as the product has");
        matmul_serial(a, b, Start::Zero, out, self.precision);
    }

    /// The output `(B, T, C)` of `qkv` `(B, T, 3 C)`, and the logarithm of the sum of
    /// each row's exponentials, `(B, H, T)`.
    pub fn forward<T: Real>(&self, out: &mut [T], lse: &mut [T], qkv: &[T], scratch: &mut [T]) {
        let Dims { t, .. } = self.dims;
        let mut work: Vec<_> =
            self.dims.rows_mut(out).into_iter().zip(lse.chunks_exact_mut(t)).enumerate().collect();
        let lanes = self.dims.lanes().max(1);
        let (per_lane, heads_per_lane) = (scratch.len() / lanes, work.len().div_ceil(lanes).max(1));
        work.par_chunks_mut(heads_per_lane).zip(scratch.par_chunks_mut(per_lane)).for_each(
            |(work, scratch)| {
                for (bh, (out, lse)) in work {
                    self.forward_head(*bh, qkv, out, lse, scratch);
                }
            },
        );
    }

    fn forward_head<T: Real>(
        &self,
        bh: usize,
        qkv: &[T],
        out: &mut ArrayViewMut2<'_, T>,
        lse: &mut [T],
        mut scratch: &mut [T],
    ) {
        let Dims { t, h, d, .. } = self.dims;
        let (b, h) = (bh / h, bh % h);
        let (q_tile, out_tile) = (cut(&mut scratch, TILE * d), cut(&mut scratch, TILE * d));
        for first in (0..t).step_by(TILE) {
            let rows = TILE.min(t - first);
            let Range { start, end } = self.keys(b, first, rows);
            let keys = end - start;
            let (q, y, scores) =
                (&mut q_tile[..rows * d], &mut out_tile[..rows * d], &mut scratch[..rows * keys]);
            let [k, v] = [1, 2].map(|part| self.dims.rows(qkv, (part, 3), bh, start..end));
            // (rows, D) (D, keys) -> (rows, keys)
            copy_rows(q, self.dims.rows(qkv, (0, 3), bh, first..first + rows), T::of(self.scale));
            self.product(Mat::new(q, (rows, d)), k.t(), scores);
            let mut sums = [T::one(); TILE];
            vectorised(
                #[inline(always)]
                || {
                    for (r, row) in scores.chunks_exact_mut(keys.max(1)).enumerate() {
                        (lse[first + r], sums[r]) = self.weights((bh, b, h), first + r, start, row);
                    }
                },
            );
            // (rows, keys) (keys, D) -> (rows, D)
            self.product(Mat::new(scores, (rows, keys)), v, y);
            for (r, y) in y.chunks_exact(d).enumerate() {
                let row = out.row_mut(first + r).into_slice().expect("the numbers of a head lie in a row");
                let share = T::one() / sums[r];
                match keys {
                    0 => row.fill(T::zero()),
                    _ => row.iter_mut().zip(y).for_each(|(to, &y)| *to = y * share),
                }
            }
            if keys == 0 {
                lse[first..first + rows].fill(T::neg_infinity());
            }
        }
    }

    /// Turns the scores of query `i`, those of the keys from `start` on, into weights that
    /// do not yet sum to 1; returns the logarithm of the sum of their exponentials, and
    /// what to divide them by.
    #[inline(always)]
    fn weights<T: Real>(
        &self,
        (bh, b, h): (usize, usize, usize),
        i: usize,
        start: usize,
        row: &mut [T],
    ) -> (T, T) {
        let t = self.dims.t;
        let seen = self.mask.visible(b, i, t);
        if seen.is_empty() {
            row.fill(T::zero());
            return (T::neg_infinity(), T::one());
        }
        row[..seen.start - start].fill(T::zero());
        row[seen.end - start..].fill(T::zero());
        let row = &mut row[seen.start - start..seen.end - start];
        self.adjust(h, i, seen.start, row);
        let max = max(row);
        let sum = exp_minus(row, max);
        if let Some(dropout) = &self.dropout {
            let kept = dropout.factor_from::<T>(((bh * t + i) * t) as u64);
            for (j, w) in (seen.start as u32..).zip(row.iter_mut()) {
                *w *= kept(j);
            }
        }
        (max + sum.ln(), sum)
    }

    /// The gradient `(B, T, 3 C)` of Q, K and V, from the output `y`, its gradient `dy`
    /// and what [`Attention::forward`] kept.
    pub fn backward<T: Real>(
        &self,
        dqkv: &mut [T],
        (qkv, y, dy, lse): (&[T], &[T], &[T], &[T]),
        scratch: &mut [T],
    ) {
        let Dims { t, .. } = self.dims;
        let mut work: Vec<_> = self.dims.heads_mut(dqkv).into_iter().enumerate().collect();
        let lanes = self.dims.lanes().max(1);
        let (per_lane, heads_per_lane) = (scratch.len() / lanes, work.len().div_ceil(lanes).max(1));
        work.par_chunks_mut(heads_per_lane).zip(scratch.par_chunks_mut(per_lane)).for_each(
            |(work, scratch)| {
                for (bh, dqkv) in work {
                    self.backward_head(*bh, dqkv, (qkv, y, dy, &lse[*bh * t..][..t]), scratch);
                }
            },
        );
    }

    fn backward_head<T: Real>(
        &self,
        bh: usize,
        dqkv: &mut ArrayViewMut3<'_, T>,
        (qkv, y, dy, lse): (&[T], &[T], &[T], &[T]),
        mut scratch: &mut [T],
    ) {
        let Dims { t, h, d, .. } = self.dims;
        let (b, h) = (bh / h, bh % h);
        dqkv.slice_mut(s![1.., .., ..]).fill(T::zero());
        let [q_tile, dq_tile] = [(); 2].map(|()| cut(&mut scratch, TILE * d));
        let (weights, dscores) = scratch.split_at_mut(TILE.min(t) * t);
        for first in (0..t).step_by(TILE) {
            let rows = TILE.min(t - first);
            let Range { start, end } = self.keys(b, first, rows);
            let keys = end - start;
            let (q, dq) = (&mut q_tile[..rows * d], &mut dq_tile[..rows * d]);
            let (p, ds) = (&mut weights[..rows * keys], &mut dscores[..rows * keys]);
            copy_rows(q, self.dims.rows(qkv, (0, 3), bh, first..first + rows), T::of(self.scale));
            let [dy, y] = [dy, y].map(|x| self.dims.rows(x, (0, 1), bh, first..first + rows));
            let [k, v] = [1, 2].map(|part| self.dims.rows(qkv, (part, 3), bh, start..end));
            // The scores once more, and dL/dweights = dY V^T, both (rows, keys).
            self.product(Mat::new(q, (rows, d)), k.t(), p);
            self.product(dy, v.t(), ds);
            vectorised(
                #[inline(always)]
                || {
                    let rows = p.chunks_exact_mut(keys.max(1)).zip(ds.chunks_exact_mut(keys.max(1)));
                    for (r, (p, ds)) in rows.enumerate() {
                        let i = first + r;
                        // sum_j weight_j dL/dweight_j = y . dL/dy
                        let inner = scalar_product(y.row(r), dy.row(r));
                        self.dscores((bh, b, h), (i, start), (lse[i], inner), p, ds);
                    }
                },
            );
            let (p, ds) = (Mat::new(p, (rows, keys)), Mat::new(ds, (rows, keys)));
            let dk = dqkv.slice_mut(s![1, start..end, ..]);
            matmul_serial(ds.t(), Mat::new(q, (rows, d)), Start::Out, dk, self.precision); // dK += dS^T Q scale
            let dv = dqkv.slice_mut(s![2, start..end, ..]);
            matmul_serial(p.t(), dy, Start::Out, dv, self.precision); // dV += P^T dY
            self.product(ds, k, dq); // dQ = dS K scale
            let (scale, mut to) = (T::of(self.scale), dqkv.index_axis_mut(Axis(0), 0));
            for (r, dq) in dq.chunks_exact(d).enumerate() {
                let row = to.row_mut(first + r).into_slice().expect("the numbers of a head lie in a row");
                match keys {
                    0 => row.fill(T::zero()),
                    _ => row.iter_mut().zip(dq).for_each(|(to, &x)| *to = x * scale),
                }
            }
        }
    }

    /// From the scores of query `i` in `p`, those of the keys from `start` on, and
    /// `dL/dweights` in `ds`: the weights in `p` and `dL/dscores` in `ds`.
    #[inline(always)]
    fn dscores<T: Real>(
        &self,
        (bh, b, h): (usize, usize, usize),
        (i, start): (usize, usize),
        (lse, inner): (T, T),
        p: &mut [T],
        ds: &mut [T],
    ) {
        let t = self.dims.t;
        let seen = self.mask.visible(b, i, t);
        if seen.is_empty() {
            p.fill(T::zero());
            ds.fill(T::zero());
            return;
        }
        let (before, after) = (seen.start - start, seen.end - start);
        for row in [&mut *p, &mut *ds] {
            row[..before].fill(T::zero());
            row[after..].fill(T::zero());
        }
        let (p, ds) = (&mut p[before..after], &mut ds[before..after]);
        self.adjust(h, i, seen.start, p);
        match &self.dropout {
            None => {
                for (p, ds) in p.iter_mut().zip(ds) {
                    *p = (*p - lse).exp_fast();
                    *ds = *p * (*ds - inner);
                }
            }
            Some(dropout) => {
                let kept = dropout.factor_from::<T>(((bh * t + i) * t) as u64);
                for (j, (p, ds)) in (seen.start as u32..).zip(p.iter_mut().zip(ds)) {
                    let (weight, kept) = ((*p - lse).exp_fast(), kept(j));
                    *ds = weight * (*ds * kept - inner);
                    *p = weight * kept;
                }
            }
        }
    }
}
