//! Every query with every key, where no matrix product does it: a sum over the D numbers
//! of some function of the two.

use rayon::prelude::*;

use super::reduce::scalar_product;
use super::vectorised;
use crate::Float;

/// N heads at a time: each has `t` queries and `t` keys of `d` numbers.
#[derive(Debug, Clone, Copy)]
pub struct Pairs {
    /// T.
    pub t: usize,
    /// D.
    pub d: usize,
}

/// The numbers of many heads, to be read: queries and keys, `(N, T, D)`, and the gradient of
/// the scores, `(N, T, T)`.
pub type Read<'a, T> = (&'a [T], &'a [T], &'a [T]);

/// The gradients to be written: of queries and keys, `(N, T, D)`, and of what each head has
/// for itself, `(N, D)`.
pub type Written<'a, T> = (&'a mut [T], &'a mut [T], &'a mut [T]);

/// `to[x, y] = from[y, x]`, of `rows` rows in `from`.
fn transpose<T: Float>(to: &mut [T], from: &[T], rows: usize) {
    let cols = from.len() / rows;
    for (x, to) in to.chunks_exact_mut(rows).enumerate() {
        to.iter_mut().zip(from[x..].iter().step_by(cols)).for_each(|(to, &x)| *to = x);
    }
}

impl Pairs {
    /// Numbers that [`Pairs::forward`] needs to work in, for each head.
    pub fn forward_scratch(self) -> usize {
        self.t * self.d
    }

    /// Numbers that [`Pairs::backward`] needs to work in, for each head.
    pub fn backward_scratch(self) -> usize {
        2 * self.t * self.d + 3 * self.t
    }

    /// `out[n, i, j] = sum_d f(n, d, q[n, i, d], k[n, j, d])`: for each query and each d, all
    /// keys at a time.
    pub fn forward<T: Float>(
        self,
        out: &mut [T],
        (q, k): (&[T], &[T]),
        scratch: &mut [T],
        f: impl Fn(usize, usize, T, T) -> T + Sync,
    ) {
        let Self { t, d } = self;
        let from = q.par_chunks_exact(t * d).zip(k.par_chunks_exact(t * d));
        let to = out.par_chunks_exact_mut(t * t).zip(scratch.par_chunks_exact_mut(t * d));
        to.zip(from).enumerate().for_each(|(n, ((out, keys), (q, k)))| {
            transpose(keys, k, t); // (T, D) -> (D, T)
            vectorised(
                #[inline(always)]
                || {
                    for (out, q) in out.chunks_exact_mut(t).zip(q.chunks_exact(d)) {
                        out.fill(T::zero());
                        for (d, (&q, keys)) in q.iter().zip(keys.chunks_exact(t)).enumerate() {
                            out.iter_mut().zip(keys).for_each(|(out, &k)| *out += f(n, d, q, k));
                        }
                    }
                },
            );
        });
    }

    /// The gradients, where `f(n, d, q, k)` gives the derivatives of its like above with
    /// respect to `q`, to `k`, and to what the head has for itself at place `d`.
    pub fn backward<T: Float>(
        self,
        (dq, dk, own): Written<'_, T>,
        (q, k, ds): Read<'_, T>,
        scratch: &mut [T],
        f: impl Fn(usize, usize, T, T) -> [T; 3] + Sync,
    ) {
        let Self { t, d } = self;
        let from = q.par_chunks_exact(t * d).zip(k.par_chunks_exact(t * d)).zip(ds.par_chunks_exact(t * t));
        let to = dq.par_chunks_exact_mut(t * d).zip(dk.par_chunks_exact_mut(t * d));
        let to =
            to.zip(own.par_chunks_exact_mut(d)).zip(scratch.par_chunks_exact_mut(self.backward_scratch()));
        to.zip(from).enumerate().for_each(|(n, ((((dq, dk), own), scratch), ((q, k), ds)))| {
            let (keys, scratch) = scratch.split_at_mut(t * d);
            let (dkeys, rows) = scratch.split_at_mut(t * d); // (D, T) both
            let (by_q, rows) = rows.split_at_mut(t);
            let (by_k, by_own) = rows.split_at_mut(t);
            transpose(keys, k, t);
            dkeys.fill(T::zero());
            own.fill(T::zero());
            vectorised(
                #[inline(always)]
                || {
                    for ((dq, q), ds) in dq.chunks_exact_mut(d).zip(q.chunks_exact(d)).zip(ds.chunks_exact(t))
                    {
                        let keys = keys.chunks_exact(t).zip(dkeys.chunks_exact_mut(t));
                        for (d, (&q, (keys, dkeys))) in q.iter().zip(keys).enumerate() {
                            for (j, &k) in keys.iter().enumerate() {
                                [by_q[j], by_k[j], by_own[j]] = f(n, d, q, k);
                            }
                            dq[d] = scalar_product(by_q, ds);
                            own[d] += scalar_product(by_own, ds);
                            for ((dk, &by_k), &ds) in dkeys.iter_mut().zip(&*by_k).zip(ds) {
                                *dk += by_k * ds;
                            }
                        }
                    }
                },
            );
            transpose(dk, dkeys, d); // (D, T) -> (T, D)
        });
    }
}
