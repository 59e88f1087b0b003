//! Attention of new tokens to all tokens so far, whose keys and values are kept.

use rayon::prelude::*;

use crate::kernels::softmax::{exp_minus, max};
use crate::kernels::vectorised;
use crate::ops::attention::{AttentionOptions, alibi_slopes};
use crate::ops::{Forward, Op};
use crate::{Error, Float, Shape, Tape, Var};

/// What [attention](super::attention) with the causal mask gives for the last T tokens
/// of a text of `start + T`, of their Q, K and V `(B, T, 3 C)`, the keys `(B, H, D, S)` and
/// the values `(B, H, S, D)` of all tokens, with room for S, to `(B, T, C)`. Of the keys
/// each column is one, so that a query meets many of them at a time.
///
/// To generate, the keys and values of earlier tokens are computed once and kept: no
/// later token changes them, because of the mask. It has no backward.
#[derive(Debug)]
pub struct CachedAttention {
    n_head: usize,
    start: usize,
    scale: Option<f64>,
    slopes: Option<Vec<f64>>,
}

impl<T: Float> Tape<T> {
    /// Records [`CachedAttention`]; the caches hold the new tokens already. Of the options,
    /// the mask is causal, and there is no dropout.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the shapes fit; [`Error::NoBackward`] where gradients
    /// are wanted.
    #[track_caller]
    pub fn cached_attention(
        &mut self,
        (qkv, keys, values): (Var, Var, Var),
        start: usize,
        options: &AttentionOptions,
    ) -> Result<Var, Error> {
        let AttentionOptions { n_head, scale, alibi, .. } = *options;
        let slopes = alibi.then(|| alibi_slopes(n_head));
        self.record_forward_only(CachedAttention { n_head, start, scale, slopes }, &[qkv, keys, values])
    }
}

impl<T: Float> Op<T> for CachedAttention {
    fn name(&self) -> &'static str {
        "cached_attention"
    }
    fn equation(&self) -> &'static str {
        "y = softmax(scale q K^T) V, K and V kept"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        const RULE: &str = "(B, T, 3 C), (B, H, D, S) and (B, H, S, D) with room for all tokens";
        let (&[b, t, c3], &[b2, h, s, d]) = (inputs[0], inputs[2]) else { return Err(RULE.into()) };
        let fits = b == b2 && h == self.n_head && c3 == 3 * h * d && *inputs[1] == [b, h, d, s] && d > 0;
        match fits && self.start + t <= s {
            true => Ok(ndarray::IxDyn(&[b, t, h * d])),
            false => Err(RULE.into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (qkv, keys, values) = (io.input(0), io.input(1), io.input(2));
        let &[_, h, s, d] = values.shape() else { unreachable!("the shape was checked") };
        let t = qkv.shape()[1];
        let (c, scale) = (h * d, T::of(self.scale.unwrap_or(1.0 / (d as f64).sqrt())));
        let row = |(row, (out, scores)): (usize, (&mut [T], &mut [T]))| {
            let (b, i) = (row / t, row % t);
            let seen = self.start + i + 1;
            let q = &qkv.data()[row * 3 * c..][..c];
            // In whole blocks as far as there is room; what no query sees gets no weight.
            let scores = &mut scores[..seen.next_multiple_of(LANES).min(s)];
            vectorised(
                #[inline(always)]
                || {
                    for (h_i, (out, q)) in out.chunks_exact_mut(d).zip(q.chunks_exact(d)).enumerate() {
                        let head = (b * h + h_i) * s * d;
                        let (keys, values) =
                            (&keys.data()[head..][..s * d], &values.data()[head..][..seen * d]);
                        scalar_products(scores, q, keys, scale);
                        scores[seen..].fill(T::neg_infinity());
                        if let Some(slopes) = &self.slopes {
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
        let rows = io.out.len() / c;
        let mut scratch = io.scratch(rows * s);
        let work = io.out.chunks_exact_mut(c).zip(scratch.data_mut().chunks_exact_mut(s));
        match rows {
            1 => work.enumerate().for_each(row),
            _ => work.enumerate().collect::<Vec<_>>().into_par_iter().for_each(row),
        }
        io.give_back(scratch);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        let (b, t, c) = (inputs[0][0], inputs[0][1], inputs[0][2] / 3);
        let pairs: usize = (0..t).map(|i| self.start + i + 1).sum();
        (b * pairs * (4 * c + 6 * self.n_head)) as u64
    }
}

/// Scores at a time.
const LANES: usize = 16;

/// `scale q K` for the first keys.
#[inline(always)]
fn scalar_products<T: Float>(scores: &mut [T], q: &[T], keys: &[T], scale: T) {
    let rows = || q.iter().zip(keys.chunks_exact(keys.len() / q.len()));
    let (blocks, tail) = scores.as_chunks_mut::<LANES>();
    let start = blocks.len() * LANES;
    for (i, scores) in blocks.iter_mut().enumerate() {
        let mut sums = [T::zero(); LANES];
        for (&q, keys) in rows() {
            let Some(keys) = keys.as_chunks::<LANES>().0.get(i) else { continue };
            for l in 0..LANES {
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

/// The sum of the values, each times its weight: as many columns at a time as fit the
/// registers.
#[inline(always)]
fn weighted_sum<T: Float>(out: &mut [T], weights: &[T], values: &[T]) {
    const LANES: usize = 32;
    let d = out.len();
    let (blocks, tail) = out.as_chunks_mut::<LANES>();
    for (i, out) in blocks.iter_mut().enumerate() {
        let mut sums = [T::zero(); LANES];
        for (&weight, value) in weights.iter().zip(values.chunks_exact(d)) {
            let Some(value) = value.as_chunks::<LANES>().0.get(i) else { continue };
            for l in 0..LANES {
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
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::constant;
    use crate::mask::Mask;
    use crate::ops::attention::AttentionOptions;
    use crate::{Error, Params, Tape, Tensor};

    #[test]
    fn agrees_with_attention_to_the_whole_text() {
        let cases = [(2, 5, 2, 3, false, None), (1, 4, 1, 20, true, Some(0.7)), (1, 70, 2, 35, false, None)];
        for (b, t, h, d, alibi, scale) in cases {
            let options = AttentionOptions { alibi, scale, ..AttentionOptions::new(h, Mask::Causal) };
            let c = h * d;
            let qkv = constant(&[b, t, 3 * c], 1.0);
            let mut tape = Tape::<f64>::new();
            tape.set_gradients(false);
            let all = tape.input(qkv.clone());
            let whole = tape.attention(all, options.clone()).unwrap();
            let [keys, values] = [1, 2].map(|part| tape.split_heads(all, part, 3, h).unwrap());
            let columns = tape.value(keys).view().permuted_axes(ndarray::IxDyn(&[0, 1, 3, 2])).to_owned();
            let keys = tape.input(Tensor::from_array(columns));
            for start in 0..t {
                // The last t - start tokens of each sequence.
                let mut last = Vec::new();
                for sequence in qkv.data().chunks(t * 3 * c) {
                    last.extend_from_slice(&sequence[start * 3 * c..]);
                }
                let last = tape.input(Tensor::from_vec(&[b, t - start, 3 * c], last).unwrap());
                let y = tape.cached_attention((last, keys, values), start, &options).unwrap();
                for (s, got) in tape.value(y).data().chunks((t - start) * c).enumerate() {
                    let want = &tape.value(whole).data()[(s * t + start) * c..(s + 1) * t * c];
                    assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12));
                }
            }
        }
    }

    #[test]
    fn cannot_be_trained_through() {
        let mut params = Params::new();
        let id = params.add("qkv", constant(&[1, 1, 3], 0.0)).unwrap();
        let mut tape = Tape::new();
        let qkv = tape.param(&params, id);
        let cache = tape.input(Tensor::zeros(&[1, 1, 4, 1]));
        let options = AttentionOptions::new(1, Mask::Causal);
        let error = tape.cached_attention((qkv, cache, cache), 0, &options).unwrap_err();
        assert!(matches!(error, Error::NoBackward { .. }));
        assert!(tape.cached_attention((cache, qkv, cache), 0, &options).is_err());
    }
}
