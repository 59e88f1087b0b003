//! The softmax of stored scores, over the keys that each query sees.

use crate::Number;
use crate::kernels::parallel::by_rows;
use crate::kernels::softmax::softmax_rows;
use crate::mask::Mask;

/// `out = softmax(scores)` over the keys that `mask` lets each query see, and 0 for the other keys.
/// `scores` is `(B, H, T_q, T_k)`, and `dims` is `[H, T_q, T_k]`. The row of a query that sees no
/// key is zero.
pub fn masked_softmax<T: Number>(out: &mut [T], scores: &[T], dims: [usize; 3], mask: &Mask) {
    let [h, t_q, t_k] = dims;
    by_rows(out, t_k, |first, out| {
        let mut shifted = vec![T::zero(); if *mask == Mask::Finite { t_k } else { 0 }];
        let rows = out.chunks_exact_mut(t_k.max(1)).zip(scores[first * t_k..].chunks_exact(t_k.max(1)));
        for (row, (out, scores)) in rows.enumerate().map(|(r, pair)| (first + r, pair)) {
            let (b, i) = (row / (h * t_q), row % t_q);
            let seen = mask.visible(b, i, t_k);
            out[..seen.start].fill(T::zero());
            out[seen.end..].fill(T::zero());
            let out = &mut out[seen.clone()];
            match mask {
                Mask::Finite => {
                    for (j, (shifted, &score)) in shifted.iter_mut().zip(scores).enumerate() {
                        *shifted = score + T::of(mask.added(i, j));
                    }
                    softmax_rows(out, &shifted, t_k);
                }
                _ => softmax_rows(out, &scores[seen.clone()], seen.len()),
            }
        }
    });
}
