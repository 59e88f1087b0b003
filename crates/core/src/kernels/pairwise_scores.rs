//! Attention scores that are not a matrix product: for each query and key, the sum over D elements
//! of a function of both.

use rayon::prelude::*;

use super::elementwise::add_assign;
use super::parallel::ForEachTask;
use super::reduce::scalar_product;
use super::simd::vectorised;
use crate::Number;

/// The shape of queries and keys, `(B, H, T, D)`.
#[derive(Debug, Clone, Copy)]
pub struct HeadShape {
    /// B: sequences.
    pub b: usize,
    /// H: heads.
    pub h: usize,
    /// T: tokens per sequence.
    pub t: usize,
    /// D: elements per head.
    pub d: usize,
}

/// Queries and keys, `(B, H, T, D)`, and the gradient of the scores, `(B, H, T, T)`.
#[derive(Debug, Clone, Copy)]
pub struct ScoreInputs<'a, T> {
    /// Queries.
    pub q: &'a [T],
    /// Keys.
    pub k: &'a [T],
    /// Gradient of the scores.
    pub ds: &'a [T],
}

/// The gradients to write: those of queries and keys, `(B, H, T, D)`, and those of the weights for
/// each head of each sequence, `(B, H, D)`.
#[derive(Debug)]
pub struct ScoreGradients<'a, T> {
    /// Gradient of the queries.
    pub dq: &'a mut [T],
    /// Gradient of the keys.
    pub dk: &'a mut [T],
    /// Gradient of the weights; zeros for scores without weights.
    pub dw: &'a mut [T],
}

impl HeadShape {
    /// The number of heads in all sequences.
    fn heads(self) -> usize {
        self.b * self.h
    }

    /// Elements of scratch space for a forward pass.
    pub fn forward_scratch(self) -> usize {
        self.heads() * self.t * self.d
    }

    /// Elements of scratch space for a backward pass.
    pub fn backward_scratch(self) -> usize {
        self.heads() * self.backward_scratch_per_head()
    }

    fn backward_scratch_per_head(self) -> usize {
        2 * self.t * self.d + 3 * self.t
    }
}

/// `out[i, j] = sum_d w[d] tanh(q[i, d] + k[j, d])` for each head, with weights `(H, D)`.
pub fn additive<T: Number>(
    out: &mut [T],
    (q, k): (&[T], &[T]),
    w: &[T],
    scratch: &mut [T],
    shape: HeadShape,
) {
    let HeadShape { h, d, .. } = shape;
    forward(
        out,
        (q, k),
        scratch,
        shape,
        #[inline(always)]
        |head, i, q, k| w[head % h * d + i] * (q + k).tanh_fast(),
    );
}

/// The gradients of [`additive`]. With `z_ijd = ds_ij w_d (1 - tanh^2(q_id + k_jd))`:
/// `dq_i = sum_j z_ij`, `dk_j = sum_i z_ij`, `dw = sum_ij ds_ij tanh(q_i + k_j)`.
pub fn additive_backward<T: Number>(
    gradients: ScoreGradients<'_, T>,
    inputs: ScoreInputs<'_, T>,
    w: &[T],
    scratch: &mut [T],
    shape: HeadShape,
) {
    let HeadShape { h, d, .. } = shape;
    backward(
        gradients,
        inputs,
        scratch,
        shape,
        #[inline(always)]
        |head, i, q, k| {
            let tanh = (q + k).tanh_fast();
            let z = w[head % h * d + i] * (T::one() - tanh * tanh);
            [z, z, tanh]
        },
    );
}

/// Sums the gradients of the weights over the sequences: `(B, H, D) -> (H, D)`.
pub fn sum_over_sequences<T: Number>(out: &mut [T], dw: &[T]) {
    out.fill(T::zero());
    dw.chunks_exact(out.len()).for_each(|sequence| add_assign(out, sequence));
}

/// `out[i, j] = -sum_d (q[i, d] - k[j, d])^2` for each head.
pub fn negative_distance<T: Number>(
    out: &mut [T],
    (q, k): (&[T], &[T]),
    scratch: &mut [T],
    shape: HeadShape,
) {
    forward(
        out,
        (q, k),
        scratch,
        shape,
        #[inline(always)]
        |_, _, q, k| -(q - k) * (q - k),
    );
}

/// The gradients of [`negative_distance`]: `dq_i = -2 sum_j ds_ij (q_i - k_j)`,
/// `dk_j = 2 sum_i ds_ij (q_i - k_j)`, `dw = 0`.
pub fn negative_distance_backward<T: Number>(
    gradients: ScoreGradients<'_, T>,
    inputs: ScoreInputs<'_, T>,
    scratch: &mut [T],
    shape: HeadShape,
) {
    backward(
        gradients,
        inputs,
        scratch,
        shape,
        #[inline(always)]
        |_, _, q, k| {
            let twice = (q - k) + (q - k);
            [-twice, twice, T::zero()]
        },
    );
}

/// `out[n, i, j] = sum_d f(n, d, q[n, i, d], k[n, j, d])`, where `n` is the head. The inner loop
/// runs over all keys, for one query and one `d`.
fn forward<T: Number>(
    out: &mut [T],
    (q, k): (&[T], &[T]),
    scratch: &mut [T],
    shape: HeadShape,
    f: impl Fn(usize, usize, T, T) -> T + Sync,
) {
    let HeadShape { t, d, .. } = shape;
    let from = q.par_chunks_exact(t * d).zip(k.par_chunks_exact(t * d));
    let to = out.par_chunks_exact_mut(t * t).zip(scratch.par_chunks_exact_mut(t * d));
    to.zip(from).enumerate().for_each_task(&|(n, ((out, keys), (q, k)))| {
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

/// The gradients of [`forward`], where `f(n, d, q, k)` returns the derivatives of the summand with
/// respect to `q`, `k` and weight `d` of head `n`.
fn backward<T: Number>(
    ScoreGradients { dq, dk, dw }: ScoreGradients<'_, T>,
    ScoreInputs { q, k, ds }: ScoreInputs<'_, T>,
    scratch: &mut [T],
    shape: HeadShape,
    f: impl Fn(usize, usize, T, T) -> [T; 3] + Sync,
) {
    let HeadShape { t, d, .. } = shape;
    let from = q.par_chunks_exact(t * d).zip(k.par_chunks_exact(t * d)).zip(ds.par_chunks_exact(t * t));
    let to = dq.par_chunks_exact_mut(t * d).zip(dk.par_chunks_exact_mut(t * d));
    let scratch = scratch.par_chunks_exact_mut(shape.backward_scratch_per_head());
    let to = to.zip(dw.par_chunks_exact_mut(d)).zip(scratch);
    to.zip(from).enumerate().for_each_task(&|(n, ((((dq, dk), dw), scratch), ((q, k), ds)))| {
        let (keys, scratch) = scratch.split_at_mut(t * d);
        let (dkeys, rows) = scratch.split_at_mut(t * d); // (D, T) both
        let (by_q, rows) = rows.split_at_mut(t);
        let (by_k, by_w) = rows.split_at_mut(t);
        transpose(keys, k, t);
        dkeys.fill(T::zero());
        dw.fill(T::zero());
        vectorised(
            #[inline(always)]
            || {
                for ((dq, q), ds) in dq.chunks_exact_mut(d).zip(q.chunks_exact(d)).zip(ds.chunks_exact(t)) {
                    let keys = keys.chunks_exact(t).zip(dkeys.chunks_exact_mut(t));
                    for (d, (&q, (keys, dkeys))) in q.iter().zip(keys).enumerate() {
                        for (j, &k) in keys.iter().enumerate() {
                            [by_q[j], by_k[j], by_w[j]] = f(n, d, q, k);
                        }
                        dq[d] = scalar_product(by_q, ds);
                        dw[d] += scalar_product(by_w, ds);
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

/// `to[x, y] = from[y, x]`, where `from` has `rows` rows.
fn transpose<T: Number>(to: &mut [T], from: &[T], rows: usize) {
    let cols = from.len() / rows;
    for (x, to) in to.chunks_exact_mut(rows).enumerate() {
        to.iter_mut().zip(from[x..].iter().step_by(cols)).for_each(|(to, &x)| *to = x);
    }
}
