//! Attention to keys and values in a cache: those of all tokens of a text, or of the sequence that a decoder reads.

use rayon::prelude::*;

use crate::Number;
use crate::kernels::parallel::ForEachTask;
use crate::kernels::simd::vectorised;
use crate::kernels::softmax::{exp_minus, max};

/// Keys whose scores are computed together, in one or two vector registers.
const KEYS_PER_PASS: usize = 16;

/// Columns of the values that are summed together, in registers.
const COLUMNS_PER_PASS: usize = 32;

/// The shape of a cache: keys `(B, H, D, S)` and values `(B, H, S, D)`. Keys are stored as columns,
/// so that one vector register holds the same element of many keys.
#[derive(Debug, Clone, Copy)]
pub struct CacheDims {
    /// H: heads.
    pub h: usize,
    /// S: the capacity in tokens.
    pub s: usize,
    /// D: elements per head.
    pub d: usize,
}

/// The keys that a query sees.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// Query `i` of `t` in a sequence sees the first `start + i + 1` keys of this sequence.
    Causal {
        /// The number of tokens before the new ones.
        start: usize,
        /// T: new tokens in each sequence.
        t: usize,
    },
    /// `queries` queries in a row see the same sequence: as many keys as `lengths` says.
    Lengths {
        /// The length of each sequence, `(B)`.
        lengths: &'a [usize],
        /// The number of queries of each.
        queries: usize,
    },
}

impl Seen<'_> {
    /// The sequence that a row of queries sees, and the number of keys.
    fn by_row(self, row: usize) -> (usize, usize) {
        match self {
            Self::Causal { start, t } => (row / t, start + row % t + 1),
            Self::Lengths { lengths, queries } => (row / queries, lengths[row / queries]),
        }
    }
}

/// The operands of [`cached_attention`].
#[derive(Debug, Clone, Copy)]
pub struct CachedAttention<'a, T> {
    /// The queries, `(.., C)`, each at the start of a row; what follows them in the row is not read.
    pub queries: &'a [T],
    /// The elements of a row.
    pub row: usize,
    /// The keys that each query sees.
    pub seen: Seen<'a>,
    /// The keys, `(B, H, D, S)`.
    pub keys: &'a [T],
    /// The values, `(B, H, S, D)`.
    pub values: &'a [T],
    /// The shape of `keys` and `values`.
    pub dims: CacheDims,
    /// The factor of the scores.
    pub scale: f64,
    /// ALiBi's slope for each head.
    pub slopes: Option<&'a [f64]>,
}

/// `out = softmax(scale Q K^T) V`, `(.., C)`. `scratch` has S elements for each query.
pub fn cached_attention<T: Number>(out: &mut [T], operands: CachedAttention<'_, T>, scratch: &mut [T]) {
    let CachedAttention { queries, keys, values, dims: CacheDims { h, s, d }, slopes, .. } = operands;
    let (c, scale) = (h * d, T::of(operands.scale));
    let row = |(row, (out, scores)): (usize, (&mut [T], &mut [T]))| {
        let (b, seen) = operands.seen.by_row(row);
        let q = &queries[row * operands.row..][..c];
        // Rounded up to whole passes if the cache has room. Keys that the query does not see get no
        // weight.
        let scores = &mut scores[..seen.next_multiple_of(KEYS_PER_PASS).min(s)];
        vectorised(
            #[inline(always)]
            || {
                for (h_i, (out, q)) in out.chunks_exact_mut(d).zip(q.chunks_exact(d)).enumerate() {
                    let head = (b * h + h_i) * s * d;
                    let (keys, values) = (&keys[head..][..s * d], &values[head..][..seen * d]);
                    scalar_products(scores, q, keys, scale);
                    scores[seen..].fill(T::neg_infinity());
                    if let Some(slopes) = slopes {
                        for (j, score) in scores.iter_mut().enumerate() {
                            *score += T::of(slopes[h_i] * (j as f64 - (seen - 1) as f64));
                        }
                    }
                    let largest = max(scores);
                    let total = exp_minus(scores, largest);
                    weighted_sum(out, scores, values);
                    out.iter_mut().for_each(|y| *y /= total);
                }
            },
        );
    };
    let rows = out.len() / c;
    let work = out.chunks_exact_mut(c).zip(scratch.chunks_exact_mut(s));
    match rows {
        1 => work.enumerate().for_each(row),
        _ => work.enumerate().collect::<Vec<_>>().into_par_iter().for_each_task(&row),
    }
}

/// Appends K and V of new tokens to the `start` tokens in `keys` and `values`: the last 2 C elements of each row of
/// `tokens`, `(B, T, row)`. Skips tokens beyond the capacity.
pub fn append_to_cache<T: Number>(
    (keys, values): (&mut [T], &mut [T]),
    (tokens, row): (&[T], usize),
    (t, start): (usize, usize),
    dims: CacheDims,
) {
    let CacheDims { h, s, d } = dims;
    let sequence = |((keys, values), tokens): ((&mut [T], &mut [T]), &[T])| {
        for (token, place) in tokens.chunks_exact(row).zip(start..s) {
            let (k, v) = token[row - 2 * h * d..].split_at(h * d);
            for (h_i, (k, v)) in k.chunks_exact(d).zip(v.chunks_exact(d)).enumerate() {
                let head = h_i * s * d;
                keys[head..][..s * d].chunks_exact_mut(s).zip(k).for_each(|(row, &k)| row[place] = k);
                values[head + place * d..][..d].copy_from_slice(v);
            }
        }
    };
    let each = h * s * d;
    if each > 0 && t > 0 {
        let caches = keys.par_chunks_exact_mut(each).zip(values.par_chunks_exact_mut(each));
        caches.zip(tokens.par_chunks_exact(t * row)).with_min_len(16).for_each_task(&sequence);
    }
}

/// Copies the first `seen` tokens of the sequences with these indices, in this order, from one cache with room
/// for `dims.s` tokens to another with room for `new_s`. The other elements of the new one stay as they are.
pub fn select_from_cache<T: Number>(
    (new_keys, new_values, new_s): (&mut [T], &mut [T], usize),
    (keys, values): (&[T], &[T]),
    sequences: &[usize],
    seen: usize,
    dims: CacheDims,
) {
    let CacheDims { h, s, d } = dims;
    let (each, new_each) = (h * s * d, h * new_s * d);
    let one = |((new_keys, new_values), &i): ((&mut [T], &mut [T]), &usize)| {
        let (keys, values) = (&keys[i * each..][..each], &values[i * each..][..each]);
        // A row of tokens for each element of a key; `d` elements of a value for each token.
        for (new, old, d) in [(new_keys, keys, 1), (new_values, values, d)] {
            for (new, old) in new.chunks_exact_mut(new_s * d).zip(old.chunks_exact(s * d)) {
                new[..seen * d].copy_from_slice(&old[..seen * d]);
            }
        }
    };
    if each > 0 && new_each > 0 {
        let new = new_keys.par_chunks_exact_mut(new_each).zip(new_values.par_chunks_exact_mut(new_each));
        new.zip(sequences).with_min_len(4).for_each_task(&one);
    }
}

/// Copies blocks of `each` elements: block `i` becomes what block `from[i]` is. For each `j` in `from`, `from[j] == j`
/// or `j >= from.len()`: what is copied is not overwritten.
pub fn move_blocks<T: Number>(data: &mut [T], each: usize, from: &[usize]) {
    debug_assert!(
        from.iter().all(|&j| j >= from.len() || from[j] == j),
        "what is copied is overwritten: {from:?}"
    );
    if each == 0 {
        return;
    }
    let mut blocks: Vec<Option<&mut [T]>> = data.chunks_exact_mut(each).map(Some).collect();
    let moves = from.iter().enumerate().filter(|(i, from)| i != *from);
    let targets: Vec<_> = moves.filter_map(|(i, from)| Some((blocks[i].take()?, from))).collect();
    let moves: Vec<(&mut [T], &[T])> =
        targets.into_iter().filter_map(|(to, &from)| Some((to, blocks[from].as_deref()?))).collect();
    moves.into_par_iter().with_min_len(4).for_each_task(&|(to, from)| to.copy_from_slice(from));
}

/// `scores = scale q K` for the first `scores.len()` keys, `(D) (D, S) -> (S)`.
#[inline(always)]
fn scalar_products<T: Number>(scores: &mut [T], q: &[T], keys: &[T], scale: T) {
    let rows = || q.iter().zip(keys.chunks_exact(keys.len() / q.len()));
    let (blocks, tail) = scores.as_chunks_mut::<KEYS_PER_PASS>();
    let start = blocks.len() * KEYS_PER_PASS;
    for (i, scores) in blocks.iter_mut().enumerate() {
        let mut sums = [T::zero(); KEYS_PER_PASS];
        for (&q, keys) in rows() {
            let Some(keys) = keys.as_chunks::<KEYS_PER_PASS>().0.get(i) else { continue };
            for l in 0..KEYS_PER_PASS {
                sums[l] = q.fused_mul_add(keys[l], sums[l]);
            }
        }
        *scores = sums.map(|sum| sum * scale);
    }
    tail.fill(T::zero());
    for (&q, keys) in rows() {
        for (score, &key) in tail.iter_mut().zip(&keys[start..]) {
            *score = q.fused_mul_add(key, *score);
        }
    }
    tail.iter_mut().for_each(|score| *score *= scale);
}

/// `out = weights V`, `(S) (S, D) -> (D)`.
#[inline(always)]
fn weighted_sum<T: Number>(out: &mut [T], weights: &[T], values: &[T]) {
    let d = out.len();
    let (blocks, tail) = out.as_chunks_mut::<COLUMNS_PER_PASS>();
    for (i, out) in blocks.iter_mut().enumerate() {
        let mut sums = [T::zero(); COLUMNS_PER_PASS];
        for (&weight, value) in weights.iter().zip(values.chunks_exact(d)) {
            let Some(value) = value.as_chunks::<COLUMNS_PER_PASS>().0.get(i) else { continue };
            for l in 0..COLUMNS_PER_PASS {
                sums[l] = weight.fused_mul_add(value[l], sums[l]);
            }
        }
        *out = sums;
    }
    let start = d - tail.len();
    tail.fill(T::zero());
    if !tail.is_empty() {
        for (&weight, value) in weights.iter().zip(values.chunks_exact(d)) {
            for (out, &v) in tail.iter_mut().zip(&value[start..]) {
                *out = weight.fused_mul_add(v, *out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_appended_as_columns_and_values_as_rows() {
        // One head of two elements, and room for three tokens; one is already cached.
        let dims = CacheDims { h: 1, s: 3, d: 2 };
        let (mut keys, mut values) = ([0.0_f32; 6], [0.0_f32; 6]);
        let token = [9.0, 9.0, 1.0, 2.0, 3.0, 4.0];
        append_to_cache((&mut keys, &mut values), (&token, 6), (1, 1), dims);
        assert_eq!((keys, values), ([0.0, 1.0, 0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 3.0, 4.0, 0.0, 0.0]));
        // Of two more tokens, only one fits.
        append_to_cache((&mut keys, &mut values), (&[token, [7.0; 6]].concat(), 6), (2, 2), dims);
        assert_eq!((keys, values), ([0.0, 1.0, 1.0, 0.0, 2.0, 2.0], [0.0, 0.0, 3.0, 4.0, 3.0, 4.0]));
    }
}
