//! [`Tensor`]: a shape and its elements.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array, Array1, Array2, ArrayView2, ArrayViewD, Dimension, IxDyn, s};

use crate::{Error, Number};

/// The lengths of a tensor's axes, outermost first.
pub type Shape = IxDyn;

/// A contiguous, row-major array with any number of axes.
///
/// Clones share the storage, and writing to a shared tensor copies it first. Every tensor is one slice,
/// [`Tensor::data`], on which the kernels operate, and can be seen as an [`ndarray`] array.
///
/// ```
/// use m2g_core::Tensor;
/// let t = Tensor::from_vec(&[2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(t.shape(), [2, 3]);
/// assert_eq!(t.view()[[1, 0]], 4.0);
/// # Ok::<(), m2g_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor<T: Number> {
    shape: Shape,
    storage: Arc<Vec<T>>,
    /// The index of the first element in the storage, which may be longer.
    start: usize,
    /// The number of elements: the product of the shape.
    len: usize,
}

impl<T: Number> Tensor<T> {
    /// A tensor of `shape` with the elements of `data`, row by row.
    ///
    /// # Errors
    /// [`Error::Length`] unless `data` has the length of the shape.
    pub fn from_vec(shape: &[usize], data: Vec<T>) -> Result<Self, Error> {
        let (expected, len) = (elements(shape), data.len());
        if expected != Some(len) {
            let expected = expected.unwrap_or(usize::MAX);
            return Err(Error::Length { shape: shape.to_vec(), expected, found: len });
        }
        Ok(Self { shape: IxDyn(shape), storage: Arc::new(data), start: 0, len })
    }

    /// A tensor with the elements of an ndarray array, copied only if it is not row-major.
    pub fn from_array<D: Dimension>(array: Array<T, D>) -> Self {
        let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
        let (shape, len) = (array.raw_dim().into_dyn(), array.len());
        let (storage, start) = array.into_raw_vec_and_offset();
        Self { shape, storage: Arc::new(storage), start: start.unwrap_or(0), len }
    }

    /// A tensor of zeros.
    ///
    /// # Panics
    /// If the axes, those of length 0 left out, have more than about 2^60 elements, which no allocation can hold.
    /// Shapes from files are compared with the sizes of the files first, and those from settings with the memory:
    /// see [`crate::memory`].
    pub fn zeros(shape: &[usize]) -> Self {
        Self::zeros_with_room(shape, 0)
    }

    /// A tensor of zeros whose storage has room for `room` elements, if that is more.
    pub(crate) fn zeros_with_room(shape: &[usize], room: usize) -> Self {
        let n = elements(shape).unwrap_or_else(|| panic!("the shape {shape:?} has too many elements"));
        Self::in_storage(shape, vec![T::zero(); storage_len::<T>(n.max(room))])
    }

    /// A tensor in this storage, whose contents it takes over. The storage has at least the length of the
    /// shape.
    fn in_storage(shape: &[usize], storage: Vec<T>) -> Self {
        let len = shape.iter().product();
        let misaligned = storage.as_ptr() as usize % ALIGNMENT_BYTES;
        let start =
            if storage.len() > len { (ALIGNMENT_BYTES - misaligned) % ALIGNMENT_BYTES / T::BYTES } else { 0 };
        Self { shape: IxDyn(shape), storage: Arc::new(storage), start, len }
    }

    /// A tensor whose elements, row by row, are the results of successive calls of `f`.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut() -> T) -> Self {
        let mut tensor = Self::zeros(shape);
        tensor.data_mut().fill_with(&mut f);
        tensor
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        self.shape.slice()
    }

    /// [`Tensor::shape`] as an owned value.
    pub fn dims(&self) -> Shape {
        self.shape.clone()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All elements, row by row.
    pub fn data(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }

    /// All elements, row by row, mutably. Copies them first if another tensor shares them.
    pub fn data_mut(&mut self) -> &mut [T] {
        if !self.is_unique() {
            let mut copy = Self::zeros(self.shape());
            copy.data_mut().copy_from_slice(self.data());
            *self = copy;
        }
        let storage = Arc::get_mut(&mut self.storage).expect("no other tensor shares the storage");
        &mut storage[self.start..self.start + self.len]
    }

    /// The tensor as an ndarray view.
    pub fn view(&self) -> ArrayViewD<'_, T> {
        ArrayViewD::from_shape(self.dims(), self.data()).expect("the length fits the shape")
    }

    /// The tensor as a matrix `(rows, columns)`: all axes but the last are its rows.
    pub fn matrix(&self) -> ArrayView2<'_, T> {
        ArrayView2::from_shape(self.rows_cols(), self.data()).expect("rows x columns = length")
    }

    /// [`Tensor::matrix`] as an owned array; copies nothing unless another tensor shares the
    /// elements.
    pub fn into_matrix(self) -> Array2<T> {
        let (shape, start, end) = (self.rows_cols(), self.start, self.start + self.len);
        let elements = Array1::from_vec(self.into_storage()).slice_move(s![start..end]);
        elements.into_shape_with_order(shape).expect("rows x columns = length")
    }

    /// The storage of the elements, to be used again; copies nothing unless another tensor shares them. Its
    /// length may be greater than the tensor's.
    pub(crate) fn into_storage(self) -> Vec<T> {
        Arc::unwrap_or_clone(self.storage)
    }

    /// The number of rows and columns of [`Tensor::matrix`]. A scalar is `(1, 1)`.
    pub fn rows_cols(&self) -> (usize, usize) {
        rows_cols(self.shape())
    }

    /// The number of elements that the storage has room for.
    pub(crate) fn room(&self) -> usize {
        match self.storage.len() {
            len if len < MIN_ELEMENTS_TO_ALIGN => len,
            len => len.saturating_sub(ALIGNMENT_BYTES / T::BYTES - 1),
        }
    }

    /// Whether no other tensor shares the elements.
    pub(crate) fn is_unique(&mut self) -> bool {
        Arc::get_mut(&mut self.storage).is_some()
    }

    /// A tensor of another shape in the same storage, with unspecified contents. If the storage has no room for
    /// it, or is shared, the new tensor gets storage with `room`.
    pub(crate) fn reuse(self, shape: &[usize], room: usize) -> Self {
        let n = shape.iter().product();
        match Arc::into_inner(self.storage).filter(|storage| storage.len() >= storage_len::<T>(n)) {
            Some(storage) => Self::in_storage(shape, storage),
            None => Self::zeros_with_room(shape, room),
        }
    }

    /// Keeps only the first `n` elements along the first axis, in the same storage.
    pub(crate) fn keep_first(&mut self, n: usize) {
        let first = self.shape[0];
        assert!(n <= first, "there are only {first} elements along the first axis, not {n}");
        self.len = self.len / first.max(1) * n;
        self.shape[0] = n;
    }

    /// The same elements in another shape of the same length.
    pub(crate) fn into_shape(self, shape: Shape) -> Self {
        assert_eq!(shape.size(), self.len, "the length fits the shape");
        Self { shape, ..self }
    }
}

impl<T: Number> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.data() == other.data()
    }
}

impl<T: Number> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tensor").field(&self.view()).finish()
    }
}

/// Large tensors begin at a multiple of this, the size of a cache line: a vector register is then
/// loaded from one line, not from two.
const ALIGNMENT_BYTES: usize = 64;

/// Smaller tensors are not aligned.
const MIN_ELEMENTS_TO_ALIGN: usize = 256;

/// The length of the storage for a tensor of `n` elements. Large tensors get some extra elements,
/// so that they can begin at a multiple of [`ALIGNMENT_BYTES`].
fn storage_len<T: Number>(n: usize) -> usize {
    if n < MIN_ELEMENTS_TO_ALIGN { n } else { n + ALIGNMENT_BYTES / T::BYTES - 1 }
}

/// The number of elements of a shape; `None` if no allocation can hold them. An axis of length 0 does not excuse
/// the others: their product must fit too.
fn elements(shape: &[usize]) -> Option<usize> {
    let n =
        shape.iter().filter(|&&length| length > 0).try_fold(1_usize, |n, &length| n.checked_mul(length))?;
    let fits = n <= isize::MAX as usize / size_of::<f64>() - ALIGNMENT_BYTES;
    fits.then_some(if shape.contains(&0) { 0 } else { n })
}

/// All axes but the last as rows, the last as columns.
pub(crate) fn rows_cols(shape: &[usize]) -> (usize, usize) {
    match shape.split_last() {
        Some((&cols, rest)) => (rest.iter().product(), cols),
        None => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wrong_length_is_refused() {
        let error = Tensor::from_vec(&[2, 3], vec![0.0_f32; 5]).unwrap_err().to_string();
        assert_eq!(error, "a tensor of shape [2, 3] holds 6 elements, but 5 were given");
    }

    #[test]
    fn shapes_that_no_memory_holds_are_not_multiplied_out() {
        for shape in [&[usize::MAX, 2][..], &[usize::MAX / 2, 4], &[0, usize::MAX], &[1 << 62]] {
            assert_eq!(elements(shape), None, "{shape:?}");
            assert!(Tensor::from_vec(shape, vec![0.0_f32; 2]).is_err());
        }
        assert_eq!([elements(&[]), elements(&[2, 3]), elements(&[4, 0])], [Some(1), Some(6), Some(0)]);
    }

    #[test]
    fn a_clone_shares_until_it_is_written() {
        let mut a = Tensor::from_vec(&[2], vec![1.0_f64, 2.0]).unwrap();
        let b = a.clone();
        a.data_mut()[0] = 9.0;
        assert_eq!((a.data(), b.data()), (&[9.0, 2.0][..], &[1.0, 2.0][..]));
    }

    #[test]
    fn large_tensors_begin_at_a_cache_line() {
        for n in [256, 1000, 784 * 30] {
            let mut a = Tensor::<f32>::from_fn(&[n], || 1.5);
            let b = a.clone();
            a.data_mut()[0] = 2.0;
            for t in [&a, &b] {
                assert_eq!(t.data().as_ptr() as usize % ALIGNMENT_BYTES, 0);
                assert_eq!((t.len(), t.data()[n - 1]), (n, 1.5));
            }
        }
    }

    #[test]
    fn every_tensor_is_a_matrix() {
        assert_eq!(Tensor::<f32>::zeros(&[2, 3, 4]).matrix().dim(), (6, 4));
        assert_eq!(Tensor::<f32>::zeros(&[4]).matrix().dim(), (1, 4));
        assert_eq!(Tensor::<f32>::zeros(&[]).matrix().dim(), (1, 1));
    }
}
