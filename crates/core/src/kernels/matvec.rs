//! Matrix-vector products, as in generation, which computes one token at a time.
//!
//! Every weight is used once, so memory bandwidth limits the speed. Several rows are read at a
//! time, each with separate running sums in vector registers: enough loads are in flight to keep
//! the memory busy, and each element of the vector is loaded once for all of these rows.

use rayon::prelude::*;

use super::parallel::ForEachTask;
use super::simd::vectorised;
use crate::Number;

/// Up to this many bytes of weights, one thread is as fast as two that share a cache, and faster
/// than two that do not: waking the second thread takes as long as reading half of the weights.
pub const MAX_BYTES_ON_ONE_THREAD: usize = 1 << 18;
/// Bytes of weights per parallel task.
const BYTES_PER_TASK: usize = 1 << 16;
/// Rows that are read together.
const ROWS_AT_ONCE: usize = 4;
/// Elements of a row per step: two AVX2 registers of f32.
const ELEMENTS_AT_ONCE: usize = 16;

/// `out = W x`, or `out += W x` if `accumulate`, with `W` of `(out.len(), x.len())`, row
/// by row.
///
/// The order of each sum depends on `x.len()` alone: the result is bitwise identical for any number
/// of threads.
///
/// # Panics
/// Unless `w` has `out.len() * x.len()` elements.
pub fn matvec<T: Number>(w: &[T], x: &[T], out: &mut [T], accumulate: bool) {
    assert_eq!(w.len(), out.len() * x.len(), "length of a matrix");
    let row = x.len().max(1);
    let bytes = w.len() * T::BYTES;
    if bytes <= MAX_BYTES_ON_ONE_THREAD || rayon::current_num_threads() == 1 {
        return matvec_serial(w, x, out, accumulate);
    }
    // A row longer than a task's bytes is still a task.
    let rows = (BYTES_PER_TASK / (row * T::BYTES)).max(1).next_multiple_of(ROWS_AT_ONCE);
    out.par_chunks_mut(rows)
        .zip(w.par_chunks(rows * row))
        .for_each_task(&|(out, w)| matvec_serial(w, x, out, accumulate));
}

/// [`matvec`] on this thread.
fn matvec_serial<T: Number>(w: &[T], x: &[T], out: &mut [T], accumulate: bool) {
    vectorised(
        #[inline(always)]
        || {
            rows_times(w, x, out, |out, sum| *out = if accumulate { *out + sum } else { sum });
        },
    );
}

/// Calls `take` with every element of `out` and the dot product of its row of `w` with `x`. Must
/// be called inside [`vectorised`].
#[inline(always)]
fn rows_times<T: Number>(w: &[T], x: &[T], out: &mut [T], take: impl Fn(&mut T, T)) {
    let k = x.len();
    let (groups, rest) = out.as_chunks_mut::<ROWS_AT_ONCE>();
    let (w_groups, w_rest) = w.split_at(groups.len() * ROWS_AT_ONCE * k);
    for (i, out) in groups.iter_mut().enumerate() {
        let (ab, cd) = w_groups[i * ROWS_AT_ONCE * k..][..ROWS_AT_ONCE * k].split_at(2 * k);
        let ((a, b), (c, d)) = (ab.split_at(k), cd.split_at(k));
        let sums = scalar_products([a, b, c, d], x);
        for (out, sum) in out.iter_mut().zip(sums) {
            take(out, sum);
        }
    }
    for (i, out) in rest.iter_mut().enumerate() {
        let row = &w_rest[i * k..][..k];
        take(out, scalar_products([row; ROWS_AT_ONCE], x)[0]);
    }
}

/// The dot product of each row with `x`.
#[inline(always)]
fn scalar_products<T: Number>([a, b, c, d]: [&[T]; ROWS_AT_ONCE], x: &[T]) -> [T; ROWS_AT_ONCE] {
    let [(a, a_tail), (b, b_tail), (c, c_tail), (d, d_tail)] =
        [a.as_chunks(), b.as_chunks(), c.as_chunks(), d.as_chunks()];
    let (x_blocks, x_tail) = x.as_chunks();
    let [mut s_a, mut s_b, mut s_c, mut s_d] = [[T::zero(); ELEMENTS_AT_ONCE]; ROWS_AT_ONCE];
    for ((((x, a), b), c), d) in x_blocks.iter().zip(a).zip(b).zip(c).zip(d) {
        s_a = mul_add(a, x, s_a);
        s_b = mul_add(b, x, s_b);
        s_c = mul_add(c, x, s_c);
        s_d = mul_add(d, x, s_d);
    }
    let mut out = totals(&[s_a, s_b, s_c, s_d]);
    if !x_tail.is_empty() {
        for (out, tail) in out.iter_mut().zip([a_tail, b_tail, c_tail, d_tail]) {
            for (&w, &x) in tail.iter().zip(x_tail) {
                *out += w * x;
            }
        }
    }
    out
}

/// `a b + c`, lane by lane.
#[inline(always)]
fn mul_add<T: Number>(
    a: &[T; ELEMENTS_AT_ONCE],
    b: &[T; ELEMENTS_AT_ONCE],
    c: [T; ELEMENTS_AT_ONCE],
) -> [T; ELEMENTS_AT_ONCE] {
    let mut out = c;
    for l in 0..ELEMENTS_AT_ONCE {
        out[l] = a[l].fused_mul_add(b[l], c[l]);
    }
    out
}

/// Adds up the running sums of each row pairwise. Not inlined, so that the caller's running sums,
/// whose addresses are never taken, stay in registers.
#[inline(never)]
fn totals<T: Number>(sums: &[[T; ELEMENTS_AT_ONCE]; ROWS_AT_ONCE]) -> [T; ROWS_AT_ONCE] {
    let mut quarters = [[T::zero(); 4]; ROWS_AT_ONCE];
    for (q, s) in quarters.iter_mut().zip(sums) {
        for l in 0..4 {
            q[l] = (s[l] + s[l + 8]) + (s[l + 4] + s[l + 12]);
        }
    }
    let mut out = [T::zero(); ROWS_AT_ONCE];
    for (out, q) in out.iter_mut().zip(&quarters) {
        *out = (q[0] + q[2]) + (q[1] + q[3]);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::threads::with_threads;

    #[test]
    fn agrees_with_the_definition() {
        // Integers: every order of addition is exact.
        let integers = |n: usize, by: usize| (0..n).map(|i| (i * by % 11) as f32 - 5.0).collect::<Vec<_>>();
        for n in [1, 2, 3, 4, 5, 9, 70] {
            for k in [1, 2, 15, 16, 17, 33, 64, 100] {
                let (w, x) = (integers(n * k, 7), integers(k, 3));
                let want: Vec<f32> =
                    w.chunks(k).map(|w| w.iter().zip(&x).map(|(w, x)| w * x).sum()).collect();
                let mut out = vec![9.0; n];
                matvec(&w, &x, &mut out, false);
                assert_eq!(out, want, "{n} x {k}");
                matvec(&w, &x, &mut out, true);
                assert!(out.iter().zip(&want).all(|(o, w)| *o == 2.0 * w));
            }
        }
        // Empty sums.
        let mut out = [3.0_f32; 2];
        matvec(&[], &[], &mut out, true);
        assert_eq!(out, [3.0; 2]);
        matvec(&[], &[], &mut out, false);
        assert_eq!(out, [0.0; 2]);
        matvec::<f32>(&[], &[1.0], &mut [], false);
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        // In the second matrix a row is longer than a task.
        for (n, k) in [(1003, 777), (10, BYTES_PER_TASK / 4 + 1)] {
            let noise = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
            let (w, x) = (noise(n * k), noise(k));
            assert!(n * k * 4 > MAX_BYTES_ON_ONE_THREAD);
            let product = |threads| {
                with_threads(threads, || {
                    let mut out = vec![0.0; n];
                    matvec(&w, &x, &mut out, false);
                    out
                })
                .unwrap()
            };
            let one = product(1);
            assert!(one == product(2) && one == product(5));
        }
    }
}
