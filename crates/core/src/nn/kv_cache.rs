//! The KV cache: the keys and values of earlier tokens, kept for generation.
//!
//! With the causal mask, no later token changes the keys and values of an earlier one. To generate
//! the next token, a model therefore computes only the keys and values of the newest token and
//! appends them to the cache.

use super::Score;
use crate::mask::Mask;
use crate::ops::attention::AttentionOptions;
use crate::ops::cached_attention::append;
use crate::{Error, Float, Tape, Tensor, Var};

/// The keys and values of all tokens so far, for each layer of a model.
#[derive(Debug, Clone)]
pub struct KvCache<T: Float> {
    /// The cache of each layer.
    pub layers: Vec<LayerCache<T>>,
}

/// The keys and values of one layer, with room for S tokens.
#[derive(Debug, Clone)]
pub struct LayerCache<T: Float> {
    /// `(B, H, D, S)`
    keys: Tensor<T>,
    /// `(B, H, S, D)`
    values: Tensor<T>,
    len: usize,
}

impl<T: Float> KvCache<T> {
    /// An empty cache for `n_layer` layers of B sequences, H heads of D elements and room for S
    /// tokens: `shape` is `[B, H, S, D]`.
    pub fn new(n_layer: usize, shape: [usize; 4]) -> Self {
        let [b, h, s, d] = shape;
        let (keys, values) = ([b, h, d, s], [b, h, s, d]);
        let layer = || LayerCache { keys: Tensor::zeros(&keys), values: Tensor::zeros(&values), len: 0 };
        Self { layers: (0..n_layer).map(|_| layer()).collect() }
    }

    /// The number of cached tokens.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.len)
    }

    /// Whether it holds no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all tokens and keeps the memory.
    pub fn clear(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.len = 0);
    }

    /// Keeps the sequences with these indices, in this order: one that is named twice continues in two
    /// ways, as in a beam search.
    ///
    /// # Panics
    /// If an index is not below B.
    pub fn select(&mut self, sequences: &[usize]) {
        self.layers.iter_mut().for_each(|layer| layer.select(sequences));
    }
}

impl<T: Float> LayerCache<T> {
    /// The number of cached tokens.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// See [`KvCache::select`].
    fn select(&mut self, sequences: &[usize]) {
        let &[b, h, s, d] = self.values.shape() else { unreachable!("a cache has four axes") };
        if sequences.iter().copied().eq(0..b) {
            return;
        }
        let len = self.len;
        let mut selected = [&self.keys, &self.values].map(|old| {
            let mut shape = old.shape().to_vec();
            shape[0] = sequences.len();
            Tensor::zeros(&shape)
        });
        // Only the cached tokens: the start of each row of the keys, and of each head of the values.
        for (new, (old, (row, used))) in
            selected.iter_mut().zip([(&self.keys, (s, len)), (&self.values, (s * d, len * d))])
        {
            let sequence = h * d * s;
            for (new, &i) in new.data_mut().chunks_exact_mut(sequence).zip(sequences) {
                let old = &old.data()[i * sequence..(i + 1) * sequence];
                for (new, old) in new.chunks_exact_mut(row).zip(old.chunks_exact(row)) {
                    new[..used].copy_from_slice(&old[..used]);
                }
            }
        }
        [self.keys, self.values] = selected;
    }

    /// Appends the keys and values of T new tokens from `qkv`, `(B, T, 3 C)`. Drops tokens that do
    /// not fit: [`Tape::cached_attention`] then returns an error.
    ///
    /// # Errors
    /// [`Error::Setting`] if the mask or the score does not allow a cache.
    pub(super) fn append(&mut self, qkv: &Tensor<T>, mask: &Mask, score: Score) -> Result<(), Error> {
        if !score.is_scaled_dot() || *mask != Mask::Causal {
            let rule = "the KV cache needs the causal mask and a scaled dot product";
            let value = format!("{mask} and the score {score:?}");
            return Err(Error::Setting { name: "the mask", value, rule });
        }
        let s = self.values.shape()[2];
        append((&mut self.keys, &mut self.values), qkv, self.len);
        self.len = (self.len + qkv.shape()[1]).min(s);
        Ok(())
    }

    /// Attention from the new tokens, which follow the first `start`, to all cached tokens:
    /// `(B, T, 3 C) -> (B, T, C)`.
    #[track_caller]
    pub(super) fn attend(
        &self,
        tape: &mut Tape<T>,
        qkv: Var,
        start: usize,
        options: &AttentionOptions,
    ) -> Result<Var, Error> {
        let (k, v) = (tape.input(self.keys.clone()), tape.input(self.values.clone()));
        tape.cached_attention((qkv, k, v), start, options)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gradcheck::constant;

    #[test]
    fn selected_sequences_keep_their_tokens() {
        // Three sequences of two tokens, two heads of two elements, room for five tokens.
        let cache = |qkv: &Tensor<f64>| {
            let mut cache = KvCache::new(1, [qkv.shape()[0], 2, 5, 2]);
            cache.layers[0].append(qkv, &Mask::Causal, Score::ScaledDot).unwrap();
            cache
        };
        let qkv = constant(&[3, 2, 12], 1.0);
        let order = [2, 0, 2, 1];
        let rows = order.map(|i| qkv.data()[i * 24..(i + 1) * 24].to_vec()).concat();
        let want = cache(&Tensor::from_vec(&[4, 2, 12], rows).unwrap());
        let mut got = cache(&qkv);
        got.select(&order);
        assert_eq!(
            (&got.layers[0].keys, &got.layers[0].values),
            (&want.layers[0].keys, &want.layers[0].values)
        );
        assert_eq!(got.len(), 2);
        got.select(&[0, 1, 2, 3]);
        assert_eq!(got.layers[0].keys, want.layers[0].keys);
        got.select(&[]);
        assert_eq!(got.layers[0].values.shape(), [0, 2, 5, 2]);
    }
}
