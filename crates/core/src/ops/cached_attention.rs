//! Attention to tokens whose keys and values are cached: all so far, or those of the sequence that a decoder reads.

use std::sync::Arc;

use crate::kernels::Kernels;
use crate::kernels::attention::{self, CacheDims, Seen};
use crate::ops::attention::{AttentionOptions, alibi_slopes};
use crate::ops::{Forward, Op};
use crate::{Error, Float, Shape, Tape, Tensor, Var};

/// Causal [attention](super::attention) for the last T tokens of a text of `start + T` tokens:
/// `(B, T, C)`.
///
/// The inputs are Q, K and V of the T new tokens, `(B, T, 3 C)`; the keys of all tokens,
/// `(B, H, D, S)`; and their values, `(B, H, S, D)`. The cache has room for S tokens. Keys are
/// stored as columns, so that one vector register holds the same element of many keys.
///
/// Generation computes the keys and values of each token only once: because of the mask, later
/// tokens do not change them. This op has no backward pass.
///
/// In cross-attention the first input is Q alone, `(n B, T, C)`: `n` sequences in a row see the same cached sequence,
/// up to its length.
#[derive(Debug)]
pub struct CachedAttention {
    n_head: usize,
    seen: SeenKeys,
    scale: Option<f64>,
    slopes: Option<Vec<f64>>,
}

/// The keys that a query sees.
#[derive(Debug)]
enum SeenKeys {
    /// Those of its own text, up to its own: the first new token has this place.
    From(usize),
    /// As many as the length of the cached sequence.
    Lengths {
        /// The number of cached tokens, with the padding of short sequences.
        tokens: usize,
        /// Those without padding, of each sequence.
        lengths: Arc<[usize]>,
    },
}

impl<T: Float> Tape<T> {
    /// Records [`CachedAttention`]. The caches must already contain the new tokens. The options
    /// `mask` and `dropout` are ignored: the mask is causal, and there is no dropout.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the shapes match and the cache has room for all tokens;
    /// [`Error::NoBackward`] if an input needs a gradient.
    #[track_caller]
    pub fn cached_attention(
        &mut self,
        (qkv, keys, values): (Var, Var, Var),
        start: usize,
        options: &AttentionOptions,
    ) -> Result<Var, Error> {
        let AttentionOptions { n_head, scale, alibi, .. } = *options;
        let slopes = alibi.then(|| alibi_slopes(n_head));
        let op = CachedAttention { n_head, seen: SeenKeys::From(start), scale, slopes };
        self.record_forward_only(op, &[qkv, keys, values])
    }

    /// Records [`CachedAttention`] to sequences of these lengths, `(B)`, at most the number of cached tokens:
    /// `(n B, T, C) -> (n B, T, C)`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the shapes match and the cache holds sequences of these lengths;
    /// [`Error::NoBackward`] if an input needs a gradient.
    #[track_caller]
    pub(crate) fn cached_cross_attention(
        &mut self,
        (q, keys, values): (Var, Var, Var),
        (tokens, lengths): (usize, &Arc<[usize]>),
        options: &AttentionOptions,
    ) -> Result<Var, Error> {
        let AttentionOptions { n_head, scale, .. } = *options;
        let seen = SeenKeys::Lengths { tokens, lengths: lengths.clone() };
        let op = CachedAttention { n_head, seen, scale, slopes: None };
        self.record_forward_only(op, &[q, keys, values])
    }
}

impl<T: Float> Op<T> for CachedAttention {
    fn name(&self) -> &'static str {
        "cached_attention"
    }
    fn equation(&self, _: usize) -> &'static str {
        "y = softmax(scale q K^T) V, K and V cached"
    }
    fn output_shape(&self, inputs: &[&[usize]]) -> Result<Shape, String> {
        let rule = match self.seen {
            SeenKeys::From(_) => {
                "expected Q, K, V (B, T, 3 C), keys (B, H, D, S), values (B, H, S, D), and room for all tokens"
            }
            SeenKeys::Lengths { .. } => {
                "expected Q (n B, T, C), keys (B, H, D, S), values (B, H, S, D), and B lengths from 1 to the number of cached tokens"
            }
        };
        let (&[r, t, row], &[b, h, s, d]) = (inputs[0], inputs[2]) else { return Err(rule.into()) };
        let fits = match &self.seen {
            SeenKeys::From(start) => r == b && row == 3 * h * d && start + t <= s,
            SeenKeys::Lengths { tokens, lengths } => {
                let fit = *tokens <= s && lengths.iter().all(|length| (1..=*tokens).contains(length));
                lengths.len() == b && r.is_multiple_of(b) && row == h * d && fit
            }
        };
        match fits && h == self.n_head && *inputs[1] == [b, h, d, s] && d > 0 {
            true => Ok(ndarray::IxDyn(&[r, t, h * d])),
            false => Err(rule.into()),
        }
    }
    fn forward(&self, io: &mut Forward<'_, T>) {
        let (queries, keys, values) = (io.input(0), io.input(1), io.input(2));
        let (&[r, t, row], &[b, h, s, d]) = (queries.shape(), values.shape()) else {
            unreachable!("the shape was checked")
        };
        let operands = attention::CachedAttention {
            queries: queries.data(),
            row,
            seen: match &self.seen {
                SeenKeys::From(start) => Seen::Causal { start: *start, t },
                SeenKeys::Lengths { lengths, .. } => Seen::Lengths { lengths, queries: r * t / b.max(1) },
            },
            keys: keys.data(),
            values: values.data(),
            dims: CacheDims { h, s, d },
            scale: self.scale.unwrap_or(1.0 / (d as f64).sqrt()),
            slopes: self.slopes.as_deref(),
        };
        let mut scratch = io.scratch(r * t * s);
        T::Kernels::cached_attention(io.out, operands, scratch.data_mut());
        io.give_back(scratch);
    }
    fn flops(&self, inputs: &[&[usize]], _: &[usize]) -> u64 {
        let (r, t, c) = (inputs[0][0], inputs[0][1], inputs[2][1] * inputs[2][3]);
        let pairs: usize = match &self.seen {
            SeenKeys::From(start) => r * (0..t).map(|i| start + i + 1).sum::<usize>(),
            SeenKeys::Lengths { lengths, .. } => {
                lengths.iter().sum::<usize>() * (r * t / lengths.len().max(1))
            }
        };
        (pairs * (4 * c + 6 * self.n_head)) as u64
    }
}

/// Appends K and V of T new tokens, the last 2 C columns of `tokens` `(B, T, 3 C)` or `(B, T, 2 C)`, to the `start`
/// tokens in `keys` `(B, H, D, S)` and `values` `(B, H, S, D)`. Skips tokens beyond the capacity.
pub(crate) fn append<T: Float>(
    (keys, values): (&mut Tensor<T>, &mut Tensor<T>),
    tokens: &Tensor<T>,
    start: usize,
) {
    let &[_, h, s, d] = values.shape() else { unreachable!("a cache has four axes") };
    let (t, row, cache) = (tokens.shape()[1], tokens.shape()[2], (keys.data_mut(), values.data_mut()));
    T::Kernels::append_to_cache(cache, (tokens.data(), row), (t, start), CacheDims { h, s, d });
}

/// Copies the first `seen` tokens of these sequences, in this order, from caches `(B, H, D, S)` and
/// `(B, H, S, D)` to others that hold as many sequences and have room for `new_s` tokens.
pub(crate) fn select<T: Float>(
    (new_keys, new_values, new_s): (&mut [T], &mut [T], usize),
    (keys, values): (&Tensor<T>, &Tensor<T>),
    sequences: &[usize],
    seen: usize,
) {
    let &[_, h, s, d] = values.shape() else { unreachable!("a cache has four axes") };
    let (new, old) = ((new_keys, new_values, new_s), (keys.data(), values.data()));
    T::Kernels::select_from_cache(new, old, sequences, seen, CacheDims { h, s, d });
}

/// Keeps these sequences of a cache, `(B, ..)`, in its own storage. For each `i` in `sequences`, `sequences[i] == i` or
/// `i >= sequences.len()`: what is copied is not overwritten.
pub(crate) fn select_in_place<T: Float>(cache: &mut Tensor<T>, sequences: &[usize]) {
    let each = cache.shape()[1..].iter().product();
    T::Kernels::move_blocks(cache.data_mut(), each, sequences);
    cache.keep_first(sequences.len());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::gradcheck::constant;
    use crate::mask::Mask;
    use crate::ops::attention::AttentionOptions;
    use crate::{Error, Params, Tape, Tensor};

    #[test]
    fn agrees_with_attention_over_the_whole_text() {
        let cases = [(2, 5, 2, 3, false, None), (1, 4, 1, 20, true, Some(0.7)), (1, 70, 2, 35, false, None)];
        for (b, t, h, d, alibi, scale) in cases {
            let options = AttentionOptions { alibi, scale, ..AttentionOptions::new(h, Mask::Causal) };
            let c = h * d;
            let qkv = constant(&[b, t, 3 * c], 1.0);
            let mut tape = Tape::<f64>::without_gradients();
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
