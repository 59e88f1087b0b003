//! The KV cache: the keys and values of earlier tokens, kept for generation.
//!
//! With the causal mask, no later token changes the keys and values of an earlier one. To generate
//! the next token, a model therefore computes only the keys and values of the newest token and
//! appends them to the cache. Cross-attention keeps the keys and values of the source in the same form.

use super::Score;
use crate::mask::Mask;
use crate::ops::attention::AttentionOptions;
use crate::ops::cached_attention::{append, select, select_in_place};
use crate::{Error, Float, Tape, Tensor, Var};

/// [`KvCache::reserve`] makes room for a multiple of this number of tokens: one vector register of scores.
const TOKENS_PER_BLOCK: usize = 16;

/// The keys and values of all tokens so far, for each layer of a model.
#[derive(Debug, Clone)]
pub struct KvCache<T: Float> {
    /// The cache of each layer.
    pub layers: Vec<LayerCache<T>>,
}

/// The keys and values of one layer, with room for S tokens.
#[derive(Debug, Clone)]
pub struct LayerCache<T: Float> {
    /// `(B, H, D, S)`: transposed, as the product with the queries reads it.
    keys: Tensor<T>,
    /// `(B, H, S, D)`
    values: Tensor<T>,
    len: usize,
    /// The storage that the last [`KvCache::select`] copied from, for the next one to copy to.
    spare: [Vec<T>; 2],
}

impl<T: Float> KvCache<T> {
    /// An empty cache for `n_layer` layers of B sequences, H heads of D elements and room for S
    /// tokens: `shape` is `[B, H, S, D]`.
    pub fn new(n_layer: usize, shape: [usize; 4]) -> Self {
        Self { layers: (0..n_layer).map(|_| LayerCache::new(shape)).collect() }
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

    /// Makes room for this number of further tokens. A cache that has no more room than its tokens need is
    /// copied faster by [`KvCache::select`].
    pub fn reserve(&mut self, tokens: usize) {
        self.layers.iter_mut().for_each(|layer| layer.reserve(tokens));
    }

    /// Keeps the sequences with these indices, in this order: one that is named twice continues in two
    /// ways, as in a beam search. This copies least if every index that is named either stays in its place or is
    /// at least the number of sequences that are kept; otherwise the whole cache is copied.
    ///
    /// # Panics
    /// If an index is not below B.
    pub fn select(&mut self, sequences: &[usize]) {
        self.layers.iter_mut().for_each(|layer| layer.select(sequences));
    }
}

impl<T: Float> LayerCache<T> {
    /// An empty cache for one layer: see [`KvCache::new`].
    fn new([b, h, s, d]: [usize; 4]) -> Self {
        let (keys, values) = (Tensor::zeros(&[b, h, d, s]), Tensor::zeros(&[b, h, s, d]));
        Self { keys, values, len: 0, spare: [Vec::new(), Vec::new()] }
    }

    /// The keys and values of whole sequences, from `(B, S, 2 C)`, for cross-attention with `n_head` heads.
    pub(super) fn of_sequences(keys_values: &Tensor<T>, n_head: usize) -> Self {
        let &[b, s, c2] = keys_values.shape() else { unreachable!("keys and values have three axes") };
        let room = s.next_multiple_of(TOKENS_PER_BLOCK);
        let mut layer = Self::new([b, n_head, room, c2 / 2 / n_head]);
        append((&mut layer.keys, &mut layer.values), keys_values, 0);
        layer.len = s;
        layer
    }

    /// The keys and values on a tape.
    pub(super) fn on(&self, tape: &mut Tape<T>) -> (Var, Var) {
        (tape.input(self.keys.clone()), tape.input(self.values.clone()))
    }

    /// The number of cached tokens.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// See [`KvCache::select`].
    fn select(&mut self, sequences: &[usize]) {
        let &[b, _, s, _] = self.values.shape() else { unreachable!("a cache has four axes") };
        let n = sequences.len();
        let is_kept = |&from: &usize| from < b && (from >= n || sequences[from] == from);
        if n <= b && sequences.iter().all(is_kept) {
            select_in_place(&mut self.keys, sequences);
            select_in_place(&mut self.values, sequences);
        } else {
            self.copy(sequences, s);
        }
    }

    /// See [`KvCache::reserve`].
    fn reserve(&mut self, tokens: usize) {
        let &[b, _, s, _] = self.values.shape() else { unreachable!("a cache has four axes") };
        if self.len + tokens > s {
            let all: Vec<usize> = (0..b).collect();
            self.copy(&all, (self.len + tokens).next_multiple_of(TOKENS_PER_BLOCK));
        }
    }

    /// Copies these sequences to storage with room for `new_s` tokens, and goes on with that.
    fn copy(&mut self, sequences: &[usize], new_s: usize) {
        let &[_, h, _, d] = self.values.shape() else { unreachable!("a cache has four axes") };
        let n = sequences.len();
        let [mut keys, mut values] = std::mem::take(&mut self.spare).map(|mut storage| {
            storage.resize(n * h * new_s * d, T::zero());
            storage
        });
        let new = (&mut keys[..], &mut values[..], new_s);
        select(new, (&self.keys, &self.values), sequences, self.len);
        let tensor = |shape: &[usize], storage| {
            Tensor::from_vec(shape, storage).expect("the storage has the length of its shape")
        };
        let keys = std::mem::replace(&mut self.keys, tensor(&[n, h, d, new_s], keys));
        let values = std::mem::replace(&mut self.values, tensor(&[n, h, new_s, d], values));
        self.spare = [keys.into_storage(), values.into_storage()];
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
    pub(super) fn attend(
        &self,
        tape: &mut Tape<T>,
        qkv: Var,
        start: usize,
        options: &AttentionOptions,
    ) -> Result<Var, Error> {
        let (k, v) = self.on(tape);
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
        // The elements of the cached tokens; what the others hold does not matter.
        let cached = |layer: &LayerCache<f64>| {
            let keys: Vec<f64> = layer.keys.data().chunks(5).flat_map(|row| row[..2].to_vec()).collect();
            let values: Vec<f64> =
                layer.values.data().chunks(10).flat_map(|head| head[..4].to_vec()).collect();
            (keys, values)
        };
        let qkv = constant(&[3, 2, 12], 1.0);
        let order = [2, 0, 2, 1];
        let rows = order.map(|i| qkv.data()[i * 24..(i + 1) * 24].to_vec()).concat();
        let want = cache(&Tensor::from_vec(&[4, 2, 12], rows).unwrap());
        let mut got = cache(&qkv);
        got.select(&order);
        assert_eq!(cached(&got.layers[0]), cached(&want.layers[0]));
        assert_eq!(got.len(), 2);
        // The storage of the first selection is used again.
        got.select(&[3, 1]);
        got.select(&[1, 1, 0, 0]);
        let rows = [0, 0, 1, 1].map(|i| qkv.data()[i * 24..(i + 1) * 24].to_vec()).concat();
        let want = cache(&Tensor::from_vec(&[4, 2, 12], rows).unwrap());
        assert_eq!(cached(&got.layers[0]), cached(&want.layers[0]));
        // All stay, then most do, and the last takes the place of the second.
        got.select(&[0, 1, 2, 3]);
        assert_eq!(cached(&got.layers[0]), cached(&want.layers[0]));
        let mut moved = cache(&qkv);
        moved.select(&[0, 0, 2]);
        let rows = [0, 0, 2].map(|i| qkv.data()[i * 24..(i + 1) * 24].to_vec()).concat();
        let all = cache(&Tensor::from_vec(&[3, 2, 12], rows).unwrap());
        assert_eq!(cached(&moved.layers[0]), cached(&all.layers[0]));
        moved.select(&[2, 1]);
        let rows = [2, 0].map(|i| qkv.data()[i * 24..(i + 1) * 24].to_vec()).concat();
        let all = cache(&Tensor::from_vec(&[2, 2, 12], rows).unwrap());
        assert_eq!(cached(&moved.layers[0]), cached(&all.layers[0]));
        // Three more tokens fit, four do not.
        got.reserve(3);
        assert_eq!(got.layers[0].values.shape(), [4, 2, 5, 2]);
        got.reserve(4);
        assert_eq!(got.layers[0].values.shape(), [4, 2, 16, 2]);
        let keys = got.layers[0].keys.data().chunks(16).flat_map(|row| row[..2].to_vec());
        assert_eq!(keys.collect::<Vec<_>>(), cached(&want.layers[0]).0);
        let mut empty = KvCache::<f64>::new(1, [2, 2, 0, 2]);
        empty.select(&[0, 0]);
        assert_eq!(empty.layers[0].values.shape(), [2, 2, 0, 2]);
        got.select(&[]);
        assert_eq!(got.layers[0].values.shape(), [0, 2, 16, 2]);
    }
}
