//! A gate beside the hidden layer: SwiGLU.

use super::parallel::by_rows;
use super::simd::vectorised;
use crate::Number;

/// `out = a s(a) b` for rows `[a b]` of `z`, with the logistic function `s`; `out` has rows of `n`.
pub fn swiglu<T: Number>(out: &mut [T], z: &[T], n: usize) {
    by_rows(out, n, |first, rows| {
        vectorised(
            #[inline(always)]
            || {
                let z = z[2 * first * n..].chunks_exact(2 * n);
                for (out, (a, b)) in rows.chunks_exact_mut(n).zip(z.map(|z| z.split_at(n))) {
                    out.iter_mut().zip(a).zip(b).for_each(|((o, &a), &b)| *o = a * a.sigmoid() * b);
                }
            },
        );
    });
}

/// `da = dy b (s + a s (1 - s))` and `db = dy a s`, side by side in the rows of `dz`.
pub fn swiglu_backward<T: Number>(dz: &mut [T], z: &[T], dy: &[T], n: usize) {
    by_rows(dz, 2 * n, |first, rows| {
        vectorised(
            #[inline(always)]
            || {
                let z = z[2 * first * n..].chunks_exact(2 * n).map(|z| z.split_at(n));
                let rows = rows.chunks_exact_mut(2 * n).map(|row| row.split_at_mut(n));
                for (((da, db), (a, b)), dy) in rows.zip(z).zip(dy[first * n..].chunks_exact(n)) {
                    let gradients = da.iter_mut().zip(db);
                    for (((da, db), (&a, &b)), &dy) in gradients.zip(a.iter().zip(b)).zip(dy) {
                        let s = a.sigmoid();
                        *da = dy * b * (s + a * s * (T::one() - s));
                        *db = dy * a * s;
                    }
                }
            },
        );
    });
}
