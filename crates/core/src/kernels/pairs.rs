//! Every query with every key, where no matrix product does it: some function of the
//! two rows for each pair.

use rayon::prelude::*;

use super::vectorised;
use crate::Real;

/// Many heads at a time: each has `t` queries and `t` keys of `d` numbers.
#[derive(Debug, Clone, Copy)]
pub struct Pairs {
    /// T.
    pub t: usize,
    /// D.
    pub d: usize,
}

impl Pairs {
    /// `out[n, i, j] = f(n, q[n, i], k[n, j])`, head by head.
    pub fn forward<T: Real>(
        self,
        out: &mut [T],
        (q, k): (&[T], &[T]),
        f: impl Fn(usize, &[T], &[T]) -> T + Sync,
    ) {
        let Self { t, d } = self;
        let heads = q.par_chunks_exact(t * d).zip(k.par_chunks_exact(t * d));
        out.par_chunks_exact_mut(t * t).zip(heads).enumerate().for_each(|(n, (out, (q, k)))| {
            vectorised(
                #[inline(always)]
                || {
                    for (out, q) in out.chunks_exact_mut(t).zip(q.chunks_exact(d)) {
                        for (out, k) in out.iter_mut().zip(k.chunks_exact(d)) {
                            *out = f(n, q, k);
                        }
                    }
                },
            );
        });
    }

    /// The gradients `(dq, dk)` of all heads, `(N, T, D)`, to which `f(n, (q_i, k_j), ds_ij,
    /// (dq_i, dk_j), own)` adds the share of each pair; `own`, `(N, D)`, are sums that each
    /// head keeps for itself. All three begin with zeros.
    pub fn backward<T: Real>(
        self,
        (dq, dk, own): (&mut [T], &mut [T], &mut [T]),
        (q, k, ds): (&[T], &[T], &[T]),
        f: impl Fn(usize, (&[T], &[T]), T, (&mut [T], &mut [T]), &mut [T]) + Sync,
    ) {
        let Self { t, d } = self;
        let to = dq.par_chunks_exact_mut(t * d).zip(dk.par_chunks_exact_mut(t * d));
        let to = to.zip(own.par_chunks_exact_mut(d));
        let from = q.par_chunks_exact(t * d).zip(k.par_chunks_exact(t * d)).zip(ds.par_chunks_exact(t * t));
        to.zip(from).enumerate().for_each(|(n, (((dq, dk), own), ((q, k), ds)))| {
            vectorised(
                #[inline(always)]
                || {
                    dq.fill(T::zero());
                    dk.fill(T::zero());
                    own.fill(T::zero());
                    let queries = dq.chunks_exact_mut(d).zip(q.chunks_exact(d)).zip(ds.chunks_exact(t));
                    for ((dq, q), ds) in queries {
                        let keys = dk.chunks_exact_mut(d).zip(k.chunks_exact(d)).zip(ds);
                        for ((dk, k), &ds) in keys {
                            f(n, (q, k), ds, (dq, dk), own);
                        }
                    }
                },
            );
        });
    }
}
