//! The parameters of a model, and their gradients.

use std::sync::Arc;

use crate::kernels::Kernels;
use crate::kernels::block_format::BlockFormat;
use crate::kernels::matmul::{Mat, PackedFactor};
use crate::kernels::packed_weights::{PackedWeights, WeightFormat};
use crate::ranks::Outbox;
use crate::{Error, Float, Precision, Tensor};

/// The index of a parameter in its [`Params`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParamId(pub(crate) usize);

impl ParamId {
    /// The index of the parameter in [`Params::iter`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// One parameter: a tensor that training changes.
#[derive(Debug, Clone)]
pub struct Param<T: Float> {
    /// The name in checkpoints and messages.
    pub name: String,
    /// The value.
    pub value: Tensor<T>,
    /// Whether weight decay and L2 regularisation apply: by convention to weights, not to biases.
    pub decay: bool,
    /// The number of matrices of a block that it holds, one below the other, for [`Muon`](crate::optim::Muon): 3 for
    /// queries, keys and values. 0 for embeddings, the output layer, biases and gains.
    pub hidden_matrices: usize,
    /// A copy of the value in another format, for generation: see [`Params::pack`].
    packed: Option<Arc<PackedWeights<T>>>,
    /// A copy of the value as a factor of products: see [`Params::pack_factor`].
    factor: Option<Arc<PackedFactor>>,
}

impl<T: Float> Param<T> {
    /// The name of its layer: `h.0.ln_1` for `h.0.ln_1.weight`.
    pub fn layer(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(layer, _)| layer)
    }

    fn drop_copies(&mut self) {
        (self.packed, self.factor) = (None, None);
    }
}

/// All parameters of a model, in a fixed order.
#[derive(Debug, Clone, Default)]
pub struct Params<T: Float> {
    list: Vec<Param<T>>,
}

impl<T: Float> Params<T> {
    /// No parameters yet.
    pub fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Adds a parameter. Weight decay applies to those with two or more axes, which are weights.
    ///
    /// # Errors
    /// [`Error::DuplicateParam`] if the name is taken.
    pub fn add(&mut self, name: impl Into<String>, value: Tensor<T>) -> Result<ParamId, Error> {
        let name = name.into();
        if self.list.iter().any(|p| p.name == name) {
            return Err(Error::DuplicateParam(name));
        }
        let decay = value.shape().len() >= 2;
        self.list.push(Param { name, value, decay, hidden_matrices: 0, packed: None, factor: None });
        Ok(ParamId(self.list.len() - 1))
    }

    /// One parameter.
    pub fn get(&self, id: ParamId) -> &Param<T> {
        &self.list[id.0]
    }

    /// Says that these weights hold `n` matrices of a block, one below the other: see
    /// [`Param::hidden_matrices`].
    pub(crate) fn set_hidden_matrices(&mut self, weights: &[(ParamId, usize)]) {
        weights.iter().for_each(|&(id, n)| self.list[id.0].hidden_matrices = n);
    }

    /// One parameter, mutably. Drops its packed copies.
    pub fn get_mut(&mut self, id: ParamId) -> &mut Param<T> {
        let param = &mut self.list[id.0];
        param.drop_copies();
        param
    }

    /// Packs a weight matrix. [`Linear`](crate::nn::Linear) reads the packed copy if no gradient is
    /// needed and its input is a single row. The parameter itself is rounded to `format`, so that
    /// every input is multiplied by the same weights.
    pub fn pack(&mut self, id: ParamId, format: WeightFormat) {
        let value = &mut self.get_mut(id).value;
        let packed = T::Kernels::pack_weights(value.data(), value.rows_cols().1, format);
        T::Kernels::unpack_weights(&packed, value.data_mut());
        self.list[id.0].packed = Some(Arc::new(packed));
    }

    /// Packs the weight matrix that these blocks hold, without rounding anything: see [`Params::pack`].
    /// Blocks in a format that generation cannot read directly are packed as `f32`. The parameter takes their
    /// values.
    ///
    /// # Errors
    /// [`Error::Length`] unless the blocks have the shape of the parameter.
    pub fn pack_blocks(&mut self, id: ParamId, format: BlockFormat, bytes: &[u8]) -> Result<(), Error> {
        let value = &mut self.get_mut(id).value;
        let ((_, k), whole) = (value.rows_cols(), format.weights_per_block());
        if !k.is_multiple_of(whole) || bytes.len() != format.bytes(value.len()) {
            let found = bytes.len() / format.bytes_per_block() * whole;
            return Err(Error::Length { shape: value.shape().to_vec(), expected: value.len(), found });
        }
        let packed = T::Kernels::pack_blocks(format, bytes, k).unwrap_or_else(|| {
            let mut values = vec![0.0_f32; value.len()];
            format.dequantise(bytes, &mut values);
            let values: Vec<T> = values.into_iter().map(|x| T::of(f64::from(x))).collect();
            T::Kernels::pack_weights(&values, k, WeightFormat::F32)
        });
        T::Kernels::unpack_weights(&packed, value.data_mut());
        self.list[id.0].packed = Some(Arc::new(packed));
        Ok(())
    }

    /// The copy that [`Params::pack`] made.
    pub(crate) fn packed(&self, id: ParamId) -> Option<&Arc<PackedWeights<T>>> {
        self.list[id.0].packed.as_ref()
    }

    /// Packs the weight matrix of a layer once for all products of this precision. It pays where
    /// [`Linear`](crate::nn::Linear) multiplies it with a few rows at a time, again and again. No
    /// bit of a result changes.
    pub fn pack_factor(&mut self, id: ParamId, precision: Precision) {
        let param = &mut self.list[id.0];
        let w = Mat::new(param.value.data(), param.value.rows_cols());
        param.factor = Some(Arc::new(T::Kernels::pack_factor(w.t(), precision)));
    }

    /// The copy that [`Params::pack_factor`] made.
    pub(crate) fn factor(&self, id: ParamId) -> Option<&Arc<PackedFactor>> {
        self.list[id.0].factor.as_ref()
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Param<T>> {
        self.list.iter()
    }

    /// All parameters in order, mutably. Drops their packed copies.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Param<T>> {
        self.list.iter_mut().for_each(Param::drop_copies);
        self.list.iter_mut()
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The number of elements of all parameters.
    pub fn count(&self) -> usize {
        self.list.iter().map(|p| p.value.len()).sum()
    }

    /// The first parameter with an element that is NaN or infinite. No model with such a parameter
    /// computes anything useful.
    pub fn first_not_finite(&self) -> Option<&Param<T>> {
        self.list.iter().find(|p| first_not_finite(&p.value).is_some())
    }
}

/// The index, row by row, of the first element that is NaN or infinite.
pub(crate) fn first_not_finite<T: Float>(tensor: &Tensor<T>) -> Option<usize> {
    match T::Kernels::all_finite(tensor.data()) {
        true => None,
        false => tensor.data().iter().position(|x| !x.is_finite()),
    }
}

/// The gradient of the loss with respect to each parameter that has one.
#[derive(Debug, Default)]
pub struct Grads<T: Float> {
    pub(crate) list: Vec<Option<Tensor<T>>>,
    /// Sends each gradient to other processes when the pass in progress has completed it.
    pub(crate) outbox: Option<Box<Outbox<T>>>,
}

impl<T: Float> Grads<T> {
    /// No gradients yet.
    pub fn new() -> Self {
        Self { list: Vec::new(), outbox: None }
    }

    /// The gradient of one parameter.
    pub fn get(&self, id: ParamId) -> Option<&Tensor<T>> {
        self.list.get(id.0).and_then(Option::as_ref)
    }

    /// The gradients in the order of the parameters.
    pub fn iter(&self) -> impl Iterator<Item = Option<&Tensor<T>>> {
        self.list.iter().map(Option::as_ref).chain(std::iter::repeat(None))
    }

    /// The Euclidean norm of all gradients together.
    pub fn norm(&self) -> f64 {
        let all: Vec<&[T]> = self.list.iter().flatten().map(Tensor::data).collect();
        T::Kernels::sum_squares(&all).sqrt()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mutable_access_drops_the_packed_copies() {
        let mut params = Params::new();
        let ids = ["a", "b"].map(|name| params.add(name, Tensor::<f32>::zeros(&[2, 2])).unwrap());
        for format in WeightFormat::ALL {
            ids.iter().for_each(|&id| params.pack(id, format));
            params.get_mut(ids[0]);
            assert!(params.packed(ids[0]).is_none() && params.packed(ids[1]).is_some());
            assert_eq!(params.iter_mut().len(), 2);
            assert!(params.packed(ids[1]).is_none());
            ids.iter().for_each(|&id| params.pack_factor(id, Precision::F32));
            params.get_mut(ids[0]);
            assert!(params.factor(ids[0]).is_none() && params.factor(ids[1]).is_some());
            assert!(params.iter_mut().len() == 2 && params.factor(ids[1]).is_none());
        }
    }
}
